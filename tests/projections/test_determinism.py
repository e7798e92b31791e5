from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from projections_support.anything import histories
from projections_support.history import History, a_log_of, batch_of

from campfire.domain.applying import apply
from campfire.domain.directory import Directory
from campfire.domain.events import RecordedEvent
from campfire.eventlog.reader import LogReader
from projections.digest import digest_of
from projections.directory_loader import load_directory
from projections.projector import Projector
from projections.rebuild import rebuild_beside

as_often_as_files_allow = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def projected(path: Path, batches: list[list[RecordedEvent]]) -> tuple[dict[str, str], Directory]:
    projector = Projector(path)
    projector.open()
    for events in batches:
        projector.apply(batch_of(events))
    assert projector.stalled == {}
    digests, directory = digest_of(projector.connection), load_directory(projector.connection)
    projector.close()
    return digests, directory


def rebuilt(history: History, directory: Path) -> dict[str, str]:
    reader = LogReader(a_log_of(history, directory / "events.db"))
    projector = rebuild_beside(reader, directory / "rebuilt.db")
    assert projector.stalled == {}
    digests = digest_of(projector.connection)
    projector.close()
    reader.close()
    return digests


def split(events: list[RecordedEvent], sizes: list[int]) -> list[list[RecordedEvent]]:
    batches, start = [], 0
    for size in [*sizes, len(events)]:
        if start < len(events):
            batches.append(events[start : start + size])
            start += size
    return batches


def known_by(directory: Directory) -> dict[str, Any]:
    """Everything that the directory knows; an empty set says the same as none."""
    known = dict(vars(directory))
    for name in ("_present", "_rooms_of"):
        known[name] = {key: members for key, members in known[name].items() if members}
    return known


@as_often_as_files_allow
@given(history=histories(), sizes=st.lists(st.integers(1, 20), max_size=20))
def test_the_same_events_give_the_same_read_models(history: History, sizes: list[int]) -> None:
    """However the events come in batches, one by one, or all anew from the log: every table is the same."""
    with TemporaryDirectory() as name:
        aside = Path(name)
        one_by_one, _ = projected(aside / "one.db", [[event] for event in history.events])
        in_batches, _ = projected(aside / "many.db", split(history.events, sizes))
        assert in_batches == one_by_one
        assert rebuilt(history, aside) == one_by_one


@as_often_as_files_allow
@given(history=histories())
def test_a_start_knows_what_was_known_before_it(history: History) -> None:
    """The directory loaded from the read models is the one that had taken in every event."""
    kept = Directory()
    for recorded in history.events:
        apply(kept, recorded)
    with TemporaryDirectory() as name:
        _, loaded = projected(Path(name) / "campfire.db", [history.events])
    assert known_by(loaded) == known_by(kept)
