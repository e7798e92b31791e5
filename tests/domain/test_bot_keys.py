import pytest
from domain_support.world import NOW, World

from campfire.domain.bots import (
    decide_change_bot,
    decide_create_bot,
    decide_deactivate_bot,
    decide_rotate_bot_key,
    decide_set_bot_commands,
)
from campfire.domain.errors import PermissionDenied, UserNotFound, ValidationFailed
from campfire.domain.events import BotCommand
from campfire.domain.people import decide_deactivate, decide_reactivate, decide_remove


@pytest.fixture
def bot(world: World, ada: str) -> str:
    return a_bot(world, ada, "Robo", "hash")


def a_bot(world: World, ada: str, name: str, token_hash: str) -> str:
    bot_id = world.new_id()
    made = decide_create_bot(
        world.directory,
        bot_id=bot_id,
        name=name,
        token_hash=token_hash,
        sealed_token="sealed",
        webhook_url=None,
        actor_id=ada,
        at=NOW,
    )
    world.take(made)
    return bot_id


def lets_in(world: World, token_hash: str) -> bool:
    return world.directory.bot_by_token_hash(token_hash) is not None


def test_a_rotated_key_replaces_the_old_one(world: World, ada: str, bot: str) -> None:
    """Both for letting in and for what stands for a session."""
    before = world.directory.bots[bot].key_id
    world.take(
        decide_rotate_bot_key(
            world.directory, bot_id=bot, token_hash="other", sealed_token="sealed", actor_id=ada, at=NOW
        )
    )
    assert lets_in(world, "other") and not lets_in(world, "hash")
    assert world.directory.lets_in(bot, world.directory.bots[bot].key_id)
    assert not world.directory.lets_in(bot, before)


@pytest.mark.parametrize("decide", [decide_deactivate, decide_remove])
def test_a_key_does_not_outlive_its_bot(world: World, ada: str, bot: str, decide: object) -> None:
    """Nor does it come back with it: whoever kept the old one stays outside."""
    key_id = world.directory.bots[bot].key_id
    world.take(decide(world.directory, user_id=bot, actor_id=ada, at=NOW))  # type: ignore[operator]
    assert not lets_in(world, "hash") and not world.directory.lets_in(bot, key_id)
    if decide is not decide_remove:
        world.take(decide_reactivate(world.directory, user_id=bot, actor_id=ada, at=NOW))
        assert world.directory.user(bot).active and not lets_in(world, "hash")
        assert not world.directory.lets_in(bot, world.directory.bots[bot].key_id)


def test_a_bot_does_not_end_itself(world: World, ada: str, bot: str) -> None:
    """A key in wrong hands is no way to take the bot away."""
    for decide in (decide_deactivate, decide_remove):
        with pytest.raises(PermissionDenied):
            decide(world.directory, user_id=bot, actor_id=bot, at=NOW)


def test_people_are_no_bots(world: World, ada: str) -> None:
    """What is for bots cannot be done to them by mistake."""
    with pytest.raises(UserNotFound):
        decide_deactivate_bot(world.directory, bot_id=ada, actor_id=ada, at=NOW)
    with pytest.raises(UserNotFound):
        change(world, ada, ada, name="Robo")


def change(world: World, bot: str, actor_id: str, **wanted: object) -> list[object]:
    told = {"name": None, "bio": None, "webhook_url": None, "sets_webhook": False, **wanted}
    return list(decide_change_bot(world.directory, bot_id=bot, actor_id=actor_id, at=NOW, **told))  # type: ignore[arg-type]


def test_a_bot_is_changed_in_one_go(world: World, ada: str, bot: str) -> None:
    """Name and address together; what is left out stays."""
    wanted = {"name": "Robot", "webhook_url": "https://bot.example.com", "sets_webhook": True}
    world.take(change(world, bot, ada, **wanted))  # type: ignore[arg-type]
    assert world.directory.user(bot).name == "Robot"
    assert world.directory.bots[bot].webhook_url == "https://bot.example.com"
    assert change(world, bot, ada, **wanted) == []
    world.take(change(world, bot, ada, sets_webhook=True))  # type: ignore[arg-type]
    assert world.directory.bots[bot].webhook_url is None and world.directory.user(bot).name == "Robot"


def test_commands_are_told_apart(world: World, ada: str, bot: str) -> None:
    """Each has one bot, and none takes what the server knows itself."""
    other = a_bot(world, ada, "Other", "hash 2")

    def say(bot_id: str, *names: str, actor_id: str) -> None:
        commands = [BotCommand(name) for name in names]
        world.take(
            decide_set_bot_commands(world.directory, bot_id=bot_id, commands=commands, actor_id=actor_id, at=NOW)
        )

    say(bot, "deploy", "undo", actor_id=bot)
    say(bot, "deploy", actor_id=ada)
    for wrong in (["deploy"], ["play"], ["Deploy"], ["a b"], [""], ["x", "x"], ["x" * 33]):
        with pytest.raises(ValidationFailed):
            say(other, *wrong, actor_id=ada)
    with pytest.raises(PermissionDenied):
        say(other, "mine", actor_id=bot)
    world.take(decide_deactivate(world.directory, user_id=bot, actor_id=ada, at=NOW))
    say(other, "deploy", actor_id=other)
