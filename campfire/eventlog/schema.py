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

-- A scrub, which says so in log_info for the length of its transaction, may put a tombstone in the place of
-- a state, once, keeping the digest of what was there. Nothing else about an event ever changes.
CREATE TRIGGER IF NOT EXISTS events_change_by_scrub_only BEFORE UPDATE ON events
WHEN NOT EXISTS (SELECT 1 FROM log_info WHERE name = 'scrubbing')
    OR OLD.scrubbed_digest IS NOT NULL OR NEW.scrubbed_digest IS NULL
    OR NEW.position IS NOT OLD.position OR NEW.stream_id IS NOT OLD.stream_id OR NEW.version IS NOT OLD.version
    OR NEW.topic IS NOT OLD.topic OR NEW.recorded_at IS NOT OLD.recorded_at OR NEW.chain IS NOT OLD.chain
BEGIN
    SELECT RAISE(ABORT, 'the log is append-only: events are never changed');
END;

DROP TRIGGER IF EXISTS events_refuse_update;  -- of logs that were begun before there were scrubs

CREATE TRIGGER IF NOT EXISTS events_refuse_delete BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'the log is append-only: events are never deleted');
END;
"""

INSERT = "INSERT INTO events (position, stream_id, version, topic, state, recorded_at, chain)"
SCRUB = "UPDATE events SET state = ?, scrubbed_digest = ? WHERE position = ?"
BEGIN_SCRUB = "INSERT INTO log_info (name, value) VALUES ('scrubbing', '')"
END_SCRUB = "DELETE FROM log_info WHERE name = 'scrubbing'"
