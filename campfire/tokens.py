"""Tokens that let somebody in: drawn at random, handed out once, kept as a hash only."""

import secrets
from hashlib import sha256

_CLEAR = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789"
"""Letters and digits that cannot be confused."""


def new_token() -> str:
    """256 random bits as text for a URL."""
    return secrets.token_urlsafe(32)


def new_code() -> str:
    """Twelve letters and digits for people to type, and for bots: some 69 random bits."""
    return "".join(secrets.choice(_CLEAR) for _ in range(12))


def token_hash(token: str) -> str:
    """What is kept of a token: SHA-256 in hex. A token is random, so a slow hash would add nothing."""
    return sha256(token.encode(errors="surrogatepass")).hexdigest()
