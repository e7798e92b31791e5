"""What a moved cursor would send, counted from the log before anybody is asked."""

from campfire.config import Settings
from campfire.domain.webhook_cursors import require_places
from campfire.errors import CampfireError
from campfire.eventlog.reader import LogReader
from outbox import endpoints
from outbox.planning import Endpoint, is_scrubbed, plan_history
from outbox.queries import rows_of

_PAGE = 1_000


def position_before(settings: Settings, at: int) -> int:
    """The last position that was recorded before a moment (milliseconds), 0 if none was."""
    reader = LogReader(settings.events_path)
    try:
        return reader.position_at(at - 1)
    finally:
        reader.close()


def count_in_range(settings: Settings, webhook_id: str, after: int, until: int | None) -> int:
    """How many events in (`after`, `until`] a webhook wants as it is now. Raises `WEBHOOK_NOT_FOUND`,
    and `ValidationFailed` as the move itself would.

    Reads them all: a million in some seconds.
    """
    endpoint = _endpoint(settings, webhook_id)
    reader = LogReader(settings.events_path)
    try:
        tip = reader.tip().position
        require_places(after, until, tip)
        count, position = 0, after
        end = tip if until is None else until
        while events := reader.read(position, _PAGE, upto=end):
            position = events[-1].position
            count += sum(1 for each in events if not is_scrubbed(each.event) and plan_history(each, endpoint, ""))
    finally:
        reader.close()
    return count


def _endpoint(settings: Settings, webhook_id: str) -> Endpoint:
    rows = rows_of(
        settings.outbox_path,
        f"SELECT {endpoints.WANTS} FROM endpoints WHERE id = ? AND kind = 'webhook' AND state <> 'deleted'",
        (webhook_id,),
    )
    if not rows:
        raise CampfireError("WEBHOOK_NOT_FOUND", f"The outbox knows no webhook {webhook_id}.")
    return endpoints.wanting(rows[0])
