"""Addresses that the outbox would never connect to, told at once."""

from urllib.parse import urlsplit

from campfire.config import Settings
from campfire.errors import CampfireError
from outbox.address_guard import AddressBlocked, AddressGuard, is_numeric


def refuse_blocked_address(settings: Settings, url: str) -> None:
    """Tell an administrator at once what the worker would refuse at every delivery. Raises `ADDRESS_BLOCKED`.

    Only addresses in numbers: what a name leads to is decided when it is connected to.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if not is_numeric(host):
        return
    guard = AddressGuard(settings.webhook_allow, settings.own_ports)
    try:
        guard.check(host, port)
    except AddressBlocked as error:
        raise CampfireError("ADDRESS_BLOCKED", f"{error}.") from error
