"""The suites that the eventsourcing library ships for recorders, run against ours."""

import tempfile
from pathlib import Path
from typing import Any
from uuid import uuid4

from eventsourcing.persistence import ApplicationRecorder
from eventsourcing.tests.persistence import (
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
)

from campfire.eventlog.recorder import SQLiteLogRecorder


class OnRealFiles:
    """Gives each of the library's test cases a log of its own."""

    INITIAL_VERSION = 1

    def setUp(self) -> None:
        self._directory = tempfile.TemporaryDirectory()
        self._recorders: list[SQLiteLogRecorder] = []

    def tearDown(self) -> None:
        for recorder in self._recorders:
            recorder.close()
        self._directory.cleanup()

    def create_recorder(self) -> SQLiteLogRecorder:
        recorder = SQLiteLogRecorder(Path(self._directory.name) / "events.db")
        self._recorders.append(recorder)
        return recorder

    def new_originator_id(self) -> Any:
        return uuid4()


class TestApplicationRecorder(OnRealFiles, ApplicationRecorderTestCase[ApplicationRecorder]):
    """The total order behaves as the library expects, also under concurrent writers."""

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestNonInterleaving(OnRealFiles, NonInterleavingNotificationIDsBaseCase):
    """Events inserted together stand together."""

    def new_originator_id(self) -> Any:
        return uuid4()


del ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase
