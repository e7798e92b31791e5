"""One table of every way to say an address, and what becomes of it; then what the table cannot show."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

import pytest
from outbox_support.sink import Sink

from campfire.clock import SystemClock
from campfire.config import Settings
from outbox.address_guard import AddressBlocked, AddressGuard, GuardedResolver, is_numeric
from outbox.guarded_http import usable_target
from outbox.sender import Sender

OWN_PORT = 3000


def answers(*addresses: str, really: str | None = None) -> Any:
    """A resolver that says so of every name; `really` is the name that it is an alias of."""

    def look_up(_host: str, port: int, **_options: Any) -> Sequence[tuple[Any, ...]]:
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                really or "",
                (address, port, 0, 0) if ":" in address else (address, port),
            )
            for address in addresses
        ]

    return look_up


async def verdict(url: str, look_up: Any, allow: str) -> str:
    """Through everything that a request goes through before it connects."""
    guard = AddressGuard(Settings.from_environment({"CAMPFIRE_WEBHOOK_ALLOW": allow}).webhook_allow, (OWN_PORT,))
    resolver = GuardedResolver(guard, look_up)
    try:
        target = usable_target(guard, url)
        if not is_numeric(target.raw_host or ""):
            await resolver.resolve(target.raw_host or "", target.port or 0)
    except AddressBlocked:
        return "blocked"
    except ValueError:
        return "unusable"
    finally:
        await resolver.close()
    return "open"


NOBODY = ""
ALL = "0.0.0.0/0,::/0"
"""What the administrator allows."""
REAL = None
"""The system's own resolver."""

