"""How long an export or an import still takes, for whoever waits."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with how much is done, and of how much; may raise to stop."""
