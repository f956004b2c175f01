"""Whether the daemon may read the package caches."""

from __future__ import annotations

from collections.abc import Iterable

from pacserve.pacsrv.facts import Facts
from pacserve.pacsrv.finding import Finding, doubtful, some, well, wrong


def check(facts: Facts) -> Iterable[Finding]:
    """Every package in every CacheDir can be read by the daemon's user."""
    if facts.silence:  # who would read them is not known
        return
    readable = []
    for folder in facts.cache_dirs:
        if folder.missing:
            yield doubtful(f"the package cache {folder.path} is missing", "pacman makes it with its first download")
        elif folder.problem:
            yield wrong(
                f"{folder.path}: {folder.problem}", f"chmod a+rX {folder.path} and what is in it, or let pacserve run as a user who may read it"
            )
        elif folder.doubt:
            yield doubtful(f"{folder.path}: {folder.doubt}", "run pacsrv doctor as root to find out")
        else:
            readable.append(folder.path)
    if readable:
        yield well(f"pacserve can read {some(readable)}")
