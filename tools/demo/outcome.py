"""The traffic and time of an upgrade, read from the access logs, and the table that shows them.  Rules only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# A file that one host sent to another: GET /fetch/core/x86_64/NAME: 200 from download, 1234 bytes, 5.6 ms, for 10.77.0.12
_GIVEN = re.compile(r" GET /(?:fetch|package)/\S+: 20[06] .*?, (\d+) bytes, .* for (\S+)$")
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Share:
    """
    The bytes that one host received.

    Attributes:
        mirror: Bytes from the mirror.
        peers: Bytes from each other host, by its name.
        seconds: Seconds until its pacman had ended.
    """

    host: str
    mirror: int
    peers: Mapping[str, int]
    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    The outcome of an upgrade of all hosts at the same moment.

    Attributes:
        wan: Bytes that the link to the mirror carried towards the hosts, including packet headers.
    """

    title: str
    shares: Sequence[Share]
    wan: int

    @property
    def seconds(self) -> float:
        """Seconds until the last host was done."""
        return max(share.seconds for share in self.shares)


def given(log: Iterable[str]) -> dict[str, int]:
    """Returns the bytes that a daemon gave to other hosts, by their addresses, according to its access log."""
    found: dict[str, int] = {}
    for line in log:
        if match := _GIVEN.search(line.rstrip()):
            found[match[2]] = found.get(match[2], 0) + int(match[1])
    return found


def table(outcomes: Sequence[Outcome]) -> str:
    """Returns a table of the bytes that each host got from each source, and that the link to the mirror carried."""
    hosts = [share.host for share in outcomes[0].shares]
    rows = [("", "", "from mirror", *(f"from {host}" for host in hosts), "time", "WAN carried")]
    for outcome in outcomes:
        for place, share in enumerate(outcome.shares):
            peers = [_megabytes(share.peers.get(host, 0)) for host in hosts]
            rows.append((outcome.title if place == 0 else "", share.host, _megabytes(share.mirror), *peers, f"{share.seconds:.1f} s", ""))
        total = [_megabytes(sum(share.peers.get(host, 0) for share in outcome.shares)) for host in hosts]
        mirror = _megabytes(sum(share.mirror for share in outcome.shares))
        rows.append(("", "all", mirror, *total, f"{outcome.seconds:.1f} s", _megabytes(outcome.wan)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        if number % (len(hosts) + 1) == 1:
            lines.append("-" * (sum(widths) + 2 * (len(widths) - 1)) + "\n")
        cells = [cell.ljust(width) if column < 2 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cells).rstrip() + "\n")
    return "".join(lines)


def summary(ours: Outcome, theirs: Outcome) -> str:
    """Returns the essence of the table in a sentence."""
    return (
        f"With pacserve the WAN carried {ours.wan / _MEGABYTE:.1f} MB instead of {theirs.wan / _MEGABYTE:.1f} MB "
        f"({theirs.wan / ours.wan:.1f} times less), and all were done after {ours.seconds:.1f} s instead of {theirs.seconds:.1f} s.\n"
    )


def _megabytes(size: int) -> str:
    return f"{size / _MEGABYTE:.1f} MB" if size else "-"
