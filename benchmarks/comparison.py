"""Two servers under the same load, one after the other, several times."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, fields

from benchmarks.load import Load


@dataclass(frozen=True, slots=True)
class Comparison:
    """
    What one server does beside another.

    Attributes:
        rate: Amount per second.
        cost: CPU seconds for each of the amount.
        ratio: Of the rates, 2 is twice as fast as the reference.
        cost_ratio: Of the costs, 2 is twice as expensive.
    """

    rate: float
    reference_rate: float
    ratio: float
    cost: float
    reference_cost: float
    cost_ratio: float


def compare(repetitions: int, server: Callable[[], Load], reference: Callable[[], Load]) -> Comparison:
    """Loads both in turns; each figure is the median of its own, since the median of ratios is steadier than the ratio of medians."""
    single = []
    for _ in range(repetitions):
        theirs, ours = reference(), server()
        single.append(Comparison(ours.rate, theirs.rate, ours.rate / theirs.rate, ours.cost, theirs.cost, ours.cost / theirs.cost))
    return Comparison(*(statistics.median(getattr(one, field.name) for one in single) for field in fields(Comparison)))
