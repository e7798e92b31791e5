"""What goes over the wire, against the RFCs and their vector."""

import json
from typing import Any

import http_ece
import pytest
from hypothesis import given
from hypothesis import strategies as st
from outbox_support.push import Browser, unpadded, vapid_claims
from outbox_support.sink import Received

from campfire.clock import ManualClock
from campfire.push_keys import device_key, device_secret, new_key_pair, private_key
from campfire.push_words import Notification
from campfire.sealing import Sealer
from outbox.push.encryption import LARGEST_BODY, LARGEST_PLAINTEXT, encrypt
from outbox.push.payload import SIZES, fitted, smaller_than, topic_of
from outbox.push.vapid import Vapid

NOTIFICATION = Notification(
    title="Lobby",
    body="Ann: Hello",
    path="/rooms/1234567890/@1234567890",
    tag="room-00000000-0000-4000-8000-000000000000",
    badge=1_000,
    room_id="00000000-0000-4000-8000-000000000000",
    message_id="00000000-0000-4000-8000-000000000001",
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


def test_the_vector_of_rfc_8291_comes_out() -> None:
    """Appendix A, byte for byte."""
    body = encrypt(
        b"When I grow up, I want to be a watermelon",
        device_key("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
        device_secret("BTBZMqHH6r4Tts7J_aSIgg"),
        salt=unpadded("DGv6ra1nlYgDCS1FRnbzlw"),
        key=private_key("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"),
    )
    assert body == unpadded(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBr"
        "u3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@given(st.binary(max_size=2_048), st.sampled_from((0, *SIZES)))
def test_a_browser_reads_what_was_encrypted(plaintext: bytes, padded_to: int) -> None:
    """Whatever it is and however it is padded, http_ece gives it back."""
    browser = Browser("")
    body = encrypt(plaintext, browser.p256dh, browser.auth, padded_to=padded_to)
    assert http_ece.decrypt(body, private_key=browser._key, auth_secret=browser.auth) == plaintext
    assert len(body) == 103 + max(len(plaintext), padded_to)


def test_a_push_is_never_larger_than_services_take() -> None:
    """4,096 bytes at most, of which 3,993 are the sender's."""
    browser = Browser("")
    assert len(encrypt(bytes(LARGEST_PLAINTEXT), browser.p256dh, browser.auth)) == LARGEST_BODY
    with pytest.raises(ValueError):
        encrypt(bytes(LARGEST_PLAINTEXT + 1), browser.p256dh, browser.auth)


@given(TEXT, TEXT, st.sampled_from(SIZES))
def test_a_payload_fits_whatever_is_said(title: str, body: str, largest: int) -> None:
    """Too much is cut, from the text before the title; the notification stays whole JSON."""
    wanted: dict[str, Any] = {"title": title, "body": body}
    notification = Notification(**{**_fields(), **wanted})
    payload, size = fitted(notification, largest)
    assert len(payload) <= size <= largest and size in SIZES
    shown = json.loads(payload)["notification"]
    assert body.startswith(shown["body"].removesuffix("…"))
    assert title.startswith(shown["title"].removesuffix("…"))
    assert shown["title"] == title or shown["body"] == ""


def _fields() -> dict[str, Any]:
    return {name: getattr(NOTIFICATION, name) for name in NOTIFICATION.__struct_fields__}


def test_the_smallest_payload_still_says_something() -> None:
    """A service that takes 512 bytes only gets a text that can be read."""
    long = Notification(**{**_fields(), "body": "Ann: " + "word " * 60})
    payload, _ = fitted(long, 512)
    assert len(json.loads(payload)["notification"]["body"]) > 40


def test_sizes_shrink_to_an_end() -> None:
    """A service that finds everything too large is not asked for ever."""
    assert [smaller_than(size) for size in SIZES] == [None, 512, 1_024]


def test_a_topic_is_the_rooms_and_tells_nothing() -> None:
    """At most 32 characters of base64url, the same for a device's room, another for another device."""
    one = topic_of("device", "room-1")
    assert len(one) == 32 and one == topic_of("device", "room-1")
    assert len({one, topic_of("device", "room-2"), topic_of("other device", "room-1")}) == 3
    unpadded(one)


def a_vapid(clock: ManualClock) -> tuple[Vapid, str, str]:
    sealer = Sealer(bytes(32))
    public, private = new_key_pair()
    return Vapid(sealer, "mailto:ops@example.com", clock.now_ms), public, sealer.seal(private)


def claims(header: str, public: str) -> Any:
    return vapid_claims(Received("/", {"authorization": header}, b""), public)


def test_a_token_is_for_one_service_and_half_a_day() -> None:
    """`aud` is the origin of the endpoint, `exp` lies 12 hours ahead, `sub` says whom to ask."""
    clock = ManualClock()
    vapid, public, sealed = a_vapid(clock)
    found = claims(vapid.authorization("https://push.example.com:8443/send/abc?x=y", public, sealed), public)
    assert found == {
        "aud": "https://push.example.com:8443",
        "exp": clock.now_ms() // 1000 + 12 * 3600,
        "sub": "mailto:ops@example.com",
    }
    assert claims(vapid.authorization("https://other.example.com/", public, sealed), public)["aud"].endswith(
        "other.example.com"
    )


def test_a_token_is_used_again_until_half_of_it_is_over() -> None:
    """Or until the clock was set back."""
    clock = ManualClock()
    vapid, public, sealed = a_vapid(clock)

    def header() -> str:
        return vapid.authorization("https://push.example.com/", public, sealed)

    first = header()
    clock.advance(5 * 3600)
    assert header() == first
    clock.advance(2 * 3600)
    second = header()
    assert second != first
    clock.advance(-3600)
    assert header() != second


@pytest.mark.parametrize("text", ["", "A" * 87, "not base64!", "BCVx", "é" * 10])
def test_what_is_no_key_is_refused(text: str) -> None:
    """Before anything is sealed or sent."""
    with pytest.raises(ValueError):
        device_key(text)
    with pytest.raises(ValueError):
        device_secret(text)