TABLE: list[tuple[str, Any, str, str]] = [
    # Public, in the clothes of either family.
    ("http://8.8.8.8/", REAL, NOBODY, "open"),
    ("https://93.184.216.34:8443/", REAL, NOBODY, "open"),
    ("https://[2606:4700:4700::1111]/", REAL, NOBODY, "open"),
    ("https://[::ffff:8.8.8.8]/", REAL, NOBODY, "open"),
    ("https://[64:ff9b::808:808]/", REAL, NOBODY, "open"),
    ("https://[2002:808:808::1]/", REAL, NOBODY, "open"),
    ("https://hooks.example.com/", answers("93.184.216.34", "2606:4700::1"), NOBODY, "open"),
    # Private, loopback, carrier-grade NAT, and what leads nowhere.
    ("http://10.0.0.1/", REAL, NOBODY, "blocked"),
    ("http://172.16.0.1/", REAL, NOBODY, "blocked"),
    ("http://172.31.255.255/", REAL, NOBODY, "blocked"),
    ("http://192.168.0.1/", REAL, NOBODY, "blocked"),
    ("http://127.0.0.1/", REAL, NOBODY, "blocked"),
    ("http://127.255.255.254/", REAL, NOBODY, "blocked"),
    ("http://0.0.0.0/", REAL, NOBODY, "blocked"),
    ("http://0.1.2.3/", REAL, NOBODY, "blocked"),
    ("http://100.64.0.1/", REAL, NOBODY, "blocked"),
    ("http://100.127.255.254/", REAL, NOBODY, "blocked"),
    ("http://192.0.0.8/", REAL, NOBODY, "blocked"),
    ("http://192.0.2.1/", REAL, NOBODY, "blocked"),
    ("http://192.88.99.1/", REAL, NOBODY, "blocked"),
    ("http://198.18.0.1/", REAL, NOBODY, "blocked"),
    ("http://198.51.100.1/", REAL, NOBODY, "blocked"),
    ("http://203.0.113.1/", REAL, NOBODY, "blocked"),
    ("http://224.0.0.1/", REAL, NOBODY, "blocked"),
    ("http://239.255.255.255/", REAL, NOBODY, "blocked"),
    ("http://240.0.0.1/", REAL, NOBODY, "blocked"),
    ("http://255.255.255.255/", REAL, NOBODY, "blocked"),
    ("http://[::]/", REAL, NOBODY, "blocked"),
    ("http://[::1]/", REAL, NOBODY, "blocked"),
    ("http://[100::1]/", REAL, NOBODY, "blocked"),
    ("http://[2001:db8::1]/", REAL, NOBODY, "blocked"),
    ("http://[3fff::1]/", REAL, NOBODY, "blocked"),
    ("http://[fc00::1]/", REAL, NOBODY, "blocked"),
    ("http://[fd12:3456::1]/", REAL, NOBODY, "blocked"),
    ("http://[fec0::1]/", REAL, NOBODY, "blocked"),
    ("http://[ff02::1]/", REAL, NOBODY, "blocked"),
    ("http://[ff0e::1]/", REAL, NOBODY, "blocked"),
    # IPv4 hidden in IPv6: mapped, compatible, translated, 6to4, Teredo, NAT64 of both prefixes, ISATAP.
    ("http://[::ffff:127.0.0.1]/", REAL, NOBODY, "blocked"),
    ("http://[::ffff:a00:1]/", REAL, NOBODY, "blocked"),
    ("http://[::127.0.0.1]/", REAL, NOBODY, "blocked"),
    ("http://[::a00:1]/", REAL, NOBODY, "blocked"),
    ("http://[::ffff:0:7f00:1]/", REAL, NOBODY, "blocked"),
    ("http://[2002:7f00:1::]/", REAL, NOBODY, "blocked"),
    ("http://[2002:a00:1::1]/", REAL, NOBODY, "blocked"),
    ("http://[2001:0:7f00:1::]/", REAL, NOBODY, "blocked"),
    ("http://[2001:0:808:808::80ff:fffe]/", REAL, NOBODY, "blocked"),
    ("http://[64:ff9b::7f00:1]/", REAL, NOBODY, "blocked"),
    ("http://[64:ff9b:1::a00:1]/", REAL, NOBODY, "blocked"),
    ("http://[2606:4700::5efe:a00:1]/", REAL, NOBODY, "blocked"),
    ("http://[2606:4700::200:5efe:7f00:1]/", REAL, NOBODY, "blocked"),
    # Clouds' metadata and link-local: never, not even if everything is allowed.
    ("http://169.254.169.254/", REAL, ALL, "blocked"),
    ("http://169.254.0.23/", REAL, ALL, "blocked"),
    ("http://[fe80::1]/", REAL, ALL, "blocked"),
    ("http://[fe80::a9fe:a9fe]/", REAL, ALL, "blocked"),
    ("http://[fd00:ec2::254]/", REAL, ALL, "blocked"),
    ("http://[fd20:ce::254]/", REAL, ALL, "blocked"),
    ("http://[fd00:c1::a9fe:a9fe]/", REAL, ALL, "blocked"),
    ("http://[fd00:42::42]/", REAL, ALL, "blocked"),
    ("http://100.100.100.200/", REAL, ALL, "blocked"),
    ("http://192.0.0.192/", REAL, ALL, "blocked"),
    ("http://168.63.129.16/", REAL, ALL, "blocked"),
    ("http://[::ffff:169.254.169.254]/", REAL, ALL, "blocked"),
    ("http://[::a9fe:a9fe]/", REAL, ALL, "blocked"),
    ("http://[2002:a9fe:a9fe::]/", REAL, ALL, "blocked"),
    ("http://[2001:0:a9fe:a9fe::]/", REAL, ALL, "blocked"),
    ("http://[64:ff9b::a9fe:a9fe]/", REAL, ALL, "blocked"),
    ("http://[64:ff9b:1::a9fe:a9fe]/", REAL, ALL, "blocked"),
    ("http://[64:ff9b:1:a9fe:a9:fe00::]/", REAL, ALL, "blocked"),
    ("http://[64:ff9b:1:a9:fe:a9fe::]/", REAL, ALL, "blocked"),
    ("http://[64:ff9b:1:0:a9:fea9:fe00::]/", REAL, ALL, "blocked"),
    ("http://[64:ff9b:1:808:8:800::]/", REAL, ALL, "open"),
    ("http://[2606:4700::5efe:a9fe:a9fe]/", REAL, ALL, "blocked"),
    ("http://metadata.google.internal/", answers("169.254.169.254"), ALL, "blocked"),
    # Numbers in odd clothes, as the system's resolver reads them.
    ("http://2130706433/", REAL, NOBODY, "blocked"),
    ("http://0x7f000001/", REAL, NOBODY, "blocked"),
    ("http://0x7f.1/", REAL, NOBODY, "blocked"),
    ("http://017700000001/", REAL, NOBODY, "blocked"),
    ("http://0177.0.0.1/", REAL, NOBODY, "blocked"),
    ("http://127.1/", REAL, NOBODY, "blocked"),
    ("http://10.1/", REAL, NOBODY, "blocked"),
    ("http://0/", REAL, NOBODY, "blocked"),
    ("http://2852039166/", REAL, ALL, "blocked"),
    ("http://0xA9FEA9FE/", REAL, ALL, "blocked"),
    ("http://169.16689662/", REAL, ALL, "blocked"),
    ("http://①②⑦.⓪.⓪.①/", REAL, NOBODY, "blocked"),
    ("http://[fe80::1%25eth0]/", REAL, ALL, "blocked"),
    ("http://linked.lan/", answers("fe80::1%eth0"), ALL, "blocked"),
    # Names: what matters is where they lead, by whatever way, and one bad answer spoils the rest.
    ("http://localhost/", REAL, NOBODY, "blocked"),
    ("http://LOCALHOST./", answers("127.0.0.1"), NOBODY, "blocked"),
    ("http://inside.example.com/", answers("10.0.0.1"), NOBODY, "blocked"),
    ("http://alias.example.com/", answers("127.0.0.1", really="localhost"), NOBODY, "blocked"),
    ("http://mixed.example.com/", answers("8.8.8.8", "10.0.0.1"), NOBODY, "blocked"),
    ("http://mixed.example.com/", answers("2606:4700::1", "::1"), NOBODY, "blocked"),
    ("http://mixed.example.com/", answers("8.8.8.8", "64:ff9b::a9fe:a9fe"), NOBODY, "blocked"),
    # What is no address of the web.
    ("https://user:secret@example.com/", answers("8.8.8.8"), ALL, "unusable"),
    ("https://user@8.8.8.8/", REAL, ALL, "unusable"),
    ("ftp://8.8.8.8/", REAL, ALL, "unusable"),
    ("file:///etc/passwd", REAL, ALL, "unusable"),
    ("gopher://8.8.8.8:70/", REAL, ALL, "unusable"),
    ("//8.8.8.8/", REAL, ALL, "unusable"),
    ("https:///nowhere", REAL, ALL, "unusable"),
    ("http://8.8.8.8:99999/", REAL, ALL, "unusable"),
    # Ports: those of other services are closed, but in networks that were opened; our own always is.
    ("http://8.8.8.8:22/", REAL, NOBODY, "blocked"),
    ("http://8.8.8.8:25/", REAL, NOBODY, "blocked"),
    ("http://8.8.8.8:1023/", REAL, NOBODY, "blocked"),
    ("http://8.8.8.8:1024/", REAL, NOBODY, "open"),
    ("http://example.com:25/", answers("8.8.8.8"), NOBODY, "blocked"),
    (f"http://127.0.0.1:{OWN_PORT}/", REAL, ALL, "blocked"),
    (f"http://127.9.9.9:{OWN_PORT}/", REAL, ALL, "blocked"),
    (f"http://[::1]:{OWN_PORT}/", REAL, ALL, "blocked"),
    (f"http://[::ffff:127.0.0.1]:{OWN_PORT}/", REAL, ALL, "blocked"),
    (f"http://0.0.0.0:{OWN_PORT}/", REAL, ALL, "blocked"),
    (f"http://localhost:{OWN_PORT}/", REAL, "localhost", "blocked"),
    # What the administrator opened: a network, or a host by its name, wherever that leads in private networks.
    ("http://10.1.2.3:81/", REAL, "10.0.0.0/8", "open"),
    ("http://[::ffff:10.1.2.3]/", REAL, "10.0.0.0/8", "open"),
    ("http://11.1.2.3:81/", REAL, "10.0.0.0/8", "blocked"),
    ("http://ci.lan/", answers("10.0.0.1"), "10.0.0.0/8", "open"),
    ("http://ci.lan/", answers("10.0.0.1", "192.168.0.1"), "10.0.0.0/8", "blocked"),
    ("http://[fd12::1]:8080/", REAL, "fd12::/16", "open"),
    ("http://ci.lan:81/", answers("192.168.0.7", "fd12::7"), "ci.lan", "open"),
    ("http://CI.lan.:81/", answers("192.168.0.7"), "ci.LAN", "open"),
    ("http://ci.lan/", answers("127.0.0.1"), "ci.lan", "open"),
    ("http://other.lan/", answers("192.168.0.7"), "ci.lan", "blocked"),
    ("http://my.ci.lan/", answers("192.168.0.7"), "ci.lan", "blocked"),
    ("http://192.168.0.7/", REAL, "ci.lan", "blocked"),
    ("http://ci.lan/", answers("169.254.169.254"), "ci.lan", "blocked"),
    ("http://ci.lan/", answers("192.168.0.7", "fe80::7"), "ci.lan", "blocked"),
    ("http://ci.lan/", answers("64:ff9b::a9fe:a9fe"), "ci.lan", "blocked"),
]


