"""The values that `/why` returns.  Rules only; every value is a number or text for people."""

from __future__ import annotations

from dataclasses import dataclass

from pacserve.report.status import Record


@dataclass(frozen=True, slots=True)
class Reason:
    """
    One candidate for a file, and why it is used or not.

    Attributes:
        who: `cache`, `peer 10.0.0.3:15678`, `download`, `mirror http://example.org`.
        verdict: `used` for the one that the file would come from, `next` for those that would be tried after it, `no` for the others.
        reason: The reason for the verdict, in words.
    """

    who: str
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class Why:
    """
    The answer of `/why`: where a file would come from now.

    Attributes:
        repository: That of pacman; for apt the folder of the mirror below which the repository lies.
        size: Bytes that the database, or the lists of apt, state; None where they do not have the file.
        last: The last requests for it, the latest first.
        system: The package system that knows it, `pacman` or `apt`.
        shared_as: The name under which hosts share it, where that is another one; empty for a file that is not shared.
        others: The same of other package systems that know a file of that name.
    """

    repository: str
    name: str
    size: int | None
    candidates: tuple[Reason, ...]
    last: tuple[Record, ...]
    system: str = "pacman"
    shared_as: str = ""
    others: tuple[Why, ...] = ()
