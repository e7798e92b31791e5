"""The address guard: what the server may connect to on somebody else's word.

A name is resolved once for each connection, every answer is checked, and the connection goes to the
checked address and nowhere else, so that a name that changes its mind (DNS rebinding) gains nothing.
Checking happens after resolution: the forms that an address can be written in are without number
(`0x7f000001`, `017700000001`, `127.1`), the addresses themselves are not.
"""

import asyncio
import socket
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
LookUp = Callable[..., Sequence[tuple[Any, ...]]]
"""As `socket.getaddrinfo`: host and port, `family` and `type`; blocks, and raises `OSError`."""

# Never, whatever the administrator allows: link-local, where clouds keep their credentials, and the
# other addresses that they are known under.
_NEVER = tuple(
    ip_network(text)
    for text in (
        "169.254.0.0/16",
        "fe80::/10",
        "fd00:ec2::/32",  # AWS
        "fd20:ce::254/128",  # Google
        "fd00:c1::a9fe:a9fe/128",  # Oracle
        "192.0.0.192/32",  # Oracle, the older one
        "fd00:42::42/128",  # Scaleway
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure: public to look at, but it answers each machine as its host
    )
)
# Python calls these global although they lead inside, or lead nowhere that a webhook could live.
_NOT_PUBLIC = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
        "ff00::/8",
    )
)
# The last 32 bits of these are an IPv4 address: NAT64 (RFC 6052), IPv4-translated (RFC 2765), and
# what once was IPv4-compatible, but for `::` and `::1`, which are themselves.
_IPV4_AT_THE_END = (ip_network("64:ff9b::/96"), ip_network("::ffff:0:0:0/96"), ip_network("::/96"))
_ISATAP = (0x00005EFE, 0x02005EFE)
_LOCAL_NAT64 = ip_network("64:ff9b:1::/48")
"""RFC 8215: whoever runs it chooses where in it the IPv4 address stands (RFC 6052 section 2.2)."""
_LOW_PORTS = (80, 443)
_REMEMBERED = 1_024
"""Addresses, with port, that were found harmless."""
_LOOKUPS = 64
"""Names being resolved at once; one that nobody answers for takes its thread for half a minute."""


class AddressBlocked(OSError):
    """The address may not be reached from here."""


class AddressGuard:
    """Decides about addresses. `allowed` are networks that the administrator opened, and names of hosts, wherever
    in private networks they are; `setting` is where it was done, for a refusal to say. `own_ports` are ours.
    """

    def __init__(
        self,
        allowed: Sequence[Network | str] = (),
        own_ports: Collection[int] = (),
        *,
        setting: str = "CAMPFIRE_WEBHOOK_ALLOW",
    ) -> None:
        self._allowed = tuple(each for each in allowed if not isinstance(each, str))
        self._names = frozenset(each for each in allowed if isinstance(each, str))
        self._own_ports = frozenset(own_ports)
        self._setting = setting
        # Asked twice for every delivery, and always the same; what is refused is not remembered, nor what depends on
        # the machine's own addresses of the moment.
        self._found_harmless = lru_cache(maxsize=_REMEMBERED)(self._look_at)

    def check(self, address: str, port: int, *, name: str | None = None) -> None:
        """Raises `AddressBlocked` with the reason, unless `address` (in numbers) may be reached at `port`.

        `name` is the host that led there, if it was not in numbers.
        """
        is_named = name is not None and self.is_allowed_name(name)
        look_at = self._look_at if port in self._own_ports else self._found_harmless
        look_at(address, port, is_named)

    def _look_at(self, address: str, port: int, is_named: bool) -> None:
        parsed = _unmapped(ip_address(address.partition("%")[0]))
        for candidate in (parsed, *_hidden_in(parsed)):
            self._check(candidate, port, is_named)
        for candidate in _perhaps_hidden_in(parsed):
            _refuse_if_never(candidate)

    def is_allowed_name(self, host: str) -> bool:
        """Whether the administrator opened this host by its name."""
        return host.lower().rstrip(".") in self._names

    def is_allowed_inside(self, address: str) -> bool:
        """Whether `address` (in numbers) is in a network that the administrator opened."""
        parsed = _unmapped(ip_address(address.partition("%")[0]))
        return any(parsed in network for network in self._allowed if network.version == parsed.version)

    def _check(self, address: Address, port: int, is_named: bool) -> None:
        _refuse_if_never(address)
        if port in self._own_ports and _is_this_machine(address):
            raise AddressBlocked(f"port {port} of {address} is Campfire's own")
        if is_named or self.is_allowed_inside(str(address)):
            return
        if not address.is_global or _is_in(address, _NOT_PUBLIC):
            raise AddressBlocked(f"{address} is not a public address; {self._setting} can allow its network or name")
        if port not in _LOW_PORTS and port < 1024:
            raise AddressBlocked(f"port {port} is not one that the web uses")


class GuardedResolver(AbstractResolver):
    """Resolves names for aiohttp and lets nothing through that the guard refuses: one bad answer refuses them all."""

    def __init__(self, guard: AddressGuard, look_up: LookUp | None = None) -> None:
        self._guard = guard
        self._look_up = look_up or socket.getaddrinfo
        # Threads of its own: names that nobody answers for must not hold up those who read the log.
        self._threads = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="resolver")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        look_up = partial(self._look_up, host, port, type=socket.SOCK_STREAM, family=family)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        results: list[ResolveResult] = []
        for each_family, _, protocol, _, place in found:
            address = str(place[0])
            self._guard.check(address, port, name=host)
            results.append(
                ResolveResult(
                    hostname=host,
                    host=address,
                    port=port,
                    family=each_family,
                    proto=protocol,
                    flags=socket.AI_NUMERICHOST,
                )
            )
        return results

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


@lru_cache(maxsize=_REMEMBERED)
def is_numeric(host: str) -> bool:
    """Whether a URL's host is an address in numbers, which aiohttp would connect to without resolving."""
    try:
        ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


def _unmapped(address: Address) -> Address:
    """`::ffff:a.b.c.d` is not a way to an IPv4 address but the address itself, written for an IPv6 socket."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _hidden_in(address: Address) -> list[IPv4Address]:
    """The IPv4 addresses that an IPv6 address leads to (6to4, Teredo, ISATAP, NAT64, translated, compatible)."""
    if isinstance(address, IPv4Address) or address.is_loopback or address.is_unspecified:
        return []
    hidden = [address.sixtofour, *(address.teredo or ())]
    last = IPv4Address(int(address) & 0xFFFFFFFF)
    if any(address in network for network in _IPV4_AT_THE_END) or (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        hidden.append(last)
    return [each for each in hidden if each is not None]


def _perhaps_hidden_in(address: Address) -> list[IPv4Address]:
    """What an address of a local NAT64 may lead to, for each length of prefix that one may have (RFC 6052)."""
    if address not in _LOCAL_NAT64:
        return []
    number = int(address)
    found = []
    for before in (16, 8, 0):  # bits of the IPv4 address that stand before the byte that is left out
        first = (number >> 64) & ((1 << before) - 1)
        rest = (number >> (56 - (32 - before))) & ((1 << (32 - before)) - 1)
        found.append(IPv4Address((first << (32 - before)) | rest))
    return [*found, IPv4Address(number & 0xFFFFFFFF)]


def _refuse_if_never(address: Address) -> None:
    if _is_in(address, _NEVER):
        raise AddressBlocked(f"{address} is link-local or a cloud's metadata service, which is never allowed")


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def _is_this_machine(address: Address) -> bool:
    """Whether the address is one of ours: the kernel lets nobody bind another."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True
