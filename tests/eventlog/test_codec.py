import pytest

from campfire.domain.events import ALL_EVENTS, Event, MessagePosted, RoomRenamed
from campfire.eventlog.codec import EventCodec
from campfire.eventlog.errors import UnknownTopic


class RoomRenamedTwo(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What `RoomRenamed` might become: two schemas later, with a reason."""

    topic = "room.renamed"
    schema = 3

    room_id: str
    title: str
    reason: str
    by: str


def test_topics_are_unique() -> None:
    """Two kinds of event never share a name in the log."""
    assert len({event.topic for event in ALL_EVENTS}) == len(ALL_EVENTS)


def test_an_event_comes_back_as_it_went_in() -> None:
    """Nothing is lost between an event and its stored state, defaults and odd characters included."""
    codec = EventCodec()
    event = MessagePosted(
        at=1,
        message_id="m",
        room_id="r",
        author_id="a",
        author_name="Zoë",
        body="\x01 \N{FAMILY} \u202e",
        client_message_id="c",
    )
    assert codec.decode(codec.topic_of(event), codec.encode(event)) == event


def test_an_old_event_is_upcast_through_every_schema() -> None:
    """History written years ago is read as if written today."""
    old = EventCodec()
    state = old.encode(RoomRenamed(at=1, room_id="r", name="Lobby", by="a"))
    codec = EventCodec(
        events=(RoomRenamedTwo,),
        upcasters={
            ("room.renamed", 1): lambda fields: {**fields, "title": fields["name"]},
            ("room.renamed", 2): lambda fields: {**fields, "reason": "unknown"},
        },
    )
    assert codec.decode("room.renamed:1", state) == RoomRenamedTwo(
        at=1, room_id="r", title="Lobby", reason="unknown", by="a"
    )


@pytest.mark.parametrize("topic", ["message.shouted:1", "message.posted:2", "message.posted", ""])
def test_an_unknown_topic_is_loud(topic: str) -> None:
    """What a newer version wrote is never skipped in silence."""
    with pytest.raises(UnknownTopic):
        EventCodec().decode(topic, b"{}")
