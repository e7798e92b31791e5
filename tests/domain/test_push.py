from collections.abc import Callable
from typing import Any

import pytest
from domain_support.world import DAY, NOW, World

from campfire.domain import events as happened
from campfire.domain import ids
from campfire.domain.errors import PushSubscriptionNotFound, SessionExpired
from campfire.domain.push import (
    MOST_DEVICES,
    MessageToTell,
    Place,
    decide_gone,
    decide_make_key,
    decide_subscribe,
    decide_test_push,
    decide_unsubscribe,
    devices_to_tell,
    silence_for,
)
from campfire.domain.sessions import decide_end_session


class Scene(World):
    """Ada says something in a room that Bob is in with a device that wants pushes."""

    def __init__(self) -> None:
        super().__init__()
        self.ada = self.found()
        self.bob = self.join("Bob")
        self.bobs_session = self.sign_in(self.bob)
        self.device = self.subscribe(self.bobs_session)
        self.room_id = self.room("closed", self.ada, self.bob)
        self.involve("everything")

    def subscribe(self, session_id: str, endpoint: str = "e", *, is_known: bool = False) -> str:
        place = Place("push.example.com", endpoint, f"sealed {endpoint}")
        self.take(decide_subscribe(self.directory, session_id=session_id, place=place, is_known=is_known, at=NOW))
        return ids.push_subscription_id(session_id)

    def involve(self, involvement: happened.Involvement) -> None:
        stream = ids.involvement_stream(self.room_id, self.bob)
        event = happened.InvolvementSet(at=NOW, room_id=self.room_id, user_id=self.bob, involvement=involvement)
        self.take([happened.NewEvent(stream, None, event)])

    def happen(self, stream: str, event: happened.Event) -> None:
        self.take([happened.NewEvent(stream, None, event)])

    def message(self, **changes: Any) -> MessageToTell:
        said: dict[str, Any] = {
            "room_id": self.room_id,
            "author_id": self.ada,
            "position": 1_000,
            "deleted": False,
            "mentioned": set(),
            "members": {self.ada, self.bob},
            **changes,
        }
        return MessageToTell(**said)

    def told(self, **changes: Any) -> list[str]:
        return [device.id for device in devices_to_tell(self.directory, self.message(**changes), now=NOW)]

    def why_not(self, **changes: Any) -> str | None:
        return silence_for(self.directory, self.message(**changes), self.device, now=NOW)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_whoever_wants_everything_is_told(scene: Scene) -> None:
    """On every device of theirs."""
    phone = scene.subscribe(scene.sign_in(scene.bob), "phone")
    assert set(scene.told()) == {scene.device, phone} and scene.why_not() is None


def test_whoever_wants_mentions_is_told_of_those(scene: Scene) -> None:
    """And of nothing else; that is what a room begins with, and a direct room with everything."""
    scene.involve("mentions")
    assert scene.told() == [] and scene.why_not() == "muted"
    assert scene.told(mentioned={scene.bob}) == [scene.device]
    direct = scene.room("direct", scene.ada, scene.bob)
    assert scene.told(room_id=direct) == [scene.device]


def leave(scene: Scene) -> None:
    event = happened.MemberRemoved(at=NOW, room_id=scene.room_id, user_id=scene.bob, by=scene.ada)
    scene.happen(ids.membership_stream(scene.room_id, scene.bob), event)


def enter(scene: Scene) -> None:
    event = happened.PresenceEntered(at=NOW, room_id=scene.room_id, user_id=scene.bob)
    scene.happen(ids.presence_stream(scene.room_id, scene.bob), event)


def read(scene: Scene) -> None:
    event = happened.ReadPositionMoved(at=NOW, room_id=scene.room_id, user_id=scene.bob, position=1_000)
    scene.happen(ids.read_position_stream(scene.room_id, scene.bob), event)


def be_banned(scene: Scene) -> None:
    scene.happen(scene.bob, happened.UserBanned(at=NOW, user_id=scene.bob, by=scene.ada, addresses=()))


def delete_room(scene: Scene) -> None:
    scene.happen(scene.room_id, happened.RoomDeleted(at=NOW, room_id=scene.room_id, by=scene.ada))


