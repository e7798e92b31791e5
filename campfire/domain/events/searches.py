"""What people have searched for, for themselves."""

from typing import ClassVar

from campfire.domain.events.base import Event


class SearchRemembered(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody wants to find this search again. Stream: `ids.searches_stream`."""

    topic: ClassVar[str] = "search.remembered"

    user_id: str
    text: str


class SearchesForgotten(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody's searches are not shown any more. Stream: `ids.searches_stream`."""

    topic: ClassVar[str] = "searches.forgotten"

    user_id: str
