"""Compares two servers under the same load, in turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, fields

from benchmarks.load import Load


@dataclass(frozen=True, slots=True)
class Comparison:
    """
    The rate and costs of a server beside those of a reference.

    Attributes:
        rate: Requests or bytes per second.
        ratio: The ratio of the rates; 2 is twice as fast as the reference.
        cost: CPU seconds for each request or byte.
        cost_ratio: The ratio of the costs; 2 is twice as expensive as the reference.
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
