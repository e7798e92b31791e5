"""What a webhook is given at its creation: a secret that signs (Standard Webhooks 1.0), and a key that pulls."""

import secrets
from base64 import b64encode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from campfire.tokens import new_token

PULL_KEY_PREFIX = "whpull_"


def new_secret() -> str:
    """A secret that both sides know: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + b64encode(secrets.token_bytes(32)).decode()


def new_key_pair() -> tuple[str, str]:
    """A private and a public ed25519 key: `whsk_` and `whpk_`, each with its 32 bytes in base64."""
    key = Ed25519PrivateKey.generate()
    private, public = key.private_bytes_raw(), key.public_key().public_bytes_raw()
    return "whsk_" + b64encode(private).decode(), "whpk_" + b64encode(public).decode()


def new_pull_key() -> str:
    """What lets a receiver read its own stream, and move its own cursor."""
    return PULL_KEY_PREFIX + new_token()
