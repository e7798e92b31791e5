"""Secrets that must be used again (webhook secrets) are sealed before they enter the log.

AES-256-GCM (NIST SP 800-38D) with the server's key file. Losing the file loses the secrets, so
it belongs to every backup; whoever has the log but not the file learns nothing.
"""

import hmac
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from campfire.errors import CampfireError

_KEY_BYTES = 32
_NONCE_BYTES = 12


class Sealer:
    """Seals and opens short texts with one key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self._signing_key = hmac.digest(key, b"campfire signatures", "sha256")

    @classmethod
    def from_key_file(cls, path: Path, *, create: bool = False) -> "Sealer":
        """Read the key; with `create`, make one (mode 600) where there is none.

        Raises `CampfireError` `CONFIGURATION_INVALID` if the file is missing or is not a key.
        """
        if create and not path.exists():
            _write_new_key(path)
        try:
            key = urlsafe_b64decode(path.read_bytes())
        except (OSError, ValueError) as error:
            raise CampfireError("CONFIGURATION_INVALID", f"The key file {path} cannot be read: {error}.") from error
        if len(key) != _KEY_BYTES:
            raise CampfireError("CONFIGURATION_INVALID", f"The key file {path} does not hold a key of 32 bytes.")
        return cls(key)

    def seal(self, text: str) -> str:
        """Return `text` sealed, as URL-safe base64; each call gives another result."""
        nonce = os.urandom(_NONCE_BYTES)
        return urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, text.encode(), None)).decode()

    def open(self, sealed: str) -> str:
        """Undo `seal`. Raises `CampfireError` `CONFIGURATION_INVALID` if the key is another one or the text changed."""
        try:
            raw = urlsafe_b64decode(sealed)
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], None).decode()
        except (InvalidTag, ValueError) as error:
            raise CampfireError(
                "CONFIGURATION_INVALID", "A secret was sealed with another server.key; bring that file back."
            ) from error

    def sign(self, purpose: str, text: str) -> str:
        """A mark on `text` that only this server can make, the same every time: 128 bits, hex."""
        return hmac.digest(self._signing_key, f"{purpose}\0{text}".encode(), "sha256").hex()[:32]

    def is_signed(self, purpose: str, text: str, signature: str) -> bool:
        """Whether `sign` made this mark; compares in constant time."""
        return hmac.compare_digest(self.sign(purpose, text).encode(), signature.encode(errors="replace"))


def _write_new_key(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(urlsafe_b64encode(os.urandom(_KEY_BYTES)))
        file.flush()
        os.fsync(file.fileno())
