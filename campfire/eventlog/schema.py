"""The tables of `events.db`."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    position        INTEGER PRIMARY KEY,  -- explicit: VACUUM may renumber a plain rowid
    stream_id       BLOB    NOT NULL,     -- the UUID's 16 bytes
    version         INTEGER NOT NULL,
    topic           TEXT    NOT NULL,
    state           BLOB    NOT NULL,
    recorded_at     INTEGER NOT NULL,     -- milliseconds since the epoch, never decreasing
    scrubbed_digest BLOB,                 -- SHA-256 of the state that a scrub replaced, else NULL
    chain           BLOB    NOT NULL
) STRICT;

CREATE UNIQUE INDEX IF NOT EXISTS events_by_stream ON events (stream_id, version);

CREATE TABLE IF NOT EXISTS log_info (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TRIGGER IF NOT EXISTS events_refuse_update BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'the log is append-only: events are never changed');
END;

CREATE TRIGGER IF NOT EXISTS events_refuse_delete BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'the log is append-only: events are never deleted');
END;
"""

INSERT = "INSERT INTO events (position, stream_id, version, topic, state, recorded_at, chain)"
