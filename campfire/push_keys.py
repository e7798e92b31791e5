"""Keys of Web Push: the server's own (RFC 8292), and what a browser hands over of a device's (RFC 8291)."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_AUTH_BYTES = 16


class Device(msgspec.Struct, frozen=True):
    """Where a device is reached, and the keys that only it and we know; what `PushSubscribed.sealed` holds."""

    endpoint: str
    p256dh: bytes
    auth: bytes

    @property
    def endpoint_hash(self) -> str:
        return hashlib.sha256(self.endpoint.encode()).hexdigest()

    def to_text(self) -> str:
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_text(cls, text: str) -> "Device":
        return msgspec.json.decode(text, type=cls)


def device_key(text: str) -> bytes:
    """A device's public key as browsers write it (base64url). Raises `ValueError` unless it is a point of P-256."""
    point = from_base64url(text)
    if len(point) != 65:
        raise ValueError("it must be an uncompressed point of 65 bytes")
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    return point


def device_secret(text: str) -> bytes:
    """A device's authentication secret as browsers write it (base64url). Raises `ValueError` unless 16 bytes."""
    secret = from_base64url(text)
    if len(secret) != _AUTH_BYTES:
        raise ValueError(f"it must be {_AUTH_BYTES} bytes")
    return secret


def new_key_pair() -> tuple[str, str]:
    """Draw a key of P-256; return the public point and the private number, both in base64url."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_numbers().private_value.to_bytes(32, "big")
    return base64url(public_point(key)), base64url(private)


def private_key(text: str) -> ec.EllipticCurvePrivateKey:
    """The key that `new_key_pair` drew."""
    return ec.derive_private_key(int.from_bytes(from_base64url(text), "big"), ec.SECP256R1())


def public_point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The uncompressed point, 65 bytes (SEC 1, section 2.3.3)."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def base64url(raw: bytes) -> str:
    """Without padding (RFC 7515, section 2)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """With or without padding. Raises `ValueError`."""
    bare = text.rstrip("=")
    if not bare.isascii() or not all(character.isalnum() or character in "-_" for character in bare):
        raise ValueError("it is not base64url")
    return urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
