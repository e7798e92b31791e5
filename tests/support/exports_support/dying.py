"""An import that is interrupted."""

from campfire.admin_exports import Offline
from campfire.engine import Engine
from campfire.exports.steps import Done, Step


class Died(Exception):
    """What a kill is to a test."""


class Dying(Offline):
    """Takes so many steps, and no more."""

    def __init__(self, engine: Engine, steps: int) -> None:
        super().__init__(engine)
        self._left = steps

    async def take(self, step: Step) -> Done:
        if not self._left:
            raise Died
        self._left -= 1
        return await super().take(step)
