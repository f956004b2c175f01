"""How costs grow: each is measured at a few sizes of what it could depend on, and its exponent says how."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks import bookkeeping, changed_databases, fetched_packages, leaving
from benchmarks.lab import Lab
from benchmarks.report import Aim, Result

NAME = "growth"
# The exponent of a cost that does not depend on the size, and of one that is in proportion to it, with what measuring adds.
FLAT = 0.2
LINEAR = 1.15

Costs = Sequence[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Section:
    """
    One cost.

    Attributes:
        what: What costs, and what there is more and more of.
        unit: Of the cost as it is shown.
        factor: What makes that of what `costs` gives.
        exponent: The largest that is all right.
        costs: Measures the cost at each size; the sizes grow.
    """

    what: str
    unit: str
    factor: float
    exponent: float
    costs: Callable[[Lab], Costs]


# To add one: a function that returns (size, cost) for two sizes or more, and a line here.
SECTIONS: Sequence[Section] = (
    Section("CPU of a fetched package, packages in a row", "ms", 1e3, FLAT, fetched_packages.in_a_row),
    Section("CPU of a fetched package, files in a full spool", "ms", 1e3, FLAT, fetched_packages.into_a_full_spool),
    Section("a published package, files in the spool", "CPU us", 1e6, FLAT, bookkeeping.published),
    Section("reactor, a file comes into a cache, its files", "CPU ms", 1e3, LINEAR, bookkeeping.reactor_of_a_change),
    Section("thread, a file comes into a cache, its files", "CPU ms", 1e3, LINEAR, bookkeeping.thread_of_a_change),
    Section("an entry of a full memory, its entries", "CPU us", 1e6, FLAT, bookkeeping.remembered),
    Section("reactor, a peer leaves, names that are known", "CPU ms", 1e3, FLAT, lambda _: leaving.costs()),
    Section("reactor, a new database is taken, its packages", "CPU ms", 1e3, LINEAR, changed_databases.taken),
    Section("a request for a known file, packages of a changed database", "ms", 1e3, FLAT, changed_databases.known_file),
    Section("a request for a new file, packages of a changed database", "ms", 1e3, LINEAR, changed_databases.new_file),
    Section("start until the first answer, packages of the database", "s", 1.0, FLAT, changed_databases.start),
    Section("memory, packages of the database", "MB", 1.0, FLAT, changed_databases.memory),
)


def measure(lab: Lab) -> Iterator[Result]:
    """Measures each cost at each size; the exponent is that between the smallest and the largest: 0 is flat, 1 is proportional, 2 the square."""
    for section in SECTIONS:
        costs = section.costs(lab)
        for size, cost in costs:
            yield Result(NAME, f"{section.what}: {size:,}", cost * section.factor, section.unit)
        yield Result(NAME, section.what, exponent(costs), "exponent", aim=Aim(section.exponent, least=False))


def exponent(costs: Costs) -> float:
    """Returns the power of the size that the cost is in proportion to, by the first and the last of them."""
    (size, cost), (larger, higher) = costs[0], costs[-1]
    return math.log(higher / cost) / math.log(larger / size)