@pytest.mark.parametrize(("url", "look_up", "allow", "expected"), TABLE, ids=[f"{row[0]} {row[2]}" for row in TABLE])
async def test_every_way_to_say_an_address(url: str, look_up: Any, allow: str, expected: str) -> None:
    """Public addresses are open; what leads inside is blocked unless it was allowed; the metadata services always."""
    assert await verdict(url, look_up, allow) == expected


def test_what_was_found_harmless_opens_nothing_else() -> None:
    """Neither another port, nor the same address without the name that it was opened by, nor a second time."""
    guard = AddressGuard(("nas.lan",), (OWN_PORT,))
    guard.check("10.0.0.7", 443, name="nas.lan")
    for address, port, name in (("10.0.0.7", 443, None), ("10.0.0.7", 443, "other.lan"), ("127.0.0.1", OWN_PORT, None)):
        for _ in range(2):
            with pytest.raises(AddressBlocked):
                guard.check(address, port, name=name)
    guard.check("10.0.0.7", 443, name="nas.lan")


def test_a_refusal_says_which_setting_could_allow_it() -> None:
    """Link previews have one of their own."""
    with pytest.raises(AddressBlocked, match="CAMPFIRE_LINK_PREVIEW_ALLOW"):
        AddressGuard(setting="CAMPFIRE_LINK_PREVIEW_ALLOW").check("10.0.0.1", 80)


