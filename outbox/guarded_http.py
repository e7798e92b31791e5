"""HTTP to addresses that somebody else named: every connection goes through the address guard.

The session follows nothing, keeps nothing and trusts nothing. What aiohttp would connect to without
resolving, an address in numbers, is asked about by `usable_target`; call it for every URL, redirects included.
"""

import aiohttp
from yarl import URL

from campfire import __version__
from outbox.address_guard import AddressBlocked, AddressGuard, GuardedResolver, is_numeric


def open_guarded_session(guard: AddressGuard, *, connections: int = 0) -> aiohttp.ClientSession:
    """A session without cookies, proxies, decompression or a timeout of its own; at most `connections` (0: any)."""
    connector = aiohttp.TCPConnector(
        resolver=GuardedResolver(guard), use_dns_cache=False, limit=connections, keepalive_timeout=30
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None),
        headers={"User-Agent": f"Campfire/{__version__}", "Accept-Encoding": "identity"},
    )


def usable_target(guard: AddressGuard, url: str | URL) -> URL:
    """The URL, if the server may ask for it as far as can be told before its name is resolved.

    Raises `ValueError` for another scheme, no host, or credentials in the address, and `AddressBlocked`
    for a host in numbers that the guard refuses.
    """
    target = URL(url)
    if target.scheme not in ("http", "https") or not target.host:
        raise ValueError("it must be http:// or https:// and name a host")
    if target.user is not None or target.password is not None:
        raise ValueError("it must not hold a user name or password")
    if is_numeric(target.host):
        guard.check(target.host.strip("[]"), target.port or 0)
    return target


def blocked_within(error: BaseException) -> AddressBlocked | None:
    """What the guard said, if that is why a request failed: aiohttp wraps what a resolver raises."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, AddressBlocked):
            return seen
        inner = getattr(seen, "os_error", None)
        seen = inner if isinstance(inner, BaseException) and inner is not seen else seen.__cause__
    return None
