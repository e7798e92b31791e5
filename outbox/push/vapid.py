"""Saying to a push service who we are (RFC 8292): a signed token for its origin, used for some hours."""

from collections.abc import Callable

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from yarl import URL

from campfire.push_keys import base64url, private_key
from campfire.sealing import Sealer

LIFETIME_SECONDS = 12 * 3600
"""A day at most is allowed; half of it, since not every clock is right."""

_FEW_ORIGINS = 1_000
_HEADER = base64url(b'{"typ":"JWT","alg":"ES256"}')

encode = msgspec.json.Encoder().encode


class Vapid:
    """Makes the Authorization header. `subject` is whom a push service may turn to."""

    def __init__(self, sealer: Sealer, subject: str, now_ms: Callable[[], int]) -> None:
        self._sealer = sealer
        self._subject = subject
        self._now_ms = now_ms
        self._keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        self._tokens: dict[tuple[str, str], tuple[int, str]] = {}

    def authorization(self, endpoint: str, public_key: str, sealed_private_key: str) -> str:
        """The header for a push to `endpoint`, signed now or not long ago."""
        origin = str(URL(endpoint).origin())
        now = self._now_ms() // 1000
        signed_at, token = self._tokens.get((origin, public_key), (0, ""))
        # Not one from the future either: the clock may have been set back meanwhile.
        if not signed_at <= now < signed_at + LIFETIME_SECONDS // 2:
            if len(self._tokens) >= _FEW_ORIGINS:
                self._tokens.clear()
            token = self._signed(origin, now, self._key(public_key, sealed_private_key))
            self._tokens[origin, public_key] = (now, token)
        return f"vapid t={token}, k={public_key}"

    def _key(self, public_key: str, sealed: str) -> ec.EllipticCurvePrivateKey:
        key = self._keys.get(public_key)
        if key is None:
            key = self._keys[public_key] = private_key(self._sealer.open(sealed))
        return key

    def _signed(self, origin: str, now: int, key: ec.EllipticCurvePrivateKey) -> str:
        claims = base64url(encode({"aud": origin, "exp": now + LIFETIME_SECONDS, "sub": self._subject}))
        text = f"{_HEADER}.{claims}"
        r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(SHA256())))
        return f"{text}.{base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"  # RFC 7518, section 3.4
