"""Read models whose quick answers never come in time."""

from collections.abc import Iterable
from typing import Any

from projections.queries.search import SECONDS
from projections.read_models import ReadModels


class Impatient(ReadModels):
    """Answers only what may take as long as a search at most may."""

    def __init__(self, behind: ReadModels) -> None:
        self._behind = behind

    async def rows(self, statement: str, parameters: Iterable[Any] = (), *, seconds: float | None = None) -> list[Any]:
        if seconds is not None and seconds < SECONDS:
            raise TimeoutError
        return await self._behind.rows(statement, parameters, seconds=seconds)
