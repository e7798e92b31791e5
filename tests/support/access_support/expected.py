"""What each kind of person is answered: `ok`, or the code of the refusal."""

from typing import Any, NamedTuple

from access_support.cell import Kind

OK = "ok"
NOT_A_CASE = ""
"""There is no such call: a bot has no e-mail address to sign in with."""


class Expected(NamedTuple):
    """What each kind of person is answered. Administrators may be in the room or not; `gone` are the banned
    and the deactivated, who come with the token that they had."""

    signed_out: str
    outsider: str
    member: str
    administrator: str
    outside_administrator: str
    bot: str
    outside_bot: str
    gone: str = "SESSION_EXPIRED"

    def of(self, kind: Kind) -> str:
        if kind in ("banned", "deactivated"):
            return self.gone
        return str(getattr(self, kind))


class Row(NamedTuple):
    """A call. Names in braces, in the address and in the body, are things (`things.py`) made for each cell."""

    route: str
    """Method and path, as the route is declared."""
    expected: Expected
    about: str = ""
    path: str = ""
    """Where other things than the route's own names stand, and a query."""
    body: Any = None
    headers: dict[str, str] = {}  # noqa: RUF012 - nobody changes it

    @property
    def name(self) -> str:
        return f"{self.route} ({self.about})" if self.about else self.route


def signed_in(
    outsider: str,
    member: str,
    administrator: str,
    outside_administrator: str,
    bot: str,
    outside_bot: str | None = None,
) -> Expected:
    """Unless it is told, a bot outside the room is answered like anybody else there."""
    outside = outsider if outside_bot is None else outside_bot
    return Expected("AUTHENTICATION_REQUIRED", outsider, member, administrator, outside_administrator, bot, outside)


def everybody(code: str = OK, *, gone: str | None = None, bot: str | None = None) -> Expected:
    """The same for everybody, signed in or not."""
    of_bots = code if bot is None else bot
    return Expected(code, code, code, code, code, of_bots, of_bots, code if gone is None else gone)


def members(code: str = OK, *, outside: str = "ROOM_ACCESS_DENIED") -> Expected:
    """The same for everybody in the room; administrators are no exception outside it."""
    return signed_in(outside, code, code, outside, code)


SIGNED_IN = signed_in(OK, OK, OK, OK, OK)
PEOPLE = signed_in(OK, OK, OK, OK, "PERMISSION_DENIED", "PERMISSION_DENIED")
"""A bot has no password, e-mail address or sessions."""
NOBODY = signed_in(*["PERMISSION_DENIED"] * 6)
ADMINISTRATORS = signed_in("PERMISSION_DENIED", "PERMISSION_DENIED", OK, OK, "PERMISSION_DENIED")
IN_ROOM = members()
IN_DIRECT = members(outside="ROOM_NOT_FOUND")
"""Others are not even told that there is one."""
LOOKS_AFTER_ROOM = signed_in("ROOM_ACCESS_DENIED", "PERMISSION_DENIED", OK, "ROOM_ACCESS_DENIED", "PERMISSION_DENIED")
"""Its creator, who is somebody else here, and administrators."""
NOT_MINE = LOOKS_AFTER_ROOM
"""Another's message, which administrators may change."""
SOMEBODY_ELSES = signed_in(*["ATTACHMENT_NOT_FOUND"] * 5)
ANOTHERS_DEVICE = signed_in(*["PUSH_SUBSCRIPTION_NOT_FOUND"] * 5)._replace(
    bot="PERMISSION_DENIED", outside_bot="PERMISSION_DENIED"
)
