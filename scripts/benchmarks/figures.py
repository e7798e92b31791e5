"""What a row of the table is, and what measuring it gives."""

from typing import Any

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One promise with its numbers. `floor` must be reached, `aim` is wanted, both in `unit`."""

    name: str
    title: str
    unit: str
    floor: float
    aim: float
    more_is_better: bool

    def figure(self, measured: float, ceiling: float, **details: Any) -> "Figure":
        """What was measured, beside what the machine allows."""
        best, other = (measured, ceiling) if self.more_is_better else (ceiling, measured)
        ratio = best / other if other > 0 else 0.0
        return Figure(self.name, measured, self.unit, ceiling, ratio, self.floor, self.aim, details)

    def verdict(self, measured: float) -> str:
        """Where `measured` stands: `aim`, `floor`, or `below`."""
        for mark, name in ((self.aim, "aim"), (self.floor, "floor")):
            if measured >= mark if self.more_is_better else measured <= mark:
                return name
        return "below"


class Figure(msgspec.Struct, frozen=True):
    """A measured row. `ratio` is the share of the raw ceiling that was reached: 1.0 is as good as the machine allows.

    For latencies and memory, where less is better, that is the ceiling divided by the figure.
    """

    name: str
    figure: float
    unit: str
    ceiling: float
    ratio: float
    floor: float
    aim: float
    details: dict[str, Any]
