"""What can be wrong with the log."""


class LogDamaged(Exception):
    """The log does not hold what was written to it. `position` is the first that cannot be trusted."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"position {position}: {reason}")
        self.position = position
        self.reason = reason


class UnknownTopic(Exception):
    """An event's topic is not known here: a newer version wrote it, or it is not ours."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"unknown event topic {topic!r}; it was written by a newer version of Campfire")
        self.topic = topic


class VersionConflict(Exception):
    """Somebody else has already taken this version of the stream."""

    def __init__(self, stream_id: str, version: int) -> None:
        super().__init__(f"stream {stream_id} already has version {version}")
        self.stream_id = stream_id
        self.version = version


class FsyncFailed(Exception):
    """The disk would not confirm a commit; what it holds is unknown, so nothing may go on."""
