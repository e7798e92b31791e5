"""What may be a name or an address."""

import re
import unicodedata

from campfire.domain.errors import refused

MAX_NAME = 100
MAX_EMAIL = 254

# Embeddings, overrides and isolates (UAX #9 §2): with them a name reads as another's, or turns what stands beside it.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def clean_name(name: str, field: str) -> str:
    """The name without surrounding space. Raises `ValidationFailed` naming `field`."""
    cleaned = name.strip()
    if not 1 <= len(cleaned) <= MAX_NAME:
        raise refused(field, f"needs 1 to {MAX_NAME} characters")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in cleaned):
        raise refused(field, "must not hold control characters")
    if not _TURNING.isdisjoint(cleaned):
        raise refused(field, "must not turn the reading direction")
    return cleaned


def clean_email(email: str) -> str:
    """The address without surrounding space. Raises `ValidationFailed`."""
    cleaned = email.strip()
    if len(cleaned) > MAX_EMAIL or not _EMAIL.fullmatch(cleaned):
        raise refused("email", "is not an e-mail address")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in cleaned):
        raise refused("email", "must not hold control characters")
    return cleaned
