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
    state                  TEXT    NOT NULL DEFAULT 'active',  -- active, paused, disabled, deleted
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
    # 2: endpoints with settings, a stream of their own, a cursor and a health; ordering; a lease; what is to be told.
    """
ALTER TABLE endpoints ADD COLUMN filter TEXT NOT NULL DEFAULT '[]';      -- JSON array of conditions
ALTER TABLE endpoints ADD COLUMN timeout REAL;                           -- seconds; NULL: the server's
ALTER TABLE endpoints ADD COLUMN rate REAL;                              -- deliveries a second; NULL: no limit
ALTER TABLE endpoints ADD COLUMN ordering TEXT NOT NULL DEFAULT 'room';  -- none, room, endpoint
ALTER TABLE endpoints ADD COLUMN catch_up TEXT NOT NULL DEFAULT 'everything'; -- everything, latest, skip
ALTER TABLE endpoints ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;    -- the last that a delivery was given
ALTER TABLE endpoints ADD COLUMN cursor INTEGER;      -- planned up to here; NULL: it follows the outbox's own cursor
ALTER TABLE endpoints ADD COLUMN leap_from INTEGER;   -- a cursor that has come this far goes on at leap_to
ALTER TABLE endpoints ADD COLUMN leap_to INTEGER;
ALTER TABLE endpoints ADD COLUMN latest_upto INTEGER; -- of what is planned up to here only the last of each room
ALTER TABLE endpoints ADD COLUMN failing_since INTEGER;  -- the first failure since the last success
ALTER TABLE endpoints ADD COLUMN last_failure_at INTEGER;
ALTER TABLE endpoints ADD COLUMN steady_since INTEGER;   -- the first of those failures that came without a long pause
ALTER TABLE endpoints ADD COLUMN reported TEXT;          -- the last report of it that is not over: failing, disabled

-- JSON array of [sealed secret, milliseconds until which it signs, or null], newest first; a bot's is its token.
ALTER TABLE endpoints ADD COLUMN secrets TEXT NOT NULL DEFAULT '[]';
UPDATE endpoints SET secrets = CASE
    WHEN previous_sealed_secret IS NOT NULL THEN json_array(
        json_array(sealed_secret, NULL), json_array(previous_sealed_secret, previous_valid_until))
    WHEN sealed_secret <> '' THEN json_array(json_array(sealed_secret, NULL))
    ELSE '[]' END;
ALTER TABLE endpoints DROP COLUMN sealed_secret;
ALTER TABLE endpoints DROP COLUMN previous_sealed_secret;
ALTER TABLE endpoints DROP COLUMN previous_valid_until;
UPDATE endpoints SET ordering = 'none' WHERE kind = 'bot';  -- one who thinks for long keeps nobody waiting

ALTER TABLE deliveries ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;   -- its place in the endpoint's stream, from 1
ALTER TABLE deliveries ADD COLUMN room_id TEXT;
ALTER TABLE deliveries ADD COLUMN cause TEXT NOT NULL DEFAULT 'live';    -- live, history, test, call
ALTER TABLE deliveries ADD COLUMN hops INTEGER NOT NULL DEFAULT 0;       -- from what people did; 0: they did it
ALTER TABLE deliveries ADD COLUMN first_tried_at INTEGER;                -- in this round
ALTER TABLE deliveries ADD COLUMN parked_at INTEGER;                     -- since when nothing waits for it any more
ALTER TABLE deliveries ADD COLUMN is_last INTEGER NOT NULL DEFAULT 0;    -- cancelled while it was being sent

-- Bodies are rendered from the log when they are sent; what rendering and withdrawing need was only in them.
UPDATE deliveries SET cause = CASE event_type WHEN 'webhook.tested' THEN 'test' WHEN 'bot.called' THEN 'call'
    ELSE 'live' END;
UPDATE deliveries SET room_id = CASE cause
    WHEN 'call' THEN json_extract(CAST(payload AS TEXT), '$.campfire.room_id')
    ELSE COALESCE(json_extract(CAST(payload AS TEXT), '$.data.room_id'), room_id) END
    WHERE json_valid(CAST(payload AS TEXT));
UPDATE deliveries SET message_id = json_extract(CAST(payload AS TEXT), '$.data.id')
    WHERE event_type = 'message.previewed' AND json_valid(CAST(payload AS TEXT));
UPDATE deliveries SET is_last = 1 WHERE withdrawn AND state = 'sending';
UPDATE deliveries SET withdrawn = 1 WHERE failure = 'the message was deleted';
ALTER TABLE deliveries DROP COLUMN payload;

UPDATE deliveries SET sequence = numbered.sequence FROM (
    SELECT id, ROW_NUMBER() OVER (PARTITION BY endpoint_id ORDER BY position) AS sequence FROM deliveries
) AS numbered WHERE numbered.id = deliveries.id;
UPDATE endpoints SET sequence = (SELECT COALESCE(MAX(sequence), 0) FROM deliveries WHERE endpoint_id = endpoints.id);
CREATE UNIQUE INDEX deliveries_by_sequence ON deliveries (endpoint_id, sequence);
-- A delivery that waits for an earlier one of its room or endpoint is queued, and pending once it is its turn.
UPDATE deliveries SET state = 'queued' FROM (
    SELECT deliveries.id, ROW_NUMBER() OVER (
        PARTITION BY endpoint_id, room_id ORDER BY deliveries.state = 'sending' DESC, position
    ) AS place
    FROM deliveries JOIN endpoints ON endpoints.id = endpoint_id
    WHERE deliveries.state IN ('pending', 'sending') AND kind = 'webhook'
) AS lined WHERE lined.id = deliveries.id AND lined.place > 1 AND deliveries.state = 'pending';
CREATE INDEX deliveries_queued ON deliveries (endpoint_id, room_id, position) WHERE state = 'queued';
CREATE INDEX deliveries_queued_in_all ON deliveries (endpoint_id, position) WHERE state = 'queued';
CREATE INDEX deliveries_heads ON deliveries (endpoint_id, room_id)
    WHERE state IN ('pending', 'sending') AND parked_at IS NULL;
CREATE INDEX deliveries_tried ON deliveries (endpoint_id, first_tried_at)
    WHERE state = 'pending' AND parked_at IS NULL AND first_tried_at IS NOT NULL;
CREATE INDEX deliveries_parked ON deliveries (endpoint_id, sequence)
    WHERE state IN ('pending', 'sending') AND parked_at IS NOT NULL;
-- Dead letters are counted and chosen by endpoint without a look at their rows.
CREATE INDEX deliveries_dead_of ON deliveries (endpoint_id, finished_at, position, failure_class, sequence)
    WHERE state = 'dead';

ALTER TABLE attempts ADD COLUMN tries INTEGER NOT NULL DEFAULT 1;        -- at the network, within the attempt
ALTER TABLE attempts ADD COLUMN peer TEXT;                               -- the address that was connected to
ALTER TABLE attempts ADD COLUMN resolve_ms REAL;                         -- NULL: no new connection was needed
ALTER TABLE attempts ADD COLUMN connect_ms REAL;                         -- TLS included
ALTER TABLE attempts ADD COLUMN first_byte_ms REAL;                      -- from the request sent to the response's head
ALTER TABLE attempts ADD COLUMN body_ms REAL;
ALTER TABLE attempts ADD COLUMN bytes_read INTEGER;
CREATE INDEX attempts_ended ON attempts (ended_at);
CREATE INDEX answers_finished ON answers (finished_at) WHERE finished_at IS NOT NULL;

ALTER TABLE worker ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;          -- grows with each holder: the fence
ALTER TABLE worker ADD COLUMN holder TEXT;                               -- a random name; NULL: nobody's
ALTER TABLE worker ADD COLUMN namespace TEXT;                           -- within which its pid means something
ALTER TABLE worker ADD COLUMN boot_id TEXT;                             -- of the machine's run that expires counts in
ALTER TABLE worker ADD COLUMN started REAL;                              -- of the process, against a pid used again
ALTER TABLE worker ADD COLUMN expires REAL;                              -- seconds on the machine's monotonic clock

CREATE TABLE reports (          -- what the server is to be told of endpoints, until it has taken it
    id          TEXT    PRIMARY KEY,
    endpoint_id TEXT    NOT NULL,
    kind        TEXT    NOT NULL,                   -- failing, disabled, recovered
    reason      TEXT,                               -- of disabled: gone, asked, failing
    since       INTEGER NOT NULL,                   -- milliseconds
    at          INTEGER NOT NULL,
    detail      TEXT    NOT NULL,
    state       TEXT    NOT NULL DEFAULT 'waiting'  -- waiting, taken, dropped
) STRICT, WITHOUT ROWID;
CREATE INDEX reports_waiting ON reports (at, id) WHERE state = 'waiting';
CREATE INDEX reports_over ON reports (at) WHERE state <> 'waiting';
CREATE INDEX reports_of_endpoint ON reports (endpoint_id, at);

CREATE TABLE moves (            -- of endpoints' cursors, by what asked for them
    id          TEXT    PRIMARY KEY,
    endpoint_id TEXT    NOT NULL,
    after       INTEGER NOT NULL,
    until       INTEGER NOT NULL,
    at          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
""",
)
"""Each leads from the version that is its index (`PRAGMA user_version`) to the next; `SCHEMA` is version 0."""
