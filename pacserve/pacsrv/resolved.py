"""What `pacman-conf` prints, as far as the doctor needs it.  Rules only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pacserve.pacsrv.reading import OPTIONS, parse_line


@dataclass(frozen=True, slots=True)
class Resolved:
    """
    A configuration with everything resolved.

    Attributes:
        cache_dirs: In pacman's order.
        signature_levels: The words of the SigLevel that counts in each repository.
    """

    cache_dirs: tuple[str, ...]
    signature_levels: Mapping[str, frozenset[str]]


def parse_resolved(printed: str) -> Resolved:
    """Reads it; a repository without a SigLevel has that of the options."""
    cache_dirs: list[str] = []
    levels: dict[str, set[str]] = {OPTIONS: set()}
    section = OPTIONS
    for line in map(parse_line, printed.splitlines()):
        if line.section is not None:
            section = line.section
            levels.setdefault(section, set())
        elif line.value and line.key == "SigLevel":
            levels[section].add(line.value)
        elif line.value and line.key == "CacheDir" and section == OPTIONS:
            cache_dirs.append(line.value)
    general = levels.pop(OPTIONS)
    return Resolved(tuple(dict.fromkeys(cache_dirs)), {name: frozenset(own or general) for name, own in levels.items()})
