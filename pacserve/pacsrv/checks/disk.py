"""Whether there is room for packages."""

from __future__ import annotations

from collections.abc import Iterable

from pacserve.pacsrv.facts import Facts, Folder
from pacserve.pacsrv.finding import Finding, doubtful, well, wrong
from pacserve.pacsrv.text import size

# Bytes: an upgrade of a few packages, and one of everything.
_WRONG, _DOUBTFUL = 64 << 20, 1 << 30


def check(facts: Facts) -> Iterable[Finding]:
    """pacman's first CacheDir and the spool have room."""
    for folder in facts.cache_dirs[:1]:
        if folder.free is not None:
            yield _judged(folder.path, folder.free, "remove old packages: paccache -r, or pacman -Sc")
    spool: Folder | None = facts.spool
    if spool is None or spool.free is None:
        return
    cure = "lower --spool-size, or choose another folder with --spool"
    kept = facts.status.spool if facts.status is not None else None
    if kept is not None and spool.free >= _DOUBTFUL and spool.free < kept.limit - kept.size:
        yield doubtful(f"{spool.path} may grow by {size(kept.limit - kept.size)}, and {size(spool.free)} are free", cure)
    else:
        yield _judged(spool.path, spool.free, cure)


def _judged(path: str, free: int, cure: str) -> Finding:
    text = f"{size(free)} are free in {path}"
    if free < _WRONG:
        return wrong(text, cure)
    return doubtful(text, cure) if free < _DOUBTFUL else well(text)
