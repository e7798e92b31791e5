"""What a search finds, and how it was understood."""

from typing import Annotated

from msgspec import Meta

from campfire.api.schemas.base import Answer, Request, Time
from campfire.api.schemas.messages import Message
from campfire.api.schemas.people import Author
from campfire.domain.searches import MAX_CHARACTERS
from projections.queries.search_text import Thing

Place = Annotated[tuple[int, int], Meta(description="characters of the body, from the first to before the second")]


class RememberSearch(Request, frozen=True, kw_only=True):
    text: Annotated[str, Meta(min_length=1, max_length=MAX_CHARACTERS, examples=["from:grace bug"])]


class Searches(Answer, frozen=True, kw_only=True):
    searches: list[str]


class FoundRoom(Answer, frozen=True, kw_only=True):
    """A room that `in:` means. A direct room has no name."""

    id: str
    name: str


class Understood(Answer, frozen=True, kw_only=True, rename={"from_": "from", "in_": "in"}):
    """How the text was read: all words and phrases, by any of these people, in any of these rooms, with all
    of `has`, from `after` to before `before`. Words are also what looked like an operator and meant nothing.
    """

    words: list[str] = []
    phrases: list[str] = []
    from_: list[Author] = []
    in_: list[FoundRoom] = []
    has: list[Thing] = []
    after: Time | None = None
    before: Time | None = None


class SearchResults(Answer, frozen=True, kw_only=True):
    """A page of messages. `highlights`: by message id, what was found in its body. `next` begins the next page."""

    messages: list[Message]
    highlights: dict[str, list[Place]]
    next: str | None
    understood: Understood
