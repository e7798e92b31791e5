"""Message encryption for Web Push (RFC 8291): one record of `aes128gcm` (RFC 8188).

On `cryptography` rather than on http_ece, which cannot pad within a record; it checks us in the tests.
"""

import os
import struct

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from campfire.push_keys import public_point

LARGEST_BODY = 4_096
"""Bytes; what push services must take at least (RFC 8030, section 7.2), and take at most."""
LARGEST_PLAINTEXT = 3_993
"""Bytes: the body without salt, record size and key (86), the delimiter (1) and the tag (16)."""

_RECORD_SIZE = 4_096
_LAST_RECORD = b"\x02"
_SALT_BYTES = 16


def encrypt(
    plaintext: bytes,
    p256dh: bytes,
    auth: bytes,
    *,
    padded_to: int = 0,
    salt: bytes | None = None,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> bytes:
    """Return the body of a push that only the device with these keys can read.

    Zeros after the plaintext fill it up to `padded_to` bytes, so that its length tells nobody what it says. `salt`
    and `key` are drawn unless given. Raises `ValueError` if the result would have more than `LARGEST_BODY` bytes.
    """
    padding = max(0, padded_to - len(plaintext))
    if len(plaintext) + padding > LARGEST_PLAINTEXT:
        raise ValueError(f"a push holds at most {LARGEST_PLAINTEXT} bytes")
    salt = os.urandom(_SALT_BYTES) if salt is None else salt
    key = ec.generate_private_key(ec.SECP256R1()) if key is None else key
    ours = public_point(key)
    shared = key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), p256dh))
    secret = _hkdf(auth, shared, b"WebPush: info\0" + p256dh + ours, 32)
    content_key = _hkdf(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _hkdf(salt, secret, b"Content-Encoding: nonce\0", 12)
    sealed = AESGCM(content_key).encrypt(nonce, plaintext + _LAST_RECORD + bytes(padding), None)
    return salt + struct.pack("!LB", _RECORD_SIZE, len(ours)) + ours + sealed


def _hkdf(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)
