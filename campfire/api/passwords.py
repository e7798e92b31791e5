"""Passwords: Argon2id (RFC 9106) with OWASP's parameters, off the event loop."""

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from campfire.errors import CampfireError

Result = TypeVar("Result")

_NOBODY = "a password that nobody has"
_MOST_WAITING = 32
"""Passwords that may wait, about a second's work; one more is told to come back rather than queued for ever."""


class Passwords:
    """Hashes and verifies on one thread, so that a flood of sign-ins cannot take both cores from chat."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """The PHC string to keep. Raises `CampfireError` `SERVER_BUSY`, as `verify` does."""
        return await self._run(functools.partial(self._hasher.hash, password.encode(errors="surrogatepass")))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether `password` is the one hashed. None (no such person) takes as long and is False."""
        return await self._run(functools.partial(self._verify, password_hash, password))

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    @functools.cached_property
    def _hash_of_nobody(self) -> str:
        return self._hasher.hash(_NOBODY)

    def _verify(self, password_hash: str | None, password: str) -> bool:
        try:
            matches = self._hasher.verify(
                password_hash or self._hash_of_nobody, password.encode(errors="surrogatepass")
            )
        except (VerificationError, InvalidHashError):
            return False
        return matches and password_hash is not None

    async def _run(self, work: "functools.partial[Result]") -> Result:
        if self._waiting >= _MOST_WAITING:
            raise CampfireError("SERVER_BUSY", "Too many people are signing in; try again in a moment.", retry_after=2)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1
