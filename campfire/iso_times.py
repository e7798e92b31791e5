"""Times as they are written and read: ISO 8601 in UTC with milliseconds. Inside, a time is an integer."""

from datetime import UTC, datetime
from functools import lru_cache


def iso_from_ms(at_ms: int) -> str:
    """Milliseconds since the Unix epoch, as every time in the API, the feed and webhooks is written."""
    seconds, milliseconds = divmod(at_ms, 1000)
    return f"{_to_the_second(seconds)}.{milliseconds:03d}Z"


def ms_from_iso(text: str) -> int:
    """Read an ISO 8601 time; one without an offset is taken as UTC. Raises `ValueError`."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


@lru_cache(maxsize=1024)
def _to_the_second(seconds: int) -> str:
    # Kept because thousands of events share a second, and formatting costs more than all else here.
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
