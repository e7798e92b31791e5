"""The tables of `outbox.db` that pushes need. No text of a message, no address and no key is ever in them."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS push_devices (  -- subscribed as far as the log has been followed
    id      TEXT PRIMARY KEY,
    service TEXT NOT NULL                 -- the push service's host
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS pushes (  -- what devices may have to be told of
    position        INTEGER PRIMARY KEY,  -- of the event in the log
    message_id      TEXT,                 -- NULL for a test
    subscription_id TEXT,                 -- of a test
    room_id         TEXT,
    state           TEXT    NOT NULL DEFAULT 'waiting',  -- waiting, planned, dropped
    expires_at      INTEGER NOT NULL,     -- milliseconds, as all times
    planned_at      INTEGER NOT NULL,
    finished_at     INTEGER,
    reason          TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS pushes_waiting ON pushes (expires_at, position) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS pushes_waiting_in_room ON pushes (room_id) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS pushes_finished ON pushes (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS push_deliveries (  -- one device told of one thing
    id              TEXT    PRIMARY KEY,
    position        INTEGER NOT NULL,
    message_id      TEXT,
    subscription_id TEXT    NOT NULL,
    service         TEXT    NOT NULL,     -- the push service's host
    room_id         TEXT,
    state           TEXT    NOT NULL DEFAULT 'pending',  -- pending, sending, delivered, dropped
    attempts        INTEGER NOT NULL DEFAULT 0,
    largest         INTEGER NOT NULL,     -- bytes of payload that the service is believed to take
    next_attempt_at INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    planned_at      INTEGER NOT NULL,     -- if it took another one's place: when that one was
    finished_at     INTEGER,
    reason          TEXT                  -- why it was dropped
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS push_deliveries_due ON push_deliveries (next_attempt_at, position) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS push_deliveries_sending ON push_deliveries (id) WHERE state = 'sending';
CREATE INDEX IF NOT EXISTS push_deliveries_finished ON push_deliveries (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS push_deliveries_of_device ON push_deliveries (subscription_id, room_id)
    WHERE state IN ('pending', 'sending');

CREATE TABLE IF NOT EXISTS push_attempts (
    delivery_id   TEXT    NOT NULL,
    number        INTEGER NOT NULL,
    started_at    INTEGER NOT NULL,
    ended_at      INTEGER NOT NULL,
    failure_class TEXT,                   -- NULL for success
    status        INTEGER,
    detail        TEXT    NOT NULL,
    PRIMARY KEY (delivery_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS push_refusals (  -- devices whose service does not take our key (401, 403)
    subscription_id TEXT    PRIMARY KEY,
    service         TEXT    NOT NULL,
    status          INTEGER NOT NULL,
    refused_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS push_services (
    service   TEXT    PRIMARY KEY,
    failures  INTEGER NOT NULL,           -- of the breaker
    opened_at INTEGER,
    refusals  INTEGER NOT NULL,           -- devices in a row that it refused our key for
    stopped_at INTEGER                    -- so many that nothing more is sent there for a while
) STRICT, WITHOUT ROWID;
"""
