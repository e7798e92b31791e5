"""The state machine: what several people do to a real server, checked against the model after each step."""

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, initialize, invariant, multiple, rule

from access_support.model import OK, Message, Room
from access_support.server_machine import Become, ServerMachine

PEOPLE = ("ada", "bob", "cyd", "dan")
"""Ada administers. Dan comes later."""
_FAR = 1 << 40
_FEW_ROOMS = 3
"""Below which none is deleted, so that something goes on."""

people = st.sampled_from(PEOPLE)
others = st.sampled_from(PEOPLE[1:])
some = st.lists(people, max_size=3)
rarely = st.integers(0, 4).map(lambda number: number == 4)


class ChatMachine(ServerMachine):
    """Every rule is a command over HTTP; the model says what must come of it."""

    rooms: Bundle[Room] = Bundle("rooms")
    messages: Bundle[Message] = Bundle("messages")

    @initialize(target=rooms)
    def begin(self) -> MultipleResults[Room]:
        """Somebody has said something in an open room, a closed one and a direct one, and not everybody is in each."""
        self._arrive("ada")
        [first] = self.world.engine.directory.rooms.values()
        lobby = Room("room 0", first.id, "open", self.model.people["ada"], {self.model.people["ada"]})
        self.model.create(lobby)
        self._arrive("bob")
        self._arrive("cyd")
        den, direct = self.create_room("ada", "closed", ["bob"]), self.talk_directly("bob", ["cyd"])
        assert isinstance(den, Room) and isinstance(direct, Room)
        for room, who in ((lobby, "ada"), (den, "ada"), (direct, "cyd")):
            self._post(who, room, "bob", None)
        return multiple(lobby, den, direct)

    # Rooms

    @rule(target=rooms, who=people, kind=st.sampled_from(["open", "closed"]), members=some)
    def create_room(self, who: str, kind: str, members: list[str]) -> Room | MultipleResults[Room]:
        chosen = [self.model.people[each] for each in members if each in self.model.people]
        wanted = {"name": self._name("room"), "kind": kind, "members": [each.id for each in chosen]}
        reply = self._call(who, "POST", "/api/v1/rooms", wanted)
        if not self._is_signed_in(who, reply):
            return multiple()
        creator = self.model.people[who]
        inside = {creator} if kind == "open" else {creator, *chosen}
        room = Room(f"room {len(self.model.rooms)}", reply.json["id"], kind, creator, inside)
        self.model.create(room)
        return room

    @rule(target=rooms, who=people, members=st.lists(people, min_size=1, max_size=3))
    def talk_directly(self, who: str, members: list[str]) -> Room | MultipleResults[Room]:
        chosen = {self.model.people[each] for each in (*members, who) if each in self.model.people}
        wanted = {"kind": "direct", "members": [each.id for each in chosen]}
        reply = self._call(who, "POST", "/api/v1/rooms", wanted)
        if who not in self.model.people or not self.model.people[who].is_signed_in:
            self._is_signed_in(who, reply)
            return multiple()
        if len(chosen) < 2:
            assert reply.outcome == "VALIDATION_FAILED"
            return multiple()
        assert reply.outcome == OK, reply
        there = self.model.direct_room(chosen)
        if there is not None and not there.deleted:
            assert (reply.status, reply.json["id"]) == (200, there.id)
            return multiple()
        before = self.model.deleted_direct_room(reply.json["id"])
        if before is not None:
            self.model.revive(before, self.model.people[who], chosen)
            return multiple()
        room = Room(f"room {len(self.model.rooms)}", reply.json["id"], "direct", self.model.people[who], chosen)
        self.model.create(room)
        return room

    @rule(who=people, room=rooms, kind=st.sampled_from(["open", "closed"]))
    def change_kind(self, who: str, room: Room, kind: str) -> None:
        reply = self._call(who, "PATCH", f"/api/v1/rooms/{room.id}", {"kind": kind})
        self._expect(who, reply, lambda person: self.model.change_kind(person, room, kind))

    @rule(who=people, room=rooms, wrongly=rarely)
    def archive_or_reopen(self, who: str, room: Room, wrongly: bool) -> None:
        path = f"/api/v1/rooms/{room.id}/archive"
        if room.archived is wrongly:
            reply = self._call(who, "POST", path)
            self._expect(who, reply, lambda person: self.model.archive(person, room))
        else:
            reply = self._call(who, "DELETE", path)
            self._expect(who, reply, lambda person: self.model.reopen(person, room))

    @rule(who=people, room=rooms)
    def delete_room(self, who: str, room: Room) -> None:
        if sum(not each.deleted for each in self.model.rooms) <= _FEW_ROOMS:
            return
        reply = self._call(who, "DELETE", f"/api/v1/rooms/{room.id}")
        self._expect(who, reply, lambda person: self.model.delete_room(person, room))

    @rule(who=people, room=rooms, other=people)
    def add_member(self, who: str, room: Room, other: str) -> None:
        if other in self.model.people:
            them = self.model.people[other]
            reply = self._call(who, "POST", f"/api/v1/rooms/{room.id}/members", {"user_id": them.id})
            self._expect(who, reply, lambda person: self.model.add(person, room, them))

    @rule(who=people, room=rooms, other=people)
    def remove_member(self, who: str, room: Room, other: str) -> None:
        if other in self.model.people:
            them = self.model.people[other]
            reply = self._call(who, "DELETE", f"/api/v1/rooms/{room.id}/members/{them.id}")
            self._expect(who, reply, lambda person: self.model.remove(person, room, them))

    @rule(who=people, room=rooms)
    def join_or_leave(self, who: str, room: Room) -> None:
        """What people do most: be in a room, or go from it."""
        if who in self.model.people and self.model.people[who] in room.members:
            self.remove_member(who, room, who)
        else:
            self.add_member(who, room, who)

    @rule(room=rooms, other=people)
    def put_out(self, room: Room, other: str) -> None:
        """Somebody who may do so removes a member."""
        who = next((each.key for each in room.members if each.is_signed_in and each is room.creator), "ada")
        self.remove_member(who, room, other)

    @rule(who=people, room=rooms, involvement=st.sampled_from(["everything", "mentions", "nothing", "invisible"]))
    def set_involvement(self, who: str, room: Room, involvement: str) -> None:
        reply = self._call(who, "PUT", f"/api/v1/rooms/{room.id}/involvement", {"involvement": involvement})
        self._expect(who, reply, lambda person: self.model.involve(person, room, involvement))

    # Messages

    @rule(target=messages, who=people, room=rooms, mentioned=st.none() | people)
    def post(self, who: str, room: Room, mentioned: str | None) -> Message | MultipleResults[Message]:
        return self._post(who, room, mentioned, None)

    @rule(target=messages, room=rooms, turn=st.integers(0, 3), mentioned=st.none() | people)
    def talk(self, room: Room, turn: int, mentioned: str | None) -> Message | MultipleResults[Message]:
        """Somebody says something who can."""
        here = sorted(each.key for each in room.members if each.is_signed_in)
        return self._post(here[turn % len(here)], room, mentioned, None) if here else multiple()

    @rule(target=messages, who=people, message=messages)
    def reply(self, who: str, message: Message) -> Message | MultipleResults[Message]:
        return self._post(who, message.room, None, message)

    @rule(who=people, message=messages, mentioned=st.none() | people)
    def edit(self, who: str, message: Message, mentioned: str | None) -> None:
        text = self._text(mentioned)
        reply = self._call(who, "PATCH", f"/api/v1/messages/{message.id}", {"body": text})
        self._expect(who, reply, lambda person: self.model.edit(person, message, text))

    @rule(who=people, message=messages)
    def delete(self, who: str, message: Message) -> None:
        reply = self._call(who, "DELETE", f"/api/v1/messages/{message.id}")
        self._expect(who, reply, lambda person: self.model.delete(person, message))

    @rule(who=people, message=messages)
    def boost(self, who: str, message: Message) -> None:
        reply = self._call(who, "POST", f"/api/v1/messages/{message.id}/boosts", {"content": "👏"})
        if self._expect(who, reply, lambda person: self.model.touch(person, message, in_archive=True)):
            message.boosts += 1

    @rule(who=people, message=messages, pinned=st.booleans())
    def pin(self, who: str, message: Message, pinned: bool) -> None:
        reply = self._call(who, "PUT" if pinned else "DELETE", f"/api/v1/messages/{message.id}/pin")
        if self._expect(who, reply, lambda person: self.model.touch(person, message, in_archive=False)):
            message.pinned = pinned

    @rule(who=people, message=messages, saved=st.booleans())
    def save(self, who: str, message: Message, saved: bool) -> None:
        reply = self._call(who, "PUT" if saved else "DELETE", f"/api/v1/messages/{message.id}/save")
        if self._expect(who, reply, lambda person: self.model.touch(person, message, in_archive=True)):
            kept = self.model.people[who].saved
            if saved and message not in kept:
                kept.append(message)
            elif not saved and message in kept:
                kept.remove(message)

    @rule(who=people, message=messages)
    def read_up_to(self, who: str, message: Message) -> None:
        path = f"/api/v1/rooms/{message.room.id}/read"
        reply = self._call(who, "POST", path, {"message_id": message.id})
        self._expect(who, reply, lambda person: self.model.mark_read(person, message.room, message.place + 1))

    @rule(who=people, room=rooms)
    def read_all(self, who: str, room: Room) -> None:
        reply = self._call(who, "POST", f"/api/v1/rooms/{room.id}/read", {"position": _FAR})
        self._expect(who, reply, lambda person: self.model.mark_read(person, room, len(self.model.messages)))

    # People

    @rule()
    def dan_arrives(self) -> None:
        if "dan" not in self.model.people:
            self._arrive("dan")

    @rule(who=people)
    def rename(self, who: str) -> None:
        name = self._name(who)
        reply = self._call(who, "PATCH", "/api/v1/me", {"name": name})
        if self._expect(who, reply, lambda person: OK if person.is_signed_in else "SESSION_EXPIRED"):
            self.model.people[who].name = name

    @rule(who=people)
    def sign_out_or_in(self, who: str) -> None:
        if who in self.model.people and not self.model.people[who].is_signed_in:
            self._sign_in(who)
            return
        reply = self._call(who, "DELETE", "/api/v1/sessions/current")
        if self._expect(who, reply, lambda person: OK if person.is_signed_in else "SESSION_EXPIRED"):
            self.model.sign_out(self.model.people[who])
            self._run(self._silence(who))

    @rule(other=others, comes_back=st.booleans())
    def deactivate_or_bring_back(self, other: str, comes_back: bool) -> None:
        if not comes_back or not self._bring_back(other):
            self._end(other, "DELETE", "", self.model.deactivate)

    @rule(other=others, comes_back=st.booleans())
    def ban_or_bring_back(self, other: str, comes_back: bool) -> None:
        if not comes_back or not self._bring_back(other):
            self._end(other, "PUT", "/ban", self.model.ban)
            self._run(self.world.settled())

    # The server

    @rule(without_read_models=st.booleans(), now=rarely)
    def restart(self, without_read_models: bool, now: bool) -> None:
        """The server starts again over the same log; perhaps somebody has deleted all that is derived from it."""
        if now:
            self._restart(without_read_models=without_read_models)

    # What must hold

    @invariant()
    def look(self) -> None:
        """Rooms, their unread counts and what search finds, for everybody."""
        if self.model.people:
            self._run(self._checks().lists())

    @rule()
    def look_everywhere(self) -> None:
        """Everything that anybody can be shown, by every way there is."""
        self._run(self._checks().everything())

    def _post(
        self, who: str, room: Room, mentioned: str | None, reply_to: Message | None
    ) -> Message | MultipleResults[Message]:
        text = self._text(mentioned)
        body = {"body": text, **({"reply_to": reply_to.id} if reply_to else {})}
        reply = self._call(who, "POST", f"/api/v1/rooms/{room.id}/messages", body)
        if not self._expect(who, reply, lambda person: self.model.may_post(person, room, reply_to)):
            return multiple()
        author, place = self.model.people[who], len(self.model.messages)
        mentions = self.model.mentioned(room, text)
        message = Message(place, reply.json["id"], room, author, text, text, reply_to, mentions)
        self.model.post(message)
        return message

    def _end(self, other: str, method: str, what: str, become: Become) -> None:
        if other not in self.model.people or not self.model.people["ada"].is_signed_in:
            return
        person = self.model.people[other]
        reply = self._call("ada", method, f"/api/v1/users/{person.id}{what}")
        assert reply.outcome == become(person), reply
        if not person.is_signed_in:
            self._run(self._silence(other))

    def _bring_back(self, other: str) -> bool:
        """Let somebody come back who is gone; False if there is nobody to do it, or nobody gone."""
        person = self.model.people.get(other)
        if person is None or person.status == "active" or not self.model.people["ada"].is_signed_in:
            return False
        reply = self._call("ada", "PUT", f"/api/v1/users/{person.id}/active")
        assert reply.outcome == OK, reply
        self.model.reactivate(person)
        self._sign_in(other)
        return True
