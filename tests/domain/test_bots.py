"""Bots: how they are made, and which of them a message calls."""

import pytest
from domain_support.world import NOW, World

from campfire.domain.bots import (
    MOST_COMMANDS,
    command_of,
    decide_create_bot,
    decide_rotate_bot_key,
    decide_set_bot_commands,
    decide_set_bot_webhook,
)
from campfire.domain.errors import PermissionDenied, UserNotFound, ValidationFailed
from campfire.domain.events import BotCalled, BotCommand, MemberAdded, MessagePosted
from campfire.domain.messages import decide_post
from campfire.domain.people import decide_deactivate


def make(world: World, name: str, by: str, url: str | None = "https://bots.example.com/x") -> str:
    """A bot; return its id."""
    bot_id = world.new_id()
    world.take(
        decide_create_bot(
            world.directory,
            bot_id=bot_id,
            name=name,
            token_hash=f"hash of {bot_id}",
            sealed_token="sealed",
            webhook_url=url,
            actor_id=by,
            at=NOW,
        )
    )
    return bot_id


def let_command(world: World, bot_id: str, *names: str, by: str = "") -> None:
    commands = [BotCommand(name) for name in names]
    world.take(
        decide_set_bot_commands(world.directory, bot_id=bot_id, commands=commands, actor_id=by or bot_id, at=NOW)
    )


def called_by(world: World, room_id: str, author_id: str, body: str, **options: bool) -> list[BotCalled]:
    """Post; return the calls that are recorded with the message."""
    happened = world.take(
        decide_post(
            world.directory,
            room_id=room_id,
            author_id=author_id,
            body=body,
            client_message_id=world.new_id(),
            at=NOW,
            **options,
        )
    )
    assert isinstance(happened[0], MessagePosted)
    return [event for event in happened if isinstance(event, BotCalled)]


def test_a_bot_is_a_member_of_every_open_room_and_of_no_other(world: World, ada: str) -> None:
    """As every newcomer, also of those that come later; its key lets it in at once."""
    closed = world.room("closed", ada)
    bot_id = make(world, "Deployer", ada)
    later = world.room("open", ada)
    assert world.directory.rooms_of(bot_id) == {world.first_room, later}
    assert closed not in world.directory.rooms_of(bot_id)
    assert world.directory.users[bot_id].role == "bot"
    found = world.directory.bot_by_token_hash(f"hash of {bot_id}")
    assert found is not None and found.user_id == bot_id
    assert any(isinstance(each.event, MemberAdded) and each.event.user_id == bot_id for each in world.log)


def test_another_key_ends_the_old_one(world: World, ada: str) -> None:
    """At once."""
    bot_id = make(world, "Deployer", ada)
    world.take(
        decide_rotate_bot_key(
            world.directory, bot_id=bot_id, token_hash="fresh", sealed_token="sealed", actor_id=ada, at=NOW
        )
    )
    assert world.directory.bot_by_token_hash(f"hash of {bot_id}") is None
    assert world.directory.bot_by_token_hash("fresh") is world.directory.bots[bot_id]


def test_only_administrators_make_and_change_bots(world: World, ada: str) -> None:
    """What a bot answers to, it may say itself."""
    ben = world.join("Ben")
    bot_id = make(world, "Deployer", ada)
    with pytest.raises(PermissionDenied):
        make(world, "Mine", ben)
    for actor_id in (ben, bot_id):
        with pytest.raises(PermissionDenied):
            decide_rotate_bot_key(
                world.directory, bot_id=bot_id, token_hash="x", sealed_token="x", actor_id=actor_id, at=NOW
            )
        with pytest.raises(PermissionDenied):
            decide_set_bot_webhook(world.directory, bot_id=bot_id, url=None, actor_id=actor_id, at=NOW)
    with pytest.raises(PermissionDenied):
        let_command(world, bot_id, "deploy", by=ben)
    let_command(world, bot_id, "deploy")


def test_a_person_is_no_bot(world: World, ada: str) -> None:
    """Nor is somebody who is not there, or a bot that is no longer here."""
    bot_id = make(world, "Deployer", ada)
    world.take(decide_deactivate(world.directory, user_id=bot_id, actor_id=ada, at=NOW))
    for other in (ada, world.new_id(), bot_id):
        with pytest.raises(UserNotFound):
            decide_set_bot_webhook(world.directory, bot_id=other, url=None, actor_id=ada, at=NOW)


def test_the_same_address_again_changes_nothing(world: World, ada: str) -> None:
    """None is nowhere; an address must be one."""
    bot_id = make(world, "Deployer", ada)
    url = world.directory.bots[bot_id].webhook_url
    assert decide_set_bot_webhook(world.directory, bot_id=bot_id, url=url, actor_id=ada, at=NOW) == []
    world.take(decide_set_bot_webhook(world.directory, bot_id=bot_id, url=None, actor_id=ada, at=NOW))
    assert world.directory.bots[bot_id].webhook_url is None
    with pytest.raises(ValidationFailed):
        decide_set_bot_webhook(world.directory, bot_id=bot_id, url="ftp://example.com", actor_id=ada, at=NOW)


