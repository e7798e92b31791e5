"""Signatures of Standard Webhooks 1.0, "Webhook Headers" and "Signature scheme"."""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from hashlib import sha256

PREFIX = "whsec_"


def headers(webhook_id: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The three headers for one attempt. `timestamp` in seconds, of this attempt.

    Each of `secrets` (`whsec_…`) signs, so that a receiver may hold either while they rotate. Without any,
    there is no signature, and two headers.
    """
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    signatures = (hmac.new(_key(secret), signed, sha256).digest() for secret in secrets)
    unsigned = {"webhook-id": webhook_id, "webhook-timestamp": str(timestamp)}
    signed_by_each = " ".join(f"v1,{b64encode(signature).decode()}" for signature in signatures)
    return unsigned | ({"webhook-signature": signed_by_each} if secrets else {})


def _key(secret: str) -> bytes:
    return b64decode(secret.removeprefix(PREFIX))
