"""From where a client wants the feed."""

from aiohttp import web

from campfire.errors import CampfireError


def since_of(request: web.Request) -> tuple[int | None, str | None]:
    """The position and epoch that a client has, from the query or Last-Event-ID. Raises `VALIDATION_FAILED`."""
    since, epoch = request.query.get("since"), request.query.get("epoch")
    last = request.headers.get("Last-Event-ID")
    if last:
        # A browser's EventSource repeats the first URL at each reconnection; what it saw last is newer.
        last_epoch, _, last_position = last.rpartition(":")
        since, epoch = last_position, last_epoch or epoch
    if since is None:
        return None, epoch
    if not since.isascii() or not since.isdigit() or len(since) > 18:
        raise CampfireError(
            "VALIDATION_FAILED",
            "since must be a position: a whole number from 0.",
            errors=[{"field": "since", "message": "is not a position"}],
        )
    return int(since), epoch
