"""From where a client wants the feed."""

from aiohttp import web

from campfire.api.feed.cursor import LastSeen

_MOST_DIGITS = 18


def last_seen(request: web.Request) -> LastSeen:
    """The position and epoch that a client has, from the query or Last-Event-ID.

    A position that cannot be read is no error: a browser never shows its page why a handshake was
    refused, whereas a `resync` mends the client.
    """
    since, epoch = request.query.get("since"), request.query.get("epoch")
    last = request.headers.get("Last-Event-ID")
    if last:
        # A browser's EventSource repeats the first URL at each reconnection; what it saw last is newer.
        last_epoch, _, since = last.rpartition(":")
        epoch = last_epoch or epoch
    if since is None:
        return LastSeen(None, epoch)
    # A length cap first: turning a very long run of digits into a number is itself an attack.
    if len(since) > _MOST_DIGITS or not since.isascii() or not since.isdigit():
        return LastSeen(None, epoch, malformed=True)
    return LastSeen(int(since), epoch)
