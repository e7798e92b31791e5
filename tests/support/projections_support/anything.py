"""Anything that can happen, in an order that makes sense, for property tests."""

from itertools import product

from hypothesis import strategies as st

from campfire.domain import events as happened
from campfire.domain import ids
from campfire.domain.events import Involvement
from projections_support.history import History

PEOPLE, ROOMS = 3, 2
_WORDS = st.text(alphabet="abcé ñΩ漢\u0301-_'\"*", min_size=1, max_size=12).filter(str.strip)
_STEP = st.tuples(st.integers(0, 30), st.integers(0, 5), st.integers(0, 5), _WORDS)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """People and rooms first, then up to sixty steps of every kind of event."""
    chat = _Chat()
    for kind, one, other, text in draw(st.lists(_STEP, max_size=60)):
        chat.steps[kind](one, other, text)
    return chat.history


class _Chat:
    """Turns numbers into something that may happen now; what may not, does not."""

    def __init__(self) -> None:
        self.history = History()
        self.history.record(ids.ACCOUNT_STREAM, happened.AccountCreated(at=1, name="Acme", join_code="come-in"))
        self.people = [self.history.person(name) for name in ("Ada", "Bob", "Cy")]
        self.rooms = [self.history.room(*self.people[:2]), self.history.room()]
        self.known = {(self.rooms[0], self.people[0]), (self.rooms[0], self.people[1])}
        self.gone: set[tuple[str, str]] = set()
        self.messages: list[tuple[str, str]] = []
        self.boosts: list[happened.BoostAdded] = []
        self.sessions: list[tuple[str, str]] = []
        self.webhooks: list[str] = []
        self.links: list[str] = []
        self.claimed = False
        self.has_push_key = False
        self.steps = (
            *[self.post] * 4,
            self.edit,
            *[self.mark] * 2,
            self.delete,
            self.join,
            self.leave,
            self.enter,
            self.exit,
            self.read,
            self.rename,
            self.change_room,
            self.involve,
            *[self.change_person] * 2,
            self.claim_email,
            self.upload_or_picture,
            self.search,
            self.change_account,
            self.link,
            self.set_password,
            self.sign_in_or_out,
            self.make_webhook,
            self.change_webhook,
            self.import_or_reset,
            self.preview,
            self.change_bot,
            self.push,
        )

    def post(self, one: int, other: int, text: str) -> None:
        room_id = self.rooms[one % ROOMS]
        # Times that repeat and go back, as an import of old messages makes them.
        mentions = (happened.Mention(self.people[one % PEOPLE], 0, len(text)),) if other % 2 else ()
        first = self.messages[0][1] if self.messages and one % 3 == 0 else None
        files = (self.upload(other, text),) if one % 4 == 1 else ()
        message_id = self.history.post(
            room_id,
            self.people[other % PEOPLE],
            text,
            at=1_000 + other,
            mentions=mentions,
            reply_to=first,
            attachments=files,
        )
        for file in files:
            used = happened.UploadAttached(at=21, attachment_id=file.id, message_id=message_id, room_id=room_id)
            self.history.record(file.id, used)
        self.messages.append((room_id, message_id))

    def upload(self, other: int, text: str) -> happened.Attachment:
        kind: happened.AttachmentKind = "image" if other % 2 else "file"
        file = happened.Attachment(
            id=self.history.new_id(), digest=f"{other:064x}", name=text, media_type="image/png", kind=kind, size=other
        )
        finished = happened.UploadFinished(at=20, user_id=self.people[other % PEOPLE], attachment=file)
        self.history.record(file.id, finished)
        return file

    def upload_or_picture(self, one: int, other: int, text: str) -> None:
        """An upload that nobody uses, perhaps given up; and pictures of people and of the account."""
        digest = f"{one:064x}" if one % 2 else None
        user_id = self.people[other % PEOPLE]
        self.history.record(user_id, happened.AvatarSet(at=22, user_id=user_id, by=user_id, digest=digest))
        self.history.record(ids.ACCOUNT_STREAM, happened.LogoSet(at=22, by=user_id, digest=digest))
        file = self.upload(other, text)
        if one % 3 == 0:
            self.history.record(file.id, happened.UploadDiscarded(at=23, attachment_id=file.id))

    def search(self, one: int, other: int, text: str) -> None:
        user_id = self.people[other % PEOPLE]
        event: happened.Event = happened.SearchRemembered(at=24, user_id=user_id, text=text)
        if one % 4 == 0:
            event = happened.SearchesForgotten(at=24, user_id=user_id)
        self.history.record(ids.searches_stream(user_id), event)

    def edit(self, one: int, other: int, text: str) -> None:
        if self.messages:
            mentions = (happened.Mention(self.people[one % PEOPLE], 0, len(text)),) if other % 2 else ()
            self.history.edit(*self.messages[one % len(self.messages)], text, mentions)

    def preview(self, one: int, other: int, text: str) -> None:
        """What a message's links lead to, or that nobody wants to know."""
        if not self.messages:
            return
        room_id, message_id = self.messages[one % len(self.messages)]
        place = {"at": 25, "message_id": message_id, "room_id": room_id}
        image = happened.PreviewImage(f"{other:064x}", 2, 1) if other % 2 else None
        previews = tuple(
            happened.LinkPreview(id=self.history.new_id(), link=link, url=link, title=text, image=image)
            for link in (text, f"https://{other}.example")[: one % 3]
        )
        event: happened.Event = happened.MessagePreviewed(**place, previews=previews)
        if other == 0:
            event = happened.MessagePreviewsRemoved(**place, by="Ada")
        self.history.record(message_id, event)

    def mark(self, one: int, other: int, text: str) -> None:
        """Boosts, pins, saved messages and read threads."""
        if not self.messages:
            return
        room_id, message_id = self.messages[one % len(self.messages)]
        user_id = self.people[other % PEOPLE]
        place = {"at": 20 + other, "message_id": message_id, "room_id": room_id}
        boost_id = self.history.new_id()
        if self.boosts and one % 2:
            gone = self.boosts.pop()
            removed = happened.BoostRemoved(
                at=gone.at, message_id=gone.message_id, room_id=gone.room_id, boost_id=gone.boost_id, by=gone.by
            )
            self.history.record(gone.boost_id, removed)
            return
        boost = happened.BoostAdded(**place, boost_id=boost_id, by=user_id, by_name="as it was", content=text)
        marks = (
            (boost_id, boost),
            (ids.pin_stream(message_id), happened.MessagePinned(**place, by=user_id)),
            (ids.pin_stream(message_id), happened.MessageUnpinned(**place, by=user_id)),
            (ids.saved_stream(message_id, user_id), happened.MessageSaved(**place, user_id=user_id)),
            (ids.saved_stream(message_id, user_id), happened.MessageUnsaved(**place, user_id=user_id)),
            (ids.thread_read_stream(message_id, user_id), self.thread_read(message_id, room_id, user_id, other)),
        )
        stream, event = marks[other % len(marks)]
        if event is boost:
            self.boosts.append(boost)
        self.history.record(stream, event)

    def thread_read(self, message_id: str, room_id: str, user_id: str, back: int) -> happened.ThreadRead:
        position = max(1, self.history.position - back)
        return happened.ThreadRead(at=20, thread_id=message_id, room_id=room_id, user_id=user_id, position=position)

    def delete(self, one: int, other: int, _text: str) -> None:
        if self.messages:
            room_id, message_id = self.messages.pop(one % len(self.messages))
            self.history.delete(room_id, message_id)
            if other % 2:
                tombstones = (happened.Tombstone(self.history.position, "ab" * 32),)
                scrubbed = happened.MessageScrubbed(
                    at=30, message_id=message_id, room_id=room_id, tombstones=tombstones
                )
                self.history.record(message_id, scrubbed)

    def join(self, one: int, other: int, _text: str) -> None:
        room_id, user_id = self.rooms[one % ROOMS], self.people[other % PEOPLE]
        self.history.join(room_id, user_id)
        self.known.add((room_id, user_id))
        self.gone.discard((room_id, user_id))

    def leave(self, one: int, other: int, _text: str) -> None:
        room_id, user_id = self.rooms[one % ROOMS], self.people[other % PEOPLE]
        if (room_id, user_id) in self.known:
            self.history.leave(room_id, user_id)
            self.gone.add((room_id, user_id))

    def inside(self, room_id: str, user_id: str) -> bool:
        return (room_id, user_id) in self.known - self.gone

    def enter(self, one: int, other: int, _text: str) -> None:
        room_id, user_id = self.rooms[one % ROOMS], self.people[other % PEOPLE]
        entered = happened.PresenceEntered(at=2, room_id=room_id, user_id=user_id)
        self.history.record(ids.presence_stream(room_id, user_id), entered)

    def exit(self, one: int, other: int, _text: str) -> None:
        room_id, user_id = self.rooms[one % ROOMS], self.people[other % PEOPLE]
        left = happened.PresenceLeft(at=3, room_id=room_id, user_id=user_id)
        self.history.record(ids.presence_stream(room_id, user_id), left)

    def read(self, one: int, other: int, _text: str) -> None:
        self.history.read(self.rooms[one % ROOMS], self.people[other % PEOPLE], max(1, self.history.position - other))

    def rename(self, one: int, _other: int, text: str) -> None:
        room_id = self.rooms[one % ROOMS]
        self.history.record(room_id, happened.RoomRenamed(at=4, room_id=room_id, name=text, by="Ada"))

    def change_room(self, one: int, other: int, _text: str) -> None:
        room_id = self.rooms[one % ROOMS]
        if one % 5 == 4:  # deleted, and there again, as only a direct room may be
            self.history.record(room_id, happened.RoomDeleted(at=5, room_id=room_id, by="Ada"))
            self.history.record(room_id, happened.RoomEmptied(at=5, room_id=room_id))
            again = happened.RoomCreated(
                at=6, room_id=room_id, name="again", kind="open", created_by="Ada", members=tuple(self.people[:1])
            )
            for user_id in self.people:
                self.leave(one, self.people.index(user_id), "")
            self.history.record(room_id, again)
            self.known.add((room_id, self.people[0]))
            self.gone.discard((room_id, self.people[0]))
            return
        changes = (
            happened.RoomArchived(at=5, room_id=room_id, by="Ada"),
            happened.RoomReopened(at=5, room_id=room_id, by="Ada"),
            happened.RoomKindChanged(at=5, room_id=room_id, kind="closed", by="Ada"),
            happened.RoomKindChanged(at=5, room_id=room_id, kind="open", by="Ada"),
        )
        self.history.record(room_id, changes[other % len(changes)])

    def involve(self, one: int, other: int, _text: str) -> None:
        room_id, user_id = self.rooms[0], self.people[one % PEOPLE]
        if self.inside(room_id, user_id):
            choices: tuple[Involvement, ...] = ("everything", "mentions", "nothing", "invisible")
            chosen = choices[other % len(choices)]
            involved = happened.InvolvementSet(at=5, room_id=room_id, user_id=user_id, involvement=chosen)
            self.history.record(ids.involvement_stream(room_id, user_id), involved)

    def set_password(self, one: int, _other: int, text: str) -> None:
        user_id = self.people[one % PEOPLE]
        self.history.record(user_id, happened.PasswordSet(at=6, user_id=user_id, password_hash=text))

    def change_person(self, one: int, other: int, text: str) -> None:
        user_id = self.people[one % PEOPLE]
        person = {"at": 16, "user_id": user_id}
        changes = (
            happened.ProfileChanged(**person, by=user_id, name=text, bio=text * 2),
            happened.RoleChanged(**person, by="Ada", role="administrator"),
            happened.EmailChanged(**person, email=f"{other}@example.org"),
            happened.UserDeactivated(**person, by="Ada"),
            happened.UserBanned(**person, by="Ada", addresses=("192.0.2.1", f"192.0.2.{other}")),
            happened.UserRemoved(**person, by="Ada"),
            happened.UserReactivated(**person, by="Ada"),
            happened.UserMessagesRemoved(**person),
        )
        self.history.record(user_id, changes[(one + other) % len(changes)])

    def claim_email(self, one: int, other: int, _text: str) -> None:
        """The same address in other letters, claimed and released in turn."""
        user_id, email = self.people[one % PEOPLE], "Grace@Example.org" if other % 2 else "grace@example.ORG"
        stream = ids.email_stream(email)
        if self.claimed:
            self.history.record(stream, happened.EmailReleased(at=17, email=email, user_id=user_id))
        else:
            self.history.record(stream, happened.EmailClaimed(at=17, email=email, user_id=user_id))
        self.claimed = not self.claimed

    def change_account(self, one: int, _other: int, text: str) -> None:
        changes = (
            happened.AccountChanged(at=18, by="Ada", name=text),
            happened.AccountExported(at=18, by="Ada"),
            happened.AccountChanged(at=18, by="Ada", custom_styles="", retention_days=one),
            happened.AccountChanged(at=18, by="Ada", rooms_by_administrators_only=bool(one % 2)),
            happened.JoinCodeRotated(at=18, by="Ada", join_code=text),
        )
        self.history.record(ids.ACCOUNT_STREAM, changes[one % len(changes)])

    def link(self, one: int, other: int, _text: str) -> None:
        if self.links and one % 2:
            link_id = self.links.pop()
            self.history.record(link_id, happened.SignInLinkUsed(at=19, link_id=link_id, user_id="whoever"))
            return
        link_id = self.history.new_id()
        made = happened.SignInLinkMade(
            at=19,
            link_id=link_id,
            user_id=self.people[other % PEOPLE],
            purpose="transfer",
            token_hash=f"hash of {link_id}",
            expires_at=99,
            by="Ada",
        )
        self.history.record(link_id, made)
        self.links.append(link_id)

    def sign_in_or_out(self, one: int, other: int, _text: str) -> None:
        if self.sessions and one % 2:
            session_id, user_id = self.sessions.pop()
            ended = happened.SessionEnded(at=8, session_id=session_id, user_id=user_id, reason="revoked")
            self.history.record(session_id, ended)
            return
        session_id, user_id = self.history.new_id(), self.people[other % PEOPLE]
        started = happened.SessionStarted(
            at=7, session_id=session_id, user_id=user_id, token_hash=f"hash of {session_id}", expires_at=9_999
        )
        self.history.record(session_id, started)
        self.sessions.append((session_id, user_id))

    def push(self, one: int, other: int, text: str) -> None:
        """A device that is told, is told elsewhere, or no more; also of a session that is over already."""
        if not self.has_push_key:
            self.has_push_key = True
            made = happened.PushKeyMade(at=25, public_key=text, sealed_private_key=text)
            self.history.record(ids.PUSH_KEY_STREAM, made)
        if not self.sessions:
            self.sign_in_or_out(0, other, text)
        session_id, user_id = self.sessions[one % len(self.sessions)]
        if one % 5 == 4:
            self.sign_in_or_out(1, other, text)
        subscription_id = ids.push_subscription_id(session_id)
        event: happened.Event = happened.PushSubscribed(
            at=25,
            subscription_id=subscription_id,
            user_id=user_id,
            session_id=session_id,
            service="push.example.org",
            endpoint_hash=f"{other:064x}",
            sealed=text,
        )
        if other % 3 == 2:
            event = happened.PushUnsubscribed(
                at=26, subscription_id=subscription_id, user_id=user_id, reason="unsubscribed"
            )
        self.history.record(subscription_id, event)

    def make_webhook(self, one: int, _other: int, text: str) -> None:
        webhook_id = self.history.new_id()
        created = happened.WebhookCreated(
            at=9,
            webhook_id=webhook_id,
            url="https://example.org",
            events=("message.posted",),
            rooms=None if one % 2 else tuple(self.rooms),
            sealed_secret=text,
            by=self.people[0],
            filter=(happened.Condition("body", "contains", text),) if one % 3 else (),
            settings=happened.EndpointSettings(rate=float(1 + one % 50), ordering="endpoint"),
            pull_key_hash=text,
        )
        self.history.record(webhook_id, created)
        self.webhooks.append(webhook_id)

    def change_webhook(self, one: int, other: int, text: str) -> None:
        if not self.webhooks:
            return
        webhook_id = self.webhooks[-1]
        changes = (
            happened.WebhookSecretRotated(
                at=10, webhook_id=webhook_id, sealed_secret=text, previous_valid_until=11, by="Ada"
            ),
            happened.WebhookTested(at=12, webhook_id=webhook_id, by="Ada"),
            happened.WebhookChanged(
                at=12,
                webhook_id=webhook_id,
                url=f"https://example.com/{one}",
                events=("message.edited",),
                rooms=None,
                by="Ada",
                settings=happened.EndpointSettings(timeout=float(1 + one % 20)),
            ),
            happened.WebhookPaused(at=12, webhook_id=webhook_id, by="Ada"),
            happened.WebhookResumed(at=12, webhook_id=webhook_id, catch_up="latest", by="Ada"),
            happened.WebhookDisabled(at=12, webhook_id=webhook_id, reason="gone", detail=text),
            happened.WebhookFailing(at=12, webhook_id=webhook_id, since=one, detail=text),
            happened.WebhookRecovered(at=12, webhook_id=webhook_id, since=one),
            happened.WebhookCursorMoved(at=12, webhook_id=webhook_id, move_id=text, after=one),
            happened.WebhookDeleted(at=13, webhook_id=webhook_id, by="Ada"),
        )
        change = changes[(one * 6 + other) % len(changes)]
        self.history.record(webhook_id, change)
        if isinstance(change, happened.WebhookDeleted):
            self.webhooks.remove(webhook_id)

    def change_bot(self, one: int, other: int, text: str) -> None:
        """Anybody may turn out to be a bot, since nothing here depends on the role."""
        bot_id = self.people[one % PEOPLE]
        bot = {"at": 25, "bot_id": bot_id, "by": "Ada"}
        changes = (
            happened.BotKeySet(**bot, token_hash=f"hash {self.history.new_id()}", sealed_token=text),
            happened.BotWebhookSet(**bot, url="https://bot.example.org" if one % 2 else None),
            happened.BotCommandsSet(**bot, commands=(happened.BotCommand("deploy", text),)),
        )
        self.history.record(bot_id, changes[other % len(changes)])

    def import_or_reset(self, one: int, other: int, text: str) -> None:
        if one % 2:
            self.history.record(ids.PRESENCE_RESET_STREAM, happened.PresenceReset(at=14))
        else:
            progressed = happened.ImportProgressed(at=15, source="irc", lines=other, digest=text)
            self.history.record(ids.import_stream("irc"), progressed)


def everything() -> History:
    """A history in which everything that can happen has happened, in many ways."""
    chat = _Chat()
    for one, other in product(range(6), range(6)):
        for step in (chat.involve, *dict.fromkeys(chat.steps)):  # first while somebody is still inside
            chat.post(one, other, "word")  # so that there is a message to do something to
            step(one, other, "word")
    return chat.history
