"""The logs of a lab, and the defects that they tell of."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

# A traceback is a defect of pacserve, and so is an error that Twisted found when nobody had taken it.
_DEFECTS = ("Traceback (most recent call last)", "Unhandled", "[critical]")
# Lines that are shown from a defect on.
_SHOWN = 40


class Logs:
    """
    Looks through logs; each line is looked at once, so that a defect fails one test of several that share a lab.

    What other hosts and users do must never be a defect, so there is no test whose log may have one.
    """

    def __init__(self) -> None:
        self._seen: dict[Path, int] = {}

    def defects(self, folders: Iterable[Path]) -> list[str]:
        """Returns the defects in the logs of labs' hosts that were written since the last time, each with the lines behind it."""
        return [defect for folder in folders for log in sorted(folder.glob("h*/log/*.log")) for defect in self._in(log)]

    def _in(self, log: Path) -> list[str]:
        lines = log.read_text(errors="replace").splitlines()
        begin, self._seen[log] = self._seen.get(log, 0), len(lines)
        for number in range(begin, len(lines)):
            if any(word in lines[number] for word in _DEFECTS):
                shown = "\n".join(lines[max(begin, number - 1) : number + _SHOWN])
                return [f"{log}:{number + 1}:\n{shown}"]
        return []
