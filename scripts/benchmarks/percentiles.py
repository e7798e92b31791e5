"""Percentiles, without interpolation: a figure that was really measured."""

import math
from collections.abc import Sequence

_MS = 1_000_000


def percentile_ms(latencies_ns: Sequence[int], share: float) -> float:
    """The smallest latency (milliseconds) that at least `share` (0 to 1) of the measured ones do not exceed.

    Raises `ValueError` if nothing was measured.
    """
    if not latencies_ns:
        raise ValueError("nothing was measured")
    ordered = sorted(latencies_ns)
    rank = max(1, math.ceil(len(ordered) * share))
    return ordered[rank - 1] / _MS