def sign_out(scene: Scene) -> None:
    scene.take(
        decide_end_session(
            scene.directory, session_id=scene.bobs_session, actor_id=scene.bob, reason="signed_out", at=NOW
        )
    )


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (lambda scene: scene.involve("nothing"), "muted"),
        (lambda scene: scene.involve("invisible"), "muted"),
        (leave, "not_member"),
        (enter, "present"),
        (read, "read"),
        (be_banned, "inactive"),
        (delete_room, "room_deleted"),
        (sign_out, "unsubscribed"),
    ],
)
def test_each_of_these_alone_keeps_a_device_silent(scene: Scene, what: Callable[[Scene], None], why: str) -> None:
    """Even if the message mentions its owner; the reason is on record."""
    assert scene.told(mentioned={scene.bob}) == [scene.device]
    what(scene)
    assert scene.told(mentioned={scene.bob}) == []
    assert scene.why_not(mentioned={scene.bob}) == why


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"deleted": True}, "deleted"), ({"author_id": "bob"}, "own"), ({"members": set()}, "not_member")],
)
def test_so_does_the_message_itself(scene: Scene, changes: dict[str, Any], why: str) -> None:
    """What was deleted, what one said oneself, what was said before one came."""
    changes = {name: scene.bob if value == "bob" else value for name, value in changes.items()}
    assert scene.told(**changes) == [] and scene.why_not(**changes) == why


def test_what_was_read_is_read_up_to_a_position(scene: Scene) -> None:
    """A message after it is told of."""
    read(scene)
    assert scene.told(position=1_001) == [scene.device]


def test_a_session_that_has_run_out_is_not_told(scene: Scene) -> None:
    """Though its end may be on record a minute later only."""
    message = scene.message()
    assert devices_to_tell(scene.directory, message, now=NOW + DAY) == []
    assert silence_for(scene.directory, message, scene.device, now=NOW + DAY) == "unsubscribed"


def test_a_device_that_subscribes_again_changes_nothing(scene: Scene) -> None:
    """Browsers do so at every start; a new address takes the place of the old one."""
    before = len(scene.log)
    scene.subscribe(scene.bobs_session, "e", is_known=True)
    assert len(scene.log) == before
    scene.subscribe(scene.bobs_session, "moved")
    [device] = scene.directory.push.of(scene.bob)
    assert (device.id, device.sealed) == (scene.device, "sealed moved")


def test_a_browser_is_of_whoever_signed_in_there_last(scene: Scene) -> None:
    """Nobody else's messages are shown to whoever uses the machine next."""
    eve = scene.join("Eve")
    mine = scene.subscribe(scene.sign_in(eve), "e")
    assert [device.id for device in scene.directory.push.by_id.values()] == [mine]
    assert scene.log[-2].event == happened.PushUnsubscribed(
        at=NOW, subscription_id=scene.device, user_id=scene.bob, reason="replaced"
    )


def test_one_device_too_many_takes_the_place_of_the_oldest(scene: Scene) -> None:
    """So that the one in the hand always works."""
    others = [scene.subscribe(scene.sign_in(scene.bob), f"e{number}") for number in range(MOST_DEVICES)]
    assert [device.id for device in scene.directory.push.of(scene.bob)] == others


def test_only_ones_own_devices_can_be_tested_or_ended(scene: Scene) -> None:
    """Not even an administrator learns that there is one."""
    for decide in (decide_unsubscribe, decide_test_push):
        with pytest.raises(PushSubscriptionNotFound):
            decide(scene.directory, subscription_id=scene.device, actor_id=scene.ada, at=NOW)
    scene.take(decide_test_push(scene.directory, subscription_id=scene.device, actor_id=scene.bob, at=NOW))
    scene.take(decide_unsubscribe(scene.directory, subscription_id=scene.device, actor_id=scene.bob, at=NOW))
    assert scene.directory.push.by_id == {}


def test_a_device_that_is_gone_may_have_come_back_meanwhile(scene: Scene) -> None:
    """What a push service says about an address does not end the subscribing that came after it."""
    old = scene.directory.push.by_id[scene.device].position
    scene.subscribe(scene.bobs_session, "moved")
    assert decide_gone(scene.directory, subscription_id=scene.device, position=old, at=NOW) == []
    new = scene.directory.push.by_id[scene.device].position
    scene.take(decide_gone(scene.directory, subscription_id=scene.device, position=new, at=NOW))
    assert decide_gone(scene.directory, subscription_id=scene.device, position=new, at=NOW) == []
    assert scene.told() == []


def test_nobody_can_subscribe_with_a_session_that_is_over(scene: Scene) -> None:
    """Nor does what was decided before its end, and recorded after it, count."""
    late = decide_subscribe(
        scene.directory, session_id=scene.bobs_session, place=Place("s", "late", "x"), is_known=False, at=NOW
    )
    sign_out(scene)
    scene.take(late)
    assert scene.directory.push.by_id == {}
    with pytest.raises(SessionExpired):
        scene.subscribe(scene.bobs_session)


def test_a_server_has_one_key_for_good(scene: Scene) -> None:
    """A second one is not kept: browsers have subscribed for the first."""
    scene.take(decide_make_key(scene.directory, public_key="p", sealed_private_key="s", at=NOW))
    assert decide_make_key(scene.directory, public_key="q", sealed_private_key="t", at=NOW) == []