@pytest.mark.parametrize("name", ["", "De ploy", "Deploy", "-x", "x" * 33, "play", "taken", "é"])
def test_a_command_that_cannot_be_is_refused(world: World, ada: str, name: str) -> None:
    """A name of 1 to 32 plain characters, which neither the server nor another bot has."""
    let_command(world, make(world, "First", ada), "taken")
    with pytest.raises(ValidationFailed):
        let_command(world, make(world, "Second", ada), name)


def test_commands_are_few_and_each_is_named_once(world: World, ada: str) -> None:
    """The same again changes nothing; one's own names stay one's own."""
    bot_id = make(world, "Deployer", ada)
    with pytest.raises(ValidationFailed):
        let_command(world, bot_id, *(f"c{number}" for number in range(MOST_COMMANDS + 1)))
    with pytest.raises(ValidationFailed):
        let_command(world, bot_id, "deploy", "deploy")
    with pytest.raises(ValidationFailed):
        decide_set_bot_commands(
            world.directory, bot_id=bot_id, commands=[BotCommand("x", "two\nlines")], actor_id=bot_id, at=NOW
        )
    let_command(world, bot_id, "deploy")
    again = [BotCommand("deploy")]
    assert decide_set_bot_commands(world.directory, bot_id=bot_id, commands=again, actor_id=bot_id, at=NOW) == []
    let_command(world, bot_id, "deploy", "undo")


def test_a_message_calls_the_bot_that_it_mentions(world: World, ada: str) -> None:
    """With the short numbers and names that its contract needs, and nothing of what was said."""
    bot_id = make(world, "Deployer", ada)
    room_id = world.first_room
    [called] = called_by(world, room_id, ada, "hey @deployer, go")
    room, author = world.directory.rooms[room_id], world.directory.users[ada]
    assert (called.bot_id, called.room_id, called.user_id, called.command) == (bot_id, room_id, ada, None)
    assert (called.room_number, called.room_name) == (room.position, room.name)
    assert (called.user_number, called.user_name) == (author.position, "Ada")
    assert called_by(world, room_id, ada, "nothing for bots") == []


def test_in_a_direct_room_every_message_calls_it(world: World, ada: str) -> None:
    """Of everybody but the bot."""
    bot_id = make(world, "Deployer", ada)
    room_id = world.room("direct", ada, bot_id)
    assert [called.bot_id for called in called_by(world, room_id, ada, "hello")] == [bot_id]
    assert called_by(world, room_id, bot_id, "hello to you") == []


def test_a_command_calls_the_bot_that_has_it(world: World, ada: str) -> None:
    """Only at the message's beginning, only whole, and once though it is mentioned as well."""
    bot_id = make(world, "Deployer", ada)
    let_command(world, bot_id, "deploy")
    [called] = called_by(world, world.first_room, ada, "/deploy @Deployer staging")
    assert (called.bot_id, called.command) == (bot_id, "deploy")
    for body in ("/deployed", "please /deploy", "/unknown word", "/", "/ deploy", " /deploy"):
        assert called_by(world, world.first_room, ada, body) == []


@pytest.mark.parametrize(
    ("body", "name"),
    [("/deploy", "deploy"), ("/deploy\nstaging", "deploy"), ("/a-b_1 x", "a-b_1"), ("/Deploy", None), ("deploy", None)],
)
def test_the_command_of_a_message_is_its_first_word(body: str, name: str | None) -> None:
    """After a slash, in small letters."""
    assert command_of(body) == name


def test_a_bot_is_called_only_where_it_is_a_member(world: World, ada: str) -> None:
    """Neither mentioned nor commanded elsewhere."""
    bot_id = make(world, "Deployer", ada)
    let_command(world, bot_id, "deploy")
    closed = world.room("closed", ada)
    assert called_by(world, closed, ada, "@Deployer") == called_by(world, closed, ada, "/deploy") == []


def test_a_bot_never_calls_itself_but_may_call_another(world: World, ada: str) -> None:
    """Unless it only answers: two bots would answer each other for ever."""
    one, two = make(world, "One", ada), make(world, "Two", ada)
    room_id = world.first_room
    assert [called.bot_id for called in called_by(world, room_id, one, "@One @Two")] == [two]
    assert called_by(world, room_id, one, "@One @Two", calls_bots=False) == []


def test_a_bot_that_is_no_longer_here_is_not_called(world: World, ada: str) -> None:
    """Others of the same name are."""
    gone, here = make(world, "Twin", ada), make(world, "Twin", ada)
    world.take(decide_deactivate(world.directory, user_id=gone, actor_id=ada, at=NOW))
    assert [called.bot_id for called in called_by(world, world.first_room, ada, "@Twin")] == [here]
