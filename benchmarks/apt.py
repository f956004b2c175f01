"""apt through pacserve, beside apt alone and apt-cacher-ng: many hosts at once and in turns, one host, many small files, and updates."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

from benchmarks.apt_hosts import APT_CACHER_NG, AptHosts, Taken, Way
from benchmarks.apt_stock import AptStock
from benchmarks.lab import Lab
from benchmarks.report import Aim, Result
from benchmarks.servers import BenchmarkError, SkippedError
from tests.e2e.lab import Link
from tests.e2e.lab.requirements import missing, trial

NAME = "apt"
_RTT = 20.0
_FAST, _SLOW = 100.0, 12.0
_CROWDS = (4, 8)
_NEIGHBOURS = 4
# The round trip of the mirror with the small files, which is not shaped.
_FAR_RTT = 100.0
# apt's own, with which apt-cacher-ng is measured: without them most of its hosts fail.
_RETRIES = 3
# How often one host is measured, whose times are short and differ by little.
_OFTEN = 5


def measure(lab: Lab) -> Iterator[Result]:
    """
    Measures hosts that download fifty packages, 32.7 MB, with real apt-get that checks them, from a mirror 20 ms away.

    Each figure comes from a new LAN, in which the hosts have the lists and nothing else.  WAN bytes are those that the mirror's interface sent while
    packages were downloaded: nginx's log would count what it gave to the kernel for connections that were cut.  apt-cacher-ng runs on a host
    of its own.  It is measured with apt's usual retries, which hide its errors, and pacserve without any.  The hosts share the cores of this
    machine: at 100 Mbit/s these take their part in each time.

    Raises:
        SkippedError: The LAN can't be made here; or, after all other figures, apt-cacher-ng is not installed.
    """
    reason = missing() or trial(lab.folder / "trial")
    if reason:
        raise SkippedError(reason.replace("end-to-end tests need", "needs"))
    absent = [program for program in ("apt-get", "apt-helper") if _found(program) is None]
    if absent:
        raise SkippedError(f"needs {', '.join(absent)}")
    stock = AptStock(lab.folder / "stock")
    try:
        yield from _Downloads(lab, stock).measure()
    except (RuntimeError, TimeoutError, subprocess.TimeoutExpired) as error:
        raise BenchmarkError(str(error)) from error
    finally:
        stock.close()
    if not _has_cacher():
        raise SkippedError(f"{APT_CACHER_NG} is not installed, the others were measured")


class _Downloads:
    """All measurements with the packages of a stock."""

    def __init__(self, lab: Lab, stock: AptStock) -> None:
        self._lab, self._stock = lab, stock
        self._wan = Link(_FAST, _RTT)

    def measure(self) -> Iterator[Result]:
        """Measures one host first, and the long downloads over a slow line last."""
        yield from self._measure_alone()
        yield from self._measure_small()
        yield from self._measure_update()
        crowds = _CROWDS[:1] if self._lab.quick else _CROWDS
        for hosts in crowds:
            yield from self._measure_together(_FAST, hosts, self._lab.repetitions)
        yield from self._measure_turns()
        if not self._lab.quick:
            for hosts in crowds:
                yield from self._measure_together(_SLOW, hosts, 1)

    def _measure_alone(self) -> Iterator[Result]:
        """Measures the fifty packages on a host that has no peers."""
        pairs = self._pairs(Way.DIRECT, self._wan, self._all_at_once)
        aim = Aim(1.05, least=False, of_ratio=True)
        yield _beside(f"one host, {len(self._stock.upgrade)} packages (beside: apt alone)", "s", pairs, lambda one: one.seconds, aim)
        yield Result(NAME, "the same, CPU of pacserve", statistics.median(ours.cpu for _, ours in pairs), "CPU s")

    def _measure_small(self) -> Iterator[Result]:
        """Measures small packages of a mirror that is far away: apt asks for ten of them before the first has come."""
        pairs = self._pairs(Way.DIRECT, Link(rtt_ms=_FAR_RTT), lambda lan: lan.together(self._stock.small))
        what = f"one host, {len(self._stock.small)} small packages, {_FAR_RTT:.0f} ms (beside: apt alone)"
        yield _beside(what, "s", pairs, lambda one: one.seconds, Aim(1.2, least=False, of_ratio=True))

    def _measure_update(self) -> Iterator[Result]:
        """Measures an update of lists that have not changed."""
        pairs = self._pairs(Way.DIRECT, self._wan, AptHosts.update)
        yield _beside("one host, update, nothing is new (beside: apt alone)", "s", pairs, lambda one: one.seconds)
        yield _beside("the same, WAN (beside: apt alone)", "bytes", pairs, lambda one: one.wan)
        if _has_cacher():
            cached = self._once(Way.CACHER, self._wan, AptHosts.update)
            yield Result(NAME, f"the same by {APT_CACHER_NG} instead", cached.seconds, "s")
            yield Result(NAME, f"the same by {APT_CACHER_NG} instead, WAN", cached.wan, "bytes")

    def _measure_together(self, mbit: float, hosts: int, repetitions: int) -> Iterator[Result]:
        """Measures hosts that download at the same moment."""
        wan = Link(mbit, _RTT)
        pairs = []
        for _ in range(repetitions):
            cached = [self._once(Way.CACHER, wan, self._with_retries, hosts)] if _has_cacher() else []
            pairs.append(([*cached], self._once(Way.PACSERVE, wan, self._all_at_once, hosts)))
        yield from self._compared(f"{hosts} hosts at once, {mbit:.0f} Mbit/s", pairs, Aim(1.03, least=False), Aim(1.1, least=False, of_ratio=True))
        if mbit < _FAST:
            return  # apt alone would take the time of as many hosts as there are, up to three minutes
        if _has_cacher():
            failed = self._once(Way.CACHER, wan, self._all_at_once, hosts).failed
            yield Result(NAME, f"the same by {APT_CACHER_NG} instead, hosts that failed without retries", failed, "")
        alone = self._once(Way.DIRECT, wan, self._all_at_once, hosts)
        yield Result(NAME, "the same by apt alone instead, WAN bytes for each of the payload", self._multiple(alone), "")
        yield Result(NAME, "the same by apt alone instead, until the last has all", alone.seconds, "s")

    def _measure_turns(self) -> Iterator[Result]:
        """Measures hosts that download one after the other."""

        def download(lan: AptHosts) -> Taken:
            return lan.in_turns(self._stock.upgrade)

        cached = [self._once(Way.CACHER, self._wan, download, _NEIGHBOURS)] if _has_cacher() else []
        pairs = [(cached, self._once(Way.PACSERVE, self._wan, download, _NEIGHBOURS))]
        yield from self._compared(f"{_NEIGHBOURS} hosts in turns, {_FAST:.0f} Mbit/s", pairs, Aim(1.01, least=False))

    def _compared(self, what: str, pairs: Sequence[tuple[Sequence[Taken], Taken]], wan: Aim, time: Aim | None = None) -> Iterator[Result]:
        """Gives the figures of pacserve, beside those of apt-cacher-ng where it is installed."""
        beside = f" (beside: {APT_CACHER_NG})" if _has_cacher() else ""
        yield _beside(f"{what}: WAN bytes for each of the payload{beside}", "", pairs, self._multiple, wan)
        yield _beside(f"{what}: until the last has all{beside}", "s", pairs, lambda one: one.seconds, time if beside else None)
        failed = sum(ours.failed for _, ours in pairs)
        yield Result(NAME, f"{what}: hosts that failed, without retries", failed, "", aim=Aim(0, least=False))

    def _pairs(self, other: Way, wan: Link, run: Callable[[AptHosts], Taken]) -> list[tuple[Sequence[Taken], Taken]]:
        """Measures one host in turns: by another way, and through pacserve."""
        repetitions = 1 if self._lab.quick else _OFTEN
        return [([self._once(other, wan, run)], self._once(Way.PACSERVE, wan, run)) for _ in range(repetitions)]

    def _once(self, way: Way, wan: Link, run: Callable[[AptHosts], Taken], hosts: int = 1) -> Taken:
        """Measures in a LAN of its own."""
        with AptHosts(self._lab, self._stock, way, wan, hosts=hosts) as lan:
            taken = run(lan)
            if taken.failed:
                sys.stderr.write(f"{way.value}: {taken.failed} of {hosts} hosts failed, {lan.complaint()}\n")
            return taken

    def _all_at_once(self, lan: AptHosts) -> Taken:
        return lan.together(self._stock.upgrade)

    def _with_retries(self, lan: AptHosts) -> Taken:
        return lan.together(self._stock.upgrade, retries=_RETRIES)

    def _multiple(self, taken: Taken) -> float:
        """Returns the WAN bytes for each of the payload."""
        return taken.wan / self._stock.size(self._stock.upgrade)


def _beside(what: str, unit: str, pairs: Sequence[tuple[Sequence[Taken], Taken]], figure: Callable[[Taken], float], aim: Aim | None = None) -> Result:
    """Returns a figure of pacserve beside the same of others, in whose place there may be none."""
    ours = statistics.median(figure(one) for _, one in pairs)
    both = [(figure(other), figure(one)) for others, one in pairs for other in others]
    if not both:
        return Result(NAME, what, ours, unit, aim=aim)
    ratio = statistics.median(one / other if other else 0.0 for other, one in both)
    return Result(NAME, what, ours, unit, statistics.median(other for other, _ in both), ratio, aim)


def _found(program: str) -> str | None:
    return shutil.which(program, path="/usr/lib/apt:/usr/bin:/bin")


def _has_cacher() -> bool:
    return shutil.which(APT_CACHER_NG) is not None
