"""What whoever runs the server does for people, when no administrator can: new passwords and roles."""

from typing import cast

from campfire.domain.events import Role
from campfire.domain.people import decide_set_role
from campfire.domain.sign_in_links import NewLink, decide_make_password_reset
from campfire.engine import Engine
from campfire.errors import CampfireError
from campfire.tokens import new_token, token_hash

RESET_PATH = "/password-reset/"


def new_link(engine: Engine) -> tuple[str, NewLink]:
    """Draw a token and describe the sign-in link that will carry its hash."""
    token = new_token()
    return token, NewLink(link_id=engine.new_id(), token_hash=token_hash(token))


async def make_reset_token(engine: Engine, email: str) -> str:
    """A token with which the person of this address chooses a new password. Raises `CampfireError` `USER_NOT_FOUND`."""
    user_id = _user_of(engine, email)
    token, link = new_link(engine)
    await engine.perform(
        lambda: decide_make_password_reset(
            engine.directory, link=link, user_id=user_id, actor_id=None, at=engine.clock.now_ms()
        )
    )
    return token


async def give_role(engine: Engine, email: str, role: str) -> None:
    """Let the person of this address administer, or no longer. Raises `CampfireError` `USER_NOT_FOUND`."""
    user_id = _user_of(engine, email)
    wanted = cast(Role, role)
    await engine.perform_alone(
        lambda: decide_set_role(engine.directory, user_id=user_id, role=wanted, by="", at=engine.clock.now_ms())
    )


def _user_of(engine: Engine, email: str) -> str:
    user = engine.directory.user_by_email(email)
    if user is None:
        raise CampfireError("USER_NOT_FOUND", f"Nobody has the address {email}.")
    return user.id
