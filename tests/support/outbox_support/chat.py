"""A chat with an administrator and a room, straight on the engine, for whoever needs events in a log."""

from campfire.domain.accounts import NewPerson, NewSession, decide_setup
from campfire.domain.events import MessagePosted
from campfire.domain.messages import decide_post
from campfire.domain.rooms import decide_create_room
from campfire.domain.webhooks import decide_create_webhook
from campfire.engine import Engine

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="


class Chat:
    """One person who talks in one room."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.user_id = engine.new_id()
        self.room_id = engine.new_id()
        self._count = 0
        self._closed = False

    async def close(self) -> None:
        """Let go of the data directory, once."""
        if not self._closed:
            self._closed = True
            await self.engine.close()

    async def found(self) -> None:
        engine = self.engine
        person = NewPerson(user_id=self.user_id, name="Ann", email="ann@example.com", password_hash="-")
        session = NewSession(session_id=engine.new_id(), token_hash="-", expires_at=1 << 50)
        await engine.perform(
            lambda: decide_setup(
                engine.directory,
                account_name="Acme",
                person=person,
                session=session,
                room_id=self.room_id,
                join_code="abcd-efgh-ijkl",
                at=engine.clock.now_ms(),
            )
        )

    async def add_webhook(self, url: str, *events: str, rooms: list[str] | None = None) -> str:
        """Subscribe `url`; return the webhook's id. Its secret is `SECRET`."""
        engine, webhook_id = self.engine, self.engine.new_id()
        sealed = engine.sealer.seal(SECRET)
        await engine.perform(
            lambda: decide_create_webhook(
                engine.directory,
                webhook_id=webhook_id,
                url=url,
                events=events or ("message.posted",),
                rooms=rooms,
                sealed_secret=sealed,
                actor_id=self.user_id,
                at=engine.clock.now_ms(),
            )
        )
        return webhook_id

    async def add_room(self, name: str) -> str:
        """Open a room; return its id."""
        engine, room_id = self.engine, self.engine.new_id()
        await engine.perform(
            lambda: decide_create_room(
                engine.directory,
                room_id=room_id,
                name=name,
                kind="open",
                members=[],
                actor_id=self.user_id,
                at=engine.clock.now_ms(),
            )
        )
        return room_id

    async def post(self, body: str, room_id: str | None = None) -> MessagePosted:
        """Say something, in the first room or another."""
        self._count += 1
        [recorded] = await self.engine.append(
            decide_post(
                self.engine.directory,
                room_id=room_id or self.room_id,
                author_id=self.user_id,
                body=body,
                client_message_id=str(self._count),
                at=self.engine.clock.now_ms(),
            )
        )
        assert isinstance(recorded.event, MessagePosted)
        return recorded.event
