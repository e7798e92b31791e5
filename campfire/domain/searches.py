"""The searches that a person wants to find again."""

from campfire.domain import ids
from campfire.domain.errors import ValidationFailed
from campfire.domain.events import NewEvent, SearchesForgotten, SearchRemembered

MOST_REMEMBERED = 10
MAX_CHARACTERS = 500


def decide_remember(user_id: str, text: str, *, at: int) -> list[NewEvent]:
    """Keep a search among one's last ten; one that is there already moves to the front. Raises `ValidationFailed`."""
    text = " ".join(text.split())
    if not 1 <= len(text) <= MAX_CHARACTERS or not _is_text(text):
        message = f"needs 1 to {MAX_CHARACTERS} characters"
        raise ValidationFailed(f"A search {message}.", errors=[{"field": "text", "message": message}])
    return [NewEvent(ids.searches_stream(user_id), None, SearchRemembered(at=at, user_id=user_id, text=text))]


def decide_forget(user_id: str, *, at: int) -> list[NewEvent]:
    """Show none of one's searches any more."""
    return [NewEvent(ids.searches_stream(user_id), None, SearchesForgotten(at=at, user_id=user_id))]


def _is_text(text: str) -> bool:
    return not any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text)
