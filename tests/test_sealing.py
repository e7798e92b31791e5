import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campfire.errors import CampfireError
from campfire.sealing import Sealer

KEY = bytes(range(32))


def refusal(sealer: Sealer, sealed: str) -> str:
    with pytest.raises(CampfireError) as refused:
        sealer.open(sealed)
    assert refused.value.code == "CONFIGURATION_INVALID"
    return refused.value.detail


@given(st.text())
def test_what_was_sealed_can_be_opened(text: str) -> None:
    """By whoever has the key; without it the text is not to be seen."""
    sealed = Sealer(KEY).seal(text)
    assert Sealer(KEY).open(sealed) == text
    assert text.encode() not in urlsafe_b64decode(sealed) or len(text.encode()) < 4


def test_sealing_twice_gives_two_results() -> None:
    """Nobody can tell that two secrets are the same."""
    sealer = Sealer(KEY)
    assert sealer.seal("secret") != sealer.seal("secret")


def test_another_key_opens_nothing() -> None:
    """And the sentence says which file is wanted."""
    assert "server.key" in refusal(Sealer(bytes(32)), Sealer(KEY).seal("secret"))


@pytest.mark.parametrize("place", range(len("secret") + 12 + 16))
def test_a_changed_byte_is_noticed_wherever_it_is(place: int) -> None:
    """In the nonce, the text and the tag alike."""
    raw = bytearray(urlsafe_b64decode(Sealer(KEY).seal("secret")))
    raw[place] ^= 1
    refusal(Sealer(KEY), urlsafe_b64encode(bytes(raw)).decode())


@given(st.text())
def test_any_other_text_is_refused_by_name(text: str) -> None:
    """Cut short, not base64, or not even ASCII."""
    refusal(Sealer(KEY), text)


def test_a_sealed_text_that_was_cut_is_refused() -> None:
    """At any place."""
    sealed = Sealer(KEY).seal("secret")
    for length in range(len(sealed)):
        refusal(Sealer(KEY), sealed[:length])


def test_a_new_key_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """Mode 600, whatever the umask; the next start uses the same key."""
    path = tmp_path / "server.key"
    sealed = Sealer.from_key_file(path, create=True).seal("secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    assert Sealer.from_key_file(path, create=True).open(sealed) == "secret"
    assert path.read_bytes() == before


def test_every_server_draws_its_own_key(tmp_path: Path) -> None:
    """One server's secrets are closed to another."""
    one, two = (Sealer.from_key_file(tmp_path / name, create=True) for name in ("one", "two"))
    refusal(two, one.seal("secret"))


def test_a_missing_key_file_is_not_made_by_who_only_reads(tmp_path: Path) -> None:
    """The worker must not invent a key that opens nothing."""
    with pytest.raises(CampfireError) as refused:
        Sealer.from_key_file(tmp_path / "server.key")
    assert refused.value.code == "CONFIGURATION_INVALID" and "server.key" in refused.value.detail
    assert not (tmp_path / "server.key").exists()


@pytest.mark.parametrize("content", [b"", b"short", b"!" * 44, urlsafe_b64encode(bytes(31)), b"\xff" * 44])
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    """By name; it is not overwritten, since it may be half of the only one."""
    path = tmp_path / "server.key"
    path.write_bytes(content)
    with pytest.raises(CampfireError) as refused:
        Sealer.from_key_file(path, create=True)
    assert refused.value.code == "CONFIGURATION_INVALID" and str(path) in refused.value.detail
    assert path.read_bytes() == content


def test_a_signature_is_for_one_text_one_purpose_and_one_server() -> None:
    """And the same every time, so that an address with it can be kept."""
    sealer = Sealer(KEY)
    signature = sealer.sign("avatar", "ada")
    assert signature == Sealer(KEY).sign("avatar", "ada") and sealer.is_signed("avatar", "ada", signature)
    assert not sealer.is_signed("avatar", "bob", signature)
    assert not sealer.is_signed("logo", "ada", signature)
    assert not Sealer(KEY[::-1]).is_signed("avatar", "ada", signature)
    assert not sealer.is_signed("avatar", "ada", "\udcff")
