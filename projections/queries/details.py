"""What belongs to messages besides their own rows, for a page of them at once."""

from collections.abc import Collection
from typing import NamedTuple

import msgspec

from campfire.domain.boosts import BoostState
from campfire.domain.events import Attachment, LinkPreview
from projections.queries import attachments, link_previews
from projections.read_models import ReadModels


class MentionRow(NamedTuple):
    """Somebody mentioned, by their present name, with the characters of the body that do so."""

    user_id: str
    name: str
    start: int
    end: int


class BoostRow(NamedTuple):
    """A boost, with its giver's present name."""

    id: str
    by: str
    by_name: str
    content: str
    created_at: int


class ThreadRow(NamedTuple):
    """What a message began. `unread` as one reader sees it."""

    replies: int
    last_reply_at: int
    unread: int


class Details(msgspec.Struct, frozen=True):
    """By message id; a message without any is left out."""

    mentions: dict[str, list[MentionRow]]
    boosts: dict[str, list[BoostRow]]
    threads: dict[str, ThreadRow]
    saved: set[str]
    attachments: dict[str, list[Attachment]]
    link_previews: dict[str, list[LinkPreview]]


async def details_of(read_models: ReadModels, message_ids: Collection[str], user_id: str) -> Details:
    """Mentions, boosts and threads of these messages, and which of them `user_id` has saved."""
    if not message_ids:
        return Details({}, {}, {}, set(), {}, {})
    ids, marks = tuple(message_ids), ",".join("?" * len(message_ids))
    mentions: dict[str, list[MentionRow]] = {}
    for message_id, *row in await read_models.rows(
        "SELECT message_id, user_id, users.name, start, end FROM mentions JOIN users ON users.id = user_id"
        f" WHERE message_id IN ({marks}) ORDER BY message_id, start, user_id",
        ids,
    ):
        mentions.setdefault(message_id, []).append(MentionRow(*row))
    boosts: dict[str, list[BoostRow]] = {}
    for message_id, *row in await read_models.rows(
        "SELECT message_id, boosts.id, by, users.name, content, boosts.created_at"
        f" FROM boosts JOIN users ON users.id = by WHERE message_id IN ({marks}) ORDER BY message_id, boosts.position",
        ids,
    ):
        boosts.setdefault(message_id, []).append(BoostRow(*row))
    saved = await read_models.rows(
        f"SELECT message_id FROM saved_messages WHERE user_id = ? AND message_id IN ({marks})", (user_id, *ids)
    )
    threads = await read_models.rows(_THREADS.format(marks=marks), (user_id, user_id, *ids, user_id))
    return Details(
        mentions,
        boosts,
        {thread_id: ThreadRow(*row) for thread_id, *row in threads},
        {row[0] for row in saved},
        await attachments.of_messages(read_models, ids),
        await link_previews.of_messages(read_models, ids),
    )


# How far one has read is looked up once a thread; the replies are counted in the index alone.
_THREADS = """
WITH firsts AS MATERIALIZED (
    SELECT id, MAX(
        COALESCE((SELECT position FROM thread_reads WHERE thread_id = messages.id AND user_id = ?), 0),
        COALESCE((SELECT since_position FROM memberships
            WHERE memberships.room_id = messages.room_id AND user_id = ?), 0)
    ) AS read_upto
    FROM messages WHERE id IN ({marks})
)
SELECT firsts.id, COUNT(*), MAX(replies.created_at), SUM(replies.author_id <> ? AND replies.position > read_upto)
FROM firsts CROSS JOIN messages AS replies INDEXED BY messages_in_thread ON replies.thread_id = firsts.id
WHERE replies.deleted_at IS NULL
GROUP BY firsts.id
"""


async def thread_read_upto(read_models: ReadModels, thread_id: str, user_id: str) -> int:
    """The position up to which somebody has read a thread."""
    rows = await read_models.rows(
        "SELECT position FROM thread_reads WHERE thread_id = ? AND user_id = ?", (thread_id, user_id)
    )
    return int(rows[0][0]) if rows else 0


async def boost_at(read_models: ReadModels, position: int) -> BoostState | None:
    """The boost that was given at this position of the log."""
    rows = await read_models.rows("SELECT id, message_id, room_id, by FROM boosts WHERE position = ?", (position,))
    return BoostState(*rows[0]) if rows else None


async def boost_by_id(read_models: ReadModels, boost_id: str) -> BoostState | None:
    """What a decision about a boost needs."""
    rows = await read_models.rows("SELECT id, message_id, room_id, by FROM boosts WHERE id = ?", (boost_id,))
    return BoostState(*rows[0]) if rows else None
