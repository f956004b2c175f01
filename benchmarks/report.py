"""The measured figures: as lines, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TextIO


@dataclass(frozen=True, slots=True)
class Aim:
    """
    The goal for a figure.

    Attributes:
        limit: In the unit of the value or ratio that is judged.
        least: True if the limit is the lowest acceptable value, False if it is the highest.
        of_ratio: True if the ratio to the reference is judged, False for the value.
    """

    limit: float
    least: bool
    of_ratio: bool = False

    def met(self, value: float, ratio: float | None) -> bool:
        """Returns whether a value, or its ratio to the reference, meets the aim."""
        judged = ratio if self.of_ratio else value
        if judged is None:
            raise ValueError("an aim for a ratio, and no reference")
        return judged >= self.limit if self.least else judged <= self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.least else '<='} {_figure(self.limit)}{'x' if self.of_ratio else ''}"


@dataclass(frozen=True, slots=True)
class Result:
    """
    One figure: a median of several repetitions.

    Attributes:
        benchmark: The name by which the benchmark is chosen.
        reference: The same figure of the program that pacserve is compared with; None where there is none.
        ratio: The median of the ratios of each repetition, which is steadier than the ratio of the medians.
    """

    benchmark: str
    what: str
    value: float
    unit: str
    reference: float | None = None
    ratio: float | None = None
    aim: Aim | None = None

    @property
    def met(self) -> bool | None:
        """True if the aim was met, None where there is no aim."""
        return None if self.aim is None else self.aim.met(self.value, self.ratio)


# Benchmarks of which the last line says how long they took.
_LONGEST = 5
_HEADINGS = ("benchmark", "what", "pacserve", "nginx", "ratio", "unit", "aim", "met")


def table(results: Sequence[Result]) -> str:
    """Returns the results as aligned columns, with a newline at the end."""
    rows = [_HEADINGS, *(_row(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    numbers = (2, 3, 4)
    lines = []
    for row in rows:
        cells = [cell.rjust(width) if column in numbers else cell.ljust(width) for column, (cell, width) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cells).rstrip() + "\n")
    return "".join(lines)


def line(result: Result) -> str:
    """Returns one result as a line of text, without a newline."""
    _, what, value, reference, ratio, unit, aim, met = _row(result)
    beside = ", ".join([*([f"beside {reference}"] if reference else []), *([ratio] if ratio else []), *([f"aim {aim}: {met}"] if aim else [])])
    return f"  {what}: {value} {unit}".rstrip() + (f" ({beside})" if beside else "")


def shown(results: Iterable[Result], out: TextIO) -> Iterator[Result]:
    """Yields the results, each after its line was written, so that a figure is seen as soon as it is measured."""
    for result in results:
        out.write(line(result) + "\n")
        out.flush()
        yield result


def closing(took: Mapping[str, float], left_out: Sequence[str]) -> str:
    """
    Returns the last lines: how long it took, which benchmarks took most of it, and which were left out.

    Args:
        took: Seconds by the name of the benchmark.
        left_out: The names of the benchmarks for which there is no time in a run of all.
    """
    longest = sorted(took, key=lambda name: -took[name])[:_LONGEST]
    lines = [f"Medians, taken in {sum(took.values()):.0f} s; of these {', '.join(f'{name} {took[name]:.0f} s' for name in longest)}."]
    if left_out:
        lines.append(f"Left out, since they take long: {', '.join(left_out)}. Each is measured when it is named: make bench ARGS={left_out[0]}")
    return "\n".join(lines)


def as_json(results: Sequence[Result]) -> str:
    """Returns the results as a JSON list of objects, unrounded."""
    return (
        json.dumps([{**asdict(result), "aim": None if result.aim is None else str(result.aim), "met": result.met} for result in results], indent=2)
        + "\n"
    )


def _row(result: Result) -> tuple[str, ...]:
    return (
        result.benchmark,
        result.what,
        _figure(result.value),
        "" if result.reference is None else _figure(result.reference),
        "" if result.ratio is None else f"{result.ratio:.2f}x",
        result.unit,
        "" if result.aim is None else str(result.aim),
        {True: "yes", False: "NO", None: ""}[result.met],
    )


def _figure(value: float) -> str:
    """Returns a number with three significant digits."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
