"""Link previews by message and by id."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from campfire.domain.events import LinkPreview, PreviewImage
from projections.read_models import ReadModels

_COLUMNS = "id, link, url, title, description, site_name, digest, width, height"


class PreviewRow(msgspec.Struct, frozen=True):
    """A preview, and the room of its message."""

    preview: LinkPreview
    room_id: str


async def of_messages(read_models: ReadModels, message_ids: Collection[str]) -> dict[str, list[LinkPreview]]:
    """The previews of these messages, in their order."""
    marks = ",".join("?" * len(message_ids))
    found: dict[str, list[LinkPreview]] = {}
    for message_id, *row in await read_models.rows(
        f"SELECT message_id, {_COLUMNS} FROM link_previews INDEXED BY link_previews_of_message"
        f" WHERE message_id IN ({marks}) ORDER BY message_id, place",
        tuple(message_ids),
    ):
        found.setdefault(message_id, []).append(_preview(row))
    return found


async def by_id(read_models: ReadModels, preview_id: str) -> PreviewRow | None:
    """One preview, if its message still shows it."""
    rows = await read_models.rows(f"SELECT room_id, {_COLUMNS} FROM link_previews WHERE id = ?", (preview_id,))
    return PreviewRow(_preview(rows[0][1:]), rows[0][0]) if rows else None


def _preview(row: Sequence[Any]) -> LinkPreview:
    preview_id, link, url, title, description, site_name, digest, width, height = row
    return LinkPreview(
        id=preview_id,
        link=link,
        url=url,
        title=title,
        description=description,
        site_name=site_name,
        image=None if digest is None else PreviewImage(digest, width, height),
    )
