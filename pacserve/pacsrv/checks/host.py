"""Checks of this host: the daemon, its rights in the package caches, free space and the clock."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from pacserve.pacsrv.facts import Facts
from pacserve.pacsrv.finding import Finding, doubtful, some, well, wrong
from pacserve.pacsrv.text import size, span

# 2025-01-01, in seconds since the epoch: this program is younger.
_EARLIEST_TIME = 1_735_689_600
# Seconds of difference.  Keys and certificates are valid from some minutes before they were made.
_WRONG_OFFSET, _DOUBTFUL_OFFSET = 300, 60
# Bytes: room for an upgrade of a few packages, and for an upgrade of everything.
_WRONG_SPACE, _DOUBTFUL_SPACE = 64 << 20, 1 << 30

_CLOCK_CURE = "set the clock: timedatectl set-ntp true"


def check_daemon(facts: Facts) -> Iterable[Finding]:
    """Checks that the daemon answers on localhost and tells its state."""
    if facts.silence:
        yield wrong(
            f"pacserve does not answer on localhost:{facts.port}: {facts.silence}",
            f"start it: {facts.setup}, systemctl enable --now pacserve, or pacserve --multicast; name its port with pacsrv --port PORT doctor",
        )
    elif facts.status is None:
        yield wrong(f"pacserve does not tell its state: {facts.no_status}", "install the same version of pacserve and pacsrv, and restart pacserve")
    else:
        yield well(f"pacserve {facts.status.host.version} answers on localhost:{facts.port}")


def check_package_caches(facts: Facts) -> Iterable[Finding]:
    """Checks that the daemon's user can read every package in every CacheDir."""
    if facts.silence:  # without a daemon there is no user whose rights could be checked
        return
    readable = []
    for folder in facts.cache_dirs:
        if folder.missing:
            yield doubtful(f"the package cache {folder.path} is missing", "pacman makes it with its first download")
        elif folder.problem:
            yield wrong(f"{folder.path}: {folder.problem}", f"chmod -R a+rX {folder.path}, or let pacserve run as a user who may read it")
        elif folder.doubt:
            yield doubtful(f"{folder.path}: {folder.doubt}", "run pacsrv doctor as root to find out")
        else:
            readable.append(folder.path)
    if readable:
        yield well(f"pacserve can read {some(readable)}")


def check_disk(facts: Facts) -> Iterable[Finding]:
    """Checks that pacman's first CacheDir, into which it downloads, and the spool have room."""
    for folder in facts.cache_dirs[:1]:
        if folder.free is not None:
            yield _judged_space(folder.path, folder.free, "remove old packages: paccache -r, or pacman -Sc")
    spool = facts.spool
    if spool is None or spool.free is None:
        return
    cure = "lower --spool-size, or choose another folder with --spool"
    kept = facts.status.spool if facts.status is not None else None
    if kept is not None and spool.free >= _DOUBTFUL_SPACE and spool.free < kept.limit - kept.size:
        yield doubtful(f"{spool.path} may grow by {size(kept.limit - kept.size)}, but only {size(spool.free)} are free", cure)
    else:
        yield _judged_space(spool.path, spool.free, cure)


def check_spool(facts: Facts) -> Iterable[Finding]:
    """Checks that the daemon can use its spool, where its options want one."""
    if facts.status is None:
        return
    host, spool = facts.status.host, facts.status.spool
    if spool is not None:
        yield well(f"pacserve keeps downloads in {spool.directory}")
    elif {host.misses, host.hits} != {"redirect"}:
        yield wrong(
            "the spool can't be used: nothing is downloaded or checked here, and pacman is redirected",
            "the log has the reason (journalctl -u pacserve); give pacserve's user another folder with --spool",
        )


def _judged_space(path: str, free: int, cure: str) -> Finding:
    text = f"{size(free)} are free in {path}"
    if free < _WRONG_SPACE:
        return wrong(text, cure)
    return doubtful(text, cure) if free < _DOUBTFUL_SPACE else well(text)


def check_clock(facts: Facts) -> Iterable[Finding]:
    """
    Checks that this host's clock agrees with most of those that its peers and mirrors state.

    Signatures, certificates and HTTP dates are judged by it.
    """
    if facts.now < _EARLIEST_TIME:
        yield wrong("the clock is years behind: signatures seem to be from the future", _CLOCK_CURE)
        return
    if not facts.clocks:
        yield well("the clock is plausible; there is no other host to compare it with")
        return
    offset = statistics.median(clock.seconds for clock in facts.clocks)
    others = some(clock.host for clock in facts.clocks)
    text = f"the clock is {span(abs(offset))} {'behind' if offset > 0 else 'ahead of'} {others}"
    if abs(offset) > _WRONG_OFFSET:
        yield wrong(text, _CLOCK_CURE)
    elif abs(offset) > _DOUBTFUL_OFFSET:
        yield doubtful(text, _CLOCK_CURE)
    else:
        yield well(f"the clock agrees with {others}")
