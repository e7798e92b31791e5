"""What people have searched for."""

from projections.read_models import ReadModels


async def remembered(read_models: ReadModels, user_id: str) -> list[str]:
    """Somebody's last searches, the last first."""
    rows = await read_models.rows("SELECT text FROM searches WHERE user_id = ? ORDER BY position DESC", (user_id,))
    return [text for (text,) in rows]
