"""The tables of `outbox.db`: as they were at first, and every step since."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS cursor (  -- one row: how far the log has been turned into deliveries
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    position INTEGER NOT NULL,
    chain    BLOB    NOT NULL,
    epoch    TEXT    NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS endpoints (
    id                     TEXT    PRIMARY KEY,
    url                    TEXT    NOT NULL,
    events                 TEXT    NOT NULL,           -- JSON array of event types
    rooms                  TEXT,                       -- JSON array; NULL means every room
    sealed_secret          TEXT    NOT NULL,
    previous_sealed_secret TEXT,
    previous_valid_until   INTEGER,
    state                  TEXT    NOT NULL DEFAULT 'active',  -- active, disabled, deleted
    disabled_reason        TEXT,
    concurrency            INTEGER NOT NULL DEFAULT 1, -- deliveries in flight at once
    created_position       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS deliveries (
    id              TEXT    PRIMARY KEY,               -- the webhook-id, the same on every attempt
    endpoint_id     TEXT    NOT NULL,
    position        INTEGER NOT NULL,                  -- of the event in the log
    event_type      TEXT    NOT NULL,
    message_id      TEXT,                              -- whose text the payload holds
    withdrawn       INTEGER NOT NULL DEFAULT 0,        -- its webhook or message was deleted while it was being sent
    payload         BLOB,                              -- NULL once delivered or cancelled
    state           TEXT    NOT NULL DEFAULT 'pending', -- pending, sending, delivered, dead, cancelled
    attempts        INTEGER NOT NULL DEFAULT 0,
    round           INTEGER NOT NULL DEFAULT 0,        -- attempts since planned or last replayed
    next_attempt_at INTEGER NOT NULL,                  -- milliseconds
    planned_at      INTEGER NOT NULL,
    finished_at     INTEGER,
    failure_class   TEXT,
    failure         TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (endpoint_id, next_attempt_at, position)
    WHERE state = 'pending';
-- One for each state: a query for one of two states does not find an index of both.
DROP INDEX IF EXISTS deliveries_unfinished;
CREATE INDEX IF NOT EXISTS deliveries_sending ON deliveries (endpoint_id) WHERE state = 'sending';
CREATE INDEX IF NOT EXISTS deliveries_dead ON deliveries (finished_at, position) WHERE state = 'dead';
CREATE INDEX IF NOT EXISTS deliveries_of_endpoint ON deliveries (endpoint_id, position);
CREATE INDEX IF NOT EXISTS deliveries_of_message ON deliveries (message_id) WHERE message_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS attempts (
    delivery_id   TEXT    NOT NULL,
    number        INTEGER NOT NULL,
    started_at    INTEGER NOT NULL,
    ended_at      INTEGER NOT NULL,
    failure_class TEXT,                                -- NULL for success
    status        INTEGER,                             -- of the HTTP response, if there was one
    detail        TEXT    NOT NULL,
    excerpt       BLOB,                                -- the beginning of the response
    PRIMARY KEY (delivery_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS breakers (
    endpoint_id TEXT    PRIMARY KEY,
    failures    INTEGER NOT NULL,                      -- in a row
    opened_at   INTEGER                                -- milliseconds; NULL while closed
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS replays (
    id       TEXT    PRIMARY KEY,
    at       INTEGER NOT NULL,
    replayed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS worker (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    pid      INTEGER NOT NULL,
    alive_at INTEGER NOT NULL
) STRICT;
"""

MIGRATIONS: tuple[str, ...] = (
    # 1: bots are endpoints of their own kind, and what they answered waits here until the server has taken it.
    """
ALTER TABLE endpoints ADD COLUMN kind TEXT NOT NULL DEFAULT 'webhook';  -- webhook, bot
ALTER TABLE endpoints ADD COLUMN name TEXT;                             -- of a bot

CREATE TABLE answers (
    id          TEXT    PRIMARY KEY,              -- the delivery and the number of the attempt
    delivery_id TEXT    NOT NULL,
    bot_id      TEXT    NOT NULL,
    message_id  TEXT    NOT NULL,                 -- what the bot was called by
    file_name   TEXT,                             -- NULL for a text
    body        BLOB,                             -- NULL once posted or dropped
    state       TEXT    NOT NULL DEFAULT 'waiting', -- waiting, posted, dropped
    reason      TEXT,                             -- why it was dropped
    answered_at INTEGER NOT NULL,                 -- milliseconds
    finished_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX answers_waiting ON answers (answered_at, id) WHERE state = 'waiting';
CREATE INDEX answers_dropped ON answers (finished_at) WHERE state = 'dropped';
CREATE INDEX answers_of_delivery ON answers (delivery_id);
""",
)
"""Each leads from the version that is its index (`PRAGMA user_version`) to the next; `SCHEMA` is version 0."""
