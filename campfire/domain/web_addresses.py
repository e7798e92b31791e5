"""Addresses of other people's services, as far as they can be judged without going there."""

from urllib.parse import urlsplit, urlunsplit

from campfire.domain.errors import refused

MAX_URL = 2_000


def require_usable_url(url: str, field: str) -> None:
    """Raises `ValidationFailed` naming `field`, unless `url` is an http or https address without credentials."""
    if len(url) > MAX_URL:
        raise refused(field, f"is longer than {MAX_URL} characters")
    if any(character.isspace() or not character.isprintable() for character in url):
        raise refused(field, "must not hold spaces or control characters")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise refused(field, f"is not an address: {error}") from error
    if parts.scheme not in ("http", "https"):
        raise refused(field, "must begin with http:// or https://")
    if not host:
        raise refused(field, "names no host")
    if parts.username is not None or parts.password is not None:
        raise refused(field, "must not hold a user name or password")


def address_shown(url: str) -> str:
    """A URL for people to read: without what may be a secret in it (user, password, query, fragment)."""
    try:
        parts = urlsplit(url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except ValueError:
        return "an address that cannot be read"
