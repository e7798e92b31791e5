"""Signatures of Standard Webhooks 1.0, "Webhook Headers" and "Signature scheme".

A secret says by its prefix how it signs: `whsec_` (v1, HMAC-SHA256) or `whsk_` (v1a, ed25519).
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SYMMETRIC = "whsec_"
PRIVATE = "whsk_"
_SEED_BYTES = 32


def headers(webhook_id: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The three headers for one attempt. `timestamp` in seconds, of this attempt.

    Each of `secrets` signs, so that a receiver may hold any of them while they rotate; they need not be of one
    kind. Without any, there is no signature, and two headers. Raises `ValueError` for what is no such secret.
    """
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    unsigned = {"webhook-id": webhook_id, "webhook-timestamp": str(timestamp)}
    signed_by_each = " ".join(_signature(secret, signed) for secret in secrets)
    return unsigned | ({"webhook-signature": signed_by_each} if secrets else {})


def _signature(secret: str, signed: bytes) -> str:
    if secret.startswith(SYMMETRIC):
        return "v1," + b64encode(hmac.digest(_raw(secret, SYMMETRIC), signed, sha256)).decode()
    if secret.startswith(PRIVATE):
        return "v1a," + b64encode(_private_key(secret).sign(signed)).decode()
    raise ValueError("a signing secret begins with whsec_ or whsk_")  # and is not repeated here


@lru_cache(maxsize=256)
def _private_key(secret: str) -> Ed25519PrivateKey:
    # Some write the seed alone, some the public half after it (RFC 8032, section 5.1.5: the seed is the key).
    return Ed25519PrivateKey.from_private_bytes(_raw(secret, PRIVATE)[:_SEED_BYTES])


def _raw(secret: str, prefix: str) -> bytes:
    return b64decode(secret.removeprefix(prefix))
