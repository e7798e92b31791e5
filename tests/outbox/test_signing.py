"""Signatures that the official verifier takes, and that ed25519 verifies."""

import time
from base64 import b64decode

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from campfire.webhook_secrets import new_key_pair, new_secret
from outbox import signing

BODY = '{"type":"message.posted","data":{"body":"Grüße 👋"}}'.encode()


def signatures(*secrets: str, timestamp: int = 1_700_000_000) -> list[str]:
    return signing.headers("msg_1", timestamp, BODY, secrets)["webhook-signature"].split(" ")


def verify(public_key: str, signature: str, signed: bytes) -> None:
    """As a receiver does with its `whpk_…` (the specification's "Verifying signatures")."""
    scheme, _, encoded = signature.partition(",")
    assert scheme == "v1a" and public_key.startswith("whpk_")
    raw = b64decode(public_key.removeprefix("whpk_"), validate=True)
    assert len(raw) == 32
    Ed25519PublicKey.from_public_bytes(raw).verify(b64decode(encoded, validate=True), signed)


def test_the_official_verifier_takes_a_shared_secret() -> None:
    """Under `v1`, by the headers as they are sent; another secret's signature is refused."""
    secret = new_secret()
    headers = signing.headers("msg_1", int(time.time()), BODY, [secret])
    assert Webhook(secret).verify(BODY, headers)["type"] == "message.posted"
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", headers)


def test_a_public_key_verifies_what_its_private_half_signed() -> None:
    """Under `v1a`, over id, time and body; a changed byte of any of them is noticed."""
    private, public = new_key_pair()
    [signature] = signatures(private)
    verify(public, signature, b"msg_1.1700000000." + BODY)
    for changed in (b"msg_2.1700000000." + BODY, b"msg_1.1700000001." + BODY, b"msg_1.1700000000." + BODY + b" "):
        with pytest.raises(InvalidSignature):
            verify(public, signature, changed)


def test_the_vector_of_rfc_8032_is_a_key_like_any_other() -> None:
    """The seed of its first test gives its public key, whether or not the public half is written after the seed."""
    seed = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
    both = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg=="
    [signature] = signatures(seed)
    assert signatures(both) == [signature]
    verify("whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", signature, b"msg_1.1700000000." + BODY)


def test_each_of_several_secrets_signs() -> None:
    """Of both kinds, apart by spaces, in order; so a receiver may hold any of them while they change."""
    old, new = new_secret(), new_secret()
    private, public = new_key_pair()
    headers = signing.headers("msg_1", int(time.time()), BODY, [new, private, old])
    assert [each.split(",")[0] for each in headers["webhook-signature"].split(" ")] == ["v1", "v1a", "v1"]
    for secret in (old, new):
        Webhook(secret).verify(BODY, headers)
    signed = f"msg_1.{headers['webhook-timestamp']}.".encode() + BODY
    verify(public, headers["webhook-signature"].split(" ")[1], signed)


def test_what_signs_nothing_is_not_repeated() -> None:
    """A secret of no known kind is refused by name of the kinds, not by what it is."""
    with pytest.raises(ValueError, match="whsec_ or whsk_") as refused:
        signatures("hunter2")
    assert "hunter2" not in str(refused.value)


def test_without_a_secret_nothing_is_signed() -> None:
    """As for bots, whose key is in the address."""
    assert signing.headers("msg_1", 5, BODY, []) == {"webhook-id": "msg_1", "webhook-timestamp": "5"}
