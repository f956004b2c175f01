"""The table at the end of a soak.  Rules only."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tools.soak.readings import Course, Reading, defects, descriptors, memory, unusual_lines
from tools.soak.runs import Cause, Record, Run

_MEGABYTE = 1_000_000
_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class HostFigures:
    """
    The figures of one host.

    Attributes:
        starts: How often its daemon was started.
        resident: True if its daemon was never ended.
        log: The lines of its daemons.
    """

    name: str
    starts: int
    resident: bool
    readings: Sequence[Reading]
    log: Sequence[str]


def report(record: Record, hosts: Sequence[HostFigures], wan: int, seconds: float) -> tuple[str, list[str]]:
    """
    Returns the table, and what is wrong: one sentence for each fault, none if all is well.

    Args:
        wan: The bytes of packages that the mirror sent.
        seconds: The duration of the soak.
    """
    by_cause = record.by_cause()
    payload = sum(record.landed.values())
    alone = sum(run.landed for run in record.runs if not run.own_daemon)
    lines = Counter[str]()
    for host in hosts:
        lines.update(unusual_lines(host.log))
    broken = sum(defects(host.log) for host in hosts)
    text = [
        f"{seconds / 60:.1f} minutes, {len(hosts)} hosts, {len(record.runs)} runs of pacman",
        "",
        *_runs(by_cause),
        "",
        *_hosts(hosts),
        "",
        f"  wrong files                    {len(record.wrong_files)}",
        f"  tracebacks                     {broken}",
        f"  WAN bytes over payload         {_ratio(wan, payload)}   ({wan / _MEGABYTE:.0f} MB for {payload / _MEGABYTE:.0f} MB)",
        f"  the same with own daemons      {_ratio(wan - alone, payload)}   ({alone / _MEGABYTE:.0f} MB came in runs that began without one)",
        f"  changes                        {', '.join(f'{name} {count}' for name, count in sorted(record.counts.items()))}",
        "",
        f"  log lines above info           {sum(lines.values())}",
        *(f"    {count:6} {line[:160]}" for line, count in lines.most_common(_MOST_SHOWN)),
    ]
    return "\n".join(text) + "\n", _faults(record, hosts, len(by_cause.get(Cause.UNEXPLAINED, ())), broken)


def _ratio(part: float, whole: float) -> str:
    return f"{part / whole:.2f}" if whole else "-"


def _runs(by_cause: Mapping[Cause, Sequence[Run]]) -> Iterable[str]:
    yield f"  {'runs':>6}  {'median':>8}  {'longest':>8}  end"
    for kind in Cause:
        if runs := by_cause.get(kind):
            seconds = [run.seconds for run in runs]
            yield f"  {len(runs):6}  {statistics.median(seconds):6.1f} s  {max(seconds):6.1f} s  {kind.value}"


def _hosts(hosts: Sequence[HostFigures]) -> Iterable[str]:
    memory_columns = f"{'memory in MB: start':>20}{'warm':>7}{'end':>7}{'most':>7}"
    file_columns = f"{'open files: start':>18}{'warm':>6}{'end':>6}{'most':>6}"
    yield f"  {'host':6}{'starts':>7}  {memory_columns}   {file_columns}"
    for host in hosts:
        used, files = memory(host.readings), descriptors(host.readings)
        if used is None or files is None:
            yield f"  {host.name:6}{host.starts:7}"
            continue
        name = f"{host.name}{'*' if host.resident else ''}"
        yield f"  {name:6}{host.starts:7}  {_row(used, 20, 7, 1)}   {_row(files, 18, 6, 0)}"
    yield "  * its daemon was never ended"


def _row(course: Course, first: int, width: int, digits: int) -> str:
    return f"{course.start:{first}.{digits}f}" + "".join(f"{value:{width}.{digits}f}" for value in (course.warm, course.end, course.highest))


def _faults(record: Record, hosts: Sequence[HostFigures], unexplained: int, broken: int) -> list[str]:
    found = [*record.faults, *record.wrong_files]
    if unexplained:
        found.append(f"{unexplained} runs of pacman failed, and nothing explains it")
    if broken:
        found.append(f"{broken} tracebacks in the logs of daemons")
    if not record.runs:
        found.append("pacman never ran")
    for host in hosts:
        used, files = memory(host.readings), descriptors(host.readings)
        if used is not None and used.grows:
            found.append(f"{host.name}: the memory of the daemon grows")
        if files is not None and files.grows:
            found.append(f"{host.name}: the daemon has more and more open files")
    return found
