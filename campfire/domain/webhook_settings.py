"""What an endpoint may ask for of how it is served."""

from campfire.domain.errors import refused
from campfire.domain.events import EndpointSettings

TIMEOUT = (1.0, 30.0)
"""Seconds."""
RATE = (0.1, 10_000.0)
"""Deliveries a second."""
CONCURRENCY = (1, 100)


def require_usable_settings(settings: EndpointSettings) -> None:
    """Raises `ValidationFailed` that names the setting."""
    if settings.timeout is not None:
        _require("timeout", settings.timeout, TIMEOUT, " seconds")
    if settings.rate is not None:
        _require("rate", settings.rate, RATE, " deliveries a second")
    _require("concurrency", settings.concurrency, CONCURRENCY, "")


def _require(name: str, value: float, bounds: tuple[float, float], unit: str) -> None:
    low, high = bounds
    if not low <= value <= high:  # this way round: a NaN is within nothing
        raise refused(f"settings.{name}", f"must be {low:g} to {high:g}{unit}")
