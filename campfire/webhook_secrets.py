"""What a webhook is given at its creation: a secret that signs (Standard Webhooks 1.0), and a key that pulls."""

import secrets
from base64 import b64encode
from typing import Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from campfire.tokens import new_token

PULL_KEY_PREFIX = "whpull_"

Signature = Literal["v1", "v1a"]
"""A secret that both sides know (HMAC-SHA256), or a key of which the receiver has the public half (ed25519)."""


class SigningKeys(msgspec.Struct, frozen=True):
    """`signs` is to be sealed; `secret` is what the receiver is told of it, once, or None if `public_key` is all."""

    signs: str
    secret: str | None
    public_key: str | None


def new_secret() -> str:
    """A secret that both sides know: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + b64encode(secrets.token_bytes(32)).decode()


def new_key_pair() -> tuple[str, str]:
    """A private and a public ed25519 key: `whsk_` and `whpk_`, each with its 32 bytes in base64."""
    key = Ed25519PrivateKey.generate()
    private, public = key.private_bytes_raw(), key.public_key().public_bytes_raw()
    return "whsk_" + b64encode(private).decode(), "whpk_" + b64encode(public).decode()


def new_signing_keys(signature: Signature) -> SigningKeys:
    """Draw what an endpoint's deliveries are signed with from now on."""
    if signature == "v1":
        secret = new_secret()
        return SigningKeys(secret, secret, None)
    private, public = new_key_pair()
    return SigningKeys(private, None, public)


def new_pull_key() -> str:
    """What lets a receiver read its own stream, and move its own cursor."""
    return PULL_KEY_PREFIX + new_token()
