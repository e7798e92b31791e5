"""What the state machine runs on: a real server, its model, and the means to ask the one and to tell the other."""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from hypothesis.stateful import RuleBasedStateMachine

from access_support import model as chat
from access_support.checks import Checks
from access_support.following import Follower, Transport
from access_support.model import OK, Model
from access_support.world import Person as Caller
from access_support.world import Reply, World, open_world

Result = TypeVar("Result")
Become = Callable[[chat.Person], str]
"""What becomes of a command in the model, for whoever gave it: `ok` or the code of the refusal."""

LIVE_TRANSPORTS: dict[str, Transport] = {
    "ada": "websocket",
    "bob": "event_source",
    "cyd": "websocket",
    "dan": "event_source",
}
"""By which each follows the feed as long as they are signed in."""


class ServerMachine(RuleBasedStateMachine):
    """Hypothesis runs rules one after the other, and between them the server stands still."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.data = Path(tempfile.mkdtemp(prefix="campfire-machine-"))
        self.model = Model()
        self.callers: dict[str, Caller] = {}
        self.live: dict[str, Follower] = {}
        self.names = 0
        self.server = AsyncExitStack()
        self.world: World
        self._run(self._open())

    def teardown(self) -> None:
        try:
            if self.model.people and sys.exc_info()[0] is None:
                self._run(self._checks().everything())
        finally:
            self._run(self._close())
            self.loop.close()
            shutil.rmtree(self.data)

    def _restart(self, *, without_read_models: bool) -> None:
        self._run(self._close())
        if without_read_models:
            for path in self.data.glob("data/campfire.db*"):
                path.unlink()
        self.server = AsyncExitStack()
        self._run(self._open())
        for who, person in self.model.people.items():
            if person.is_signed_in:
                person.heard = []
                self._listen(who)

    def _checks(self) -> Checks:
        return Checks(self.world, self.model, self.callers, self.live)

    def _text(self, mentioned: str | None) -> str:
        """Each says a word that nobody has said before, and one that everybody says."""
        name = self.model.people[mentioned].name if mentioned in self.model.people else ""
        return f"common {self._name('word')} @{name} hello" if name else f"common {self._name('word')}"

    def _name(self, kind: str) -> str:
        self.names += 1
        return f"{kind}{self.names}x"

    def _sign_in(self, who: str) -> None:
        person = self.model.people[who]
        if person.status == "active":
            self.callers[who] = self._run(self.world.second_session(self.callers[who]))
            person.is_signed_in = True
            self._listen(who)

    def _arrive(self, who: str) -> None:
        caller = self._run(self.world.person(who))
        self.callers[who] = caller
        self.model.arrive(chat.Person(who, caller.id, who, is_administrator=who == "ada"))
        self._listen(who)

    def _is_signed_in(self, who: str, reply: Reply) -> bool:
        return self._expect(who, reply, lambda person: OK if person.is_signed_in else "SESSION_EXPIRED")

    def _call(self, who: str, method: str, path: str, body: Any = None) -> Reply:
        """Somebody who has not arrived yet has no token."""
        token = self.callers[who].token if who in self.callers else None
        return self._run(self.world.send(method, path, body, token=token))

    def _expect(self, who: str, reply: Reply, become: Become) -> bool:
        """Compare the answer with what becomes of the command in the model; True if it was done."""
        person = self.model.people.get(who)
        expected = "AUTHENTICATION_REQUIRED" if person is None else become(person)
        assert reply.outcome == expected, f"{who} was answered {reply.outcome}, not {expected}"
        return bool(expected == OK)

    def _listen(self, who: str) -> None:
        transport, token = LIVE_TRANSPORTS[who], self.callers[who].token
        self.live[who] = self._run(Follower.present(self.world, token, transport))

    async def _silence(self, who: str) -> None:
        """The end of a session has ended what followed by it."""
        follower = self.live.pop(who, None)
        if follower is not None:
            assert await follower.end() in ("4401", "eof")
            await follower.close()

    async def _open(self) -> None:
        self.world = await self.server.enter_async_context(open_world(self.data / "data"))

    async def _close(self) -> None:
        for follower in self.live.values():
            await follower.close()
        self.live.clear()
        await self.server.aclose()

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.loop.run_until_complete(work)