async def test_a_name_that_changes_its_mind_gains_nothing() -> None:
    """DNS rebinding: each connection goes to the address that was checked for it, and the next is checked anew."""
    said = ["127.0.0.2", "127.0.0.1", "127.0.0.1"]
    asked: list[str] = []
    reached: list[str] = []

    def look_up(host: str, port: int, **options: Any) -> Sequence[tuple[Any, ...]]:
        asked.append(host)
        return list(answers(said.pop(0))(host, port, **options))

    async def listen(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(writer.get_extra_info("sockname")[0])
        await _reader.readuntil(b"}")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    # 127.0.0.2 stands for a public address: it is all that is open.
    guard = AddressGuard(Settings.from_environment({"CAMPFIRE_WEBHOOK_ALLOW": "127.0.0.2/32"}).webhook_allow)
    public = await asyncio.start_server(listen, "127.0.0.2", 0)
    port = public.sockets[0].getsockname()[1]
    inside = await asyncio.start_server(listen, "127.0.0.1", port)
    sender = Sender(guard, SystemClock(), timeout=30.0, look_up=look_up)
    await sender.open()
    try:
        first = await sender.attempt("msg_1", f"http://rebinding.example.com:{port}/", b"{}", ())
        second = await sender.attempt("msg_2", f"http://rebinding.example.com:{port}/", b"{}", ())
    finally:
        await sender.close()
        public.close()
        inside.close()
    assert (first.failure_class, first.timings.peer) == (None, "127.0.0.2")
    assert (second.failure_class, second.timings.peer) == ("blocked", None)
    assert reached == ["127.0.0.2"] and asked == ["rebinding.example.com"] * 2


async def test_a_connection_that_went_elsewhere_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it really leads is looked at once more before anything is sent, whoever resolved the name."""

    async def unguarded(self: GuardedResolver, host: str, port: int = 0, **_options: Any) -> list[dict[str, Any]]:
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": 2, "proto": 6, "flags": 0}]

    monkeypatch.setattr(GuardedResolver, "resolve", unguarded)
    sink = Sink()
    await sink.start()
    sender = Sender(AddressGuard(), SystemClock(), timeout=30.0)
    await sender.open()
    outcome = await sender.attempt("msg_1", f"http://example.com:{sink.port}/", b"{}", ())
    await sender.close()
    await sink.stop()
    assert (outcome.failure_class, outcome.is_final, sink.received) == ("blocked", True, [])


def test_where_the_worker_serves_its_metrics_is_ours_too() -> None:
    """Whatever the administrator allows: nobody's webhook reads them, or asks them for anything."""
    environ = {
        "CAMPFIRE_OUTBOX_METRICS": "127.0.0.1:9464",
        "CAMPFIRE_PORT": "3000",
        "CAMPFIRE_WEBHOOK_ALLOW": "127.0.0.0/8",
    }
    settings = Settings.from_environment(environ)
    guard = AddressGuard(settings.webhook_allow, settings.own_ports)
    for port in (3000, 9464):
        with pytest.raises(AddressBlocked, match="Campfire's own"):
            guard.check("127.0.0.1", port)
    guard.check("127.0.0.1", 9465)
    assert Settings(outbox_metrics="127.0.0.1:0", port=0).own_ports == frozenset()
