"""How slow the machine is while tests run on it: the limits of tests are those of an idle one."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

# From here on daemons are so late that what they save of each other's work says nothing of them.  Tests that run at once make half of it at most.
_STARVED = 4.0
_LOAD = Path("/proc/loadavg")


def slowness(load: str | None = None, cores: int | None = None) -> float:
    """
    Returns by how much work takes longer than on an idle machine, at least 1.

    It is the number of processes that want a core for each core there is, in the last minute or at this moment, whichever is more.

    Args:
        load: The content of `/proc/loadavg`, proc(5).
        cores: Those that this process may use.
    """
    fields = (load or _LOAD.read_text()).split()
    wanting = max(float(fields[0]), int(fields[3].partition("/")[0]))
    return max(1.0, wanting / (cores or len(os.sched_getaffinity(0))))


def limit(seconds: float) -> float:
    """Returns the seconds in which must be done what takes an idle machine so many at most."""
    return seconds * slowness()


def assert_at_most(figure: float, most: float, what: str, slow: float | None = None) -> None:
    """
    Asserts that a figure is small enough; on a machine that is starved of CPU it is reported with the warnings instead.

    Raises:
        AssertionError: It is not.
    """
    said = f"{what}: {figure:,.6g}, and at most {most:,.6g} was expected"
    if figure > most and (slow or slowness()) >= _STARVED:
        warnings.warn(f"{said}; the machine is too busy for this to count", stacklevel=2)
        return
    assert figure <= most, said
