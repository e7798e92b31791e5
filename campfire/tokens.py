"""Tokens that let somebody in: drawn at random, handed out once, kept as a hash only."""

import secrets
from hashlib import sha256


def new_token() -> str:
    """256 random bits as text for a URL."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """What is kept of a token: SHA-256 in hex. A token is random, so a slow hash would add nothing."""
    return sha256(token.encode(errors="surrogatepass")).hexdigest()
