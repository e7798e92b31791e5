import pytest

from campfire.config import Settings
from outbox.address_guard import AddressBlocked, AddressGuard, GuardedResolver

PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
INSIDE = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "0.0.0.0",
    "0.1.2.3",
    "100.64.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "::10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "100::1",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "ff02::1",
]
NEVER = [
    "169.254.169.254",
    "169.254.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::",
    "fe80::1",
]
NEVER += ["fd00:ec2::254", "100.100.100.200", "192.0.0.192", "fe80::1%eth0"]
WAYS_TO_SAY_LOOPBACK = ["2130706433", "0x7f000001", "017700000001", "127.1", "0x7f.1", "localhost"]
EVERYTHING = Settings.from_environment({"CAMPFIRE_WEBHOOK_ALLOW": "0.0.0.0/0,::/0"}).webhook_allow


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_reached(address: str) -> None:
    """Also when an IPv4 address comes in the clothes of IPv6."""
    AddressGuard().check(address, 443)


@pytest.mark.parametrize("address", INSIDE + NEVER)
def test_addresses_that_lead_inside_or_nowhere_are_refused(address: str) -> None:
    """Whatever form the address hides in."""
    with pytest.raises(AddressBlocked):
        AddressGuard().check(address, 443)


@pytest.mark.parametrize("address", NEVER)
def test_metadata_and_link_local_are_refused_even_if_everything_is_allowed(address: str) -> None:
    """An administrator's generous allow-list does not open the cloud's credentials."""
    with pytest.raises(AddressBlocked):
        AddressGuard(EVERYTHING).check(address, 80)


def test_an_allowed_network_may_be_reached_on_any_port() -> None:
    """Services in the LAN live on whatever port they like."""
    AddressGuard(EVERYTHING).check("10.1.2.3", 81)


@pytest.mark.parametrize("port", [22, 25, 53, 110, 1023])
def test_ports_of_other_services_are_refused(port: int) -> None:
    """A webhook cannot be made to speak to a mail server."""
    with pytest.raises(AddressBlocked):
        AddressGuard().check("8.8.8.8", port)


def test_our_own_port_is_refused() -> None:
    """The server cannot be made to call itself."""
    with pytest.raises(AddressBlocked, match="own"):
        AddressGuard(EVERYTHING, own_port=3000).check("127.0.0.1", 3000)


def test_one_bad_answer_among_good_ones_refuses_them_all() -> None:
    """A mixed answer is how rebinding begins."""
    with pytest.raises(AddressBlocked):
        AddressGuard().check_all(["8.8.8.8", "10.0.0.1"], 443)


@pytest.mark.parametrize("host", WAYS_TO_SAY_LOOPBACK)
async def test_names_and_odd_numbers_are_checked_after_resolution(host: str) -> None:
    """There are too many ways to write an address to check the writing."""
    with pytest.raises(AddressBlocked):
        await GuardedResolver(AddressGuard()).resolve(host, 443)
