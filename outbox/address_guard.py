"""The address guard: what the server may connect to on somebody else's word.

A name is resolved once for each connection, every answer is checked, and the connection goes to the
checked address and nowhere else, so that a name that changes its mind (DNS rebinding) gains nothing.
Checking happens after resolution: the forms that an address can be written in are without number
(`0x7f000001`, `017700000001`, `127.1`), the addresses themselves are not.
"""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Never, whatever the administrator allows: link-local, where clouds keep their credentials, and the
# other addresses that they are known under.
_NEVER = tuple(
    ip_network(text)
    for text in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::/32", "100.100.100.200/32", "192.0.0.192/32")
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
        "100::/64",
        "2001::/23",
        "fec0::/10",
        "ff00::/8",
    )
)
_NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
_LOW_PORTS = (80, 443)


class AddressBlocked(OSError):
    """The address may not be reached from here."""


class AddressGuard:
    """Decides about addresses. `allowed` are networks that the administrator opened; `own_port` is ours."""

    def __init__(self, allowed: Sequence[Network] = (), own_port: int | None = None) -> None:
        self._allowed = tuple(allowed)
        self._own_port = own_port

    def check(self, address: str, port: int) -> None:
        """Raises `AddressBlocked` with the reason, unless `address` (in numbers) may be reached at `port`."""
        parsed = ip_address(address.partition("%")[0])
        for candidate in (parsed, *_hidden_in(parsed)):
            self._check(candidate, port)

    def check_all(self, addresses: Sequence[str], port: int) -> None:
        """Raises `AddressBlocked` if any of them may not be reached: a mixed answer is an attack."""
        for address in addresses:
            self.check(address, port)

    def _check(self, address: Address, port: int) -> None:
        if any(address in network for network in _NEVER if network.version == address.version):
            raise AddressBlocked(f"{address} is link-local or a cloud's metadata service, which is never allowed")
        if address.is_loopback and port == self._own_port:
            raise AddressBlocked(f"port {port} of {address} is Campfire's own")
        if any(address in network for network in self._allowed if network.version == address.version):
            return
        if not address.is_global or any(
            address in network for network in _NOT_PUBLIC if network.version == address.version
        ):
            raise AddressBlocked(f"{address} is not a public address; CAMPFIRE_WEBHOOK_ALLOW can allow its network")
        if port not in _LOW_PORTS and port < 1024:
            raise AddressBlocked(f"port {port} is not one that webhooks use")


class GuardedResolver(AbstractResolver):
    """Resolves names for aiohttp and lets nothing through that the guard refuses."""

    def __init__(self, guard: AddressGuard) -> None:
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        results: list[ResolveResult] = []
        for each_family, _, protocol, _, place in found:
            address = str(place[0])
            self._guard.check(address, port)
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
        """Nothing is held open."""


def is_numeric(host: str) -> bool:
    """Whether a URL's host is an address in numbers, which aiohttp would connect to without resolving."""
    try:
        ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


def _hidden_in(address: Address) -> list[Any]:
    """The IPv4 addresses that an IPv6 address leads to (mapped, compatible, 6to4, Teredo, NAT64)."""
    if isinstance(address, IPv4Address):
        return []
    hidden: list[Any] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in _NAT64) or int(address) >> 32 == 0:
        hidden.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in hidden if each is not None]
