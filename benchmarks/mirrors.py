"""Several mirrors at once: pacserve with three mirrors, with one, and aria2 with the same three; faults of one of them; many hosts with three."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks import followers
from benchmarks.lab import Lab
from benchmarks.report import Aim, Result
from benchmarks.servers import BenchmarkError, SkippedError
from benchmarks.stock import Stock
from benchmarks.wan import ARIA2, Far, Taken, Wan, aria2_version, wait_until_known
from tests.e2e.lab import Lab as Hosts
from tests.e2e.lab import Link, Mirror
from tests.e2e.lab.requirements import missing, trial

NAME = "mirrors"
_MBIT, _NEAR_MS = 50.0, 5.0
_THREE = 3
_HOSTS = 8
# Kinds of packages: their bytes, and how many there are, one for each repetition of a measurement.
_SMALL, _MEDIUM, _LARGE, _PART, _CRUMB = "small", "medium", "large", "part", "crumb"
_KINDS = {
    _SMALL: (1_000_000, 12),
    _MEDIUM: (8_500_000, 12),
    _LARGE: (100_000_000, 6),
    _PART: (20_000_000, 10),
    _CRUMB: (500_000, 100),
    **followers.KINDS,
}
_QUICK_LARGE = 20_000_000
_LARGE_KINDS = (_SMALL, _MEDIUM, _LARGE)
# Seconds after the beginning at which a mirror fails, and one that was slow becomes fast.
_FAILS_AFTER = 2.0
_KNOWN_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One that one of three mirrors has, the first of the mirrorlist.

    Attributes:
        directives: More lines of nginx's `server` block.
        mbit: The rate of its link at first.
        happens: What happens to it after a while.
    """

    directives: str = ""
    mbit: float = _MBIT
    happens: Callable[[Hosts, Mirror], None] | None = None


_FAULTS: Mapping[str, Fault] = {
    "lacks the file": Fault(r"location ~ \.pkg\.tar\.zst$ { return 404; }"),
    "hangs in mid-file": Fault(happens=lambda _, mirror: mirror.freeze()),
    "is killed in mid-file": Fault(happens=lambda _, mirror: mirror.kill()),
    "has a tenth of the rate": Fault(mbit=_MBIT / 10),
    "has a tenth of the rate at first": Fault(mbit=_MBIT / 10, happens=lambda lan, mirror: lan.change_rate(mirror, _MBIT)),
}


def measure(lab: Lab) -> Iterator[Result]:
    """
    Measures downloads from three mirrors of 50 Mbit/s each out in the Internet, each on a link of its own.

    Wall time is that from the start of a client (curl) until it has the last byte and has ended; that of aria2 is the same of itself.  Both
    have nothing of the file before.  pacserve computes the SHA-256 and compares it with that of the database meanwhile, aria2 does not.  Links are
    emulated on this machine: a rate by tc, the round-trip time by a program, whose CPU time is taken from the cores that all others share.

    Raises:
        SkippedError: The hosts can't be made here; or, after all figures of pacserve, aria2 is not installed.
    """
    reason = missing() or trial(lab.folder / "trial")
    if reason:
        raise SkippedError(reason.replace("end-to-end tests need", "needs"))
    version = aria2_version()
    sys.stderr.write(f"aria2 {version}\n" if version else f"{ARIA2} is not installed: pacserve is measured alone\n")
    kinds = {**_KINDS, _LARGE: (_QUICK_LARGE, _KINDS[_LARGE][1])} if lab.quick else _KINDS
    stock = Stock(lab.folder / "stock", kinds)
    try:
        yield from _Mirrors(lab, stock, aria2=bool(version)).measure()
        yield from followers.measure(lab, stock, NAME)
    except (RuntimeError, TimeoutError, subprocess.TimeoutExpired) as error:
        raise BenchmarkError(str(error)) from error
    finally:
        stock.close()
    if not version:
        raise SkippedError(f"{ARIA2} is not installed, pacserve was measured")


class _Mirrors:
    """
    All measurements with three mirrors.

    Args:
        aria2: True if it is there to be compared with.
    """

    def __init__(self, lab: Lab, stock: Stock, *, aria2: bool) -> None:
        self._lab, self._stock, self._aria2 = lab, stock, aria2
        self._megabytes = {kind: f"{stock.package(stock.names(kind)[0]).size / 1e6:.3g} MB" for kind in _KINDS}
        self._near = Far(Link(_MBIT, _NEAR_MS))

    def measure(self) -> Iterator[Result]:
        """Measures sizes, several files, distances, faults, and many hosts."""
        for kind in _LARGE_KINDS:
            yield from self._measure_size(kind)
        yield from self._measure_several(_PART, 5, Aim(6.1, least=False))
        yield from self._measure_several(_CRUMB, 50, Aim(1.2, least=False, of_ratio=True))
        yield from self._measure_distances()
        yield from self._measure_faults()
        yield from self._measure_hosts()

    def _measure_size(self, kind: str) -> Iterator[Result]:
        """Measures one file of a size, by three mirrors and by one."""
        names = self._stock.names(kind)
        repetitions = min(self._lab.repetitions, len(names) // 2)
        ours, theirs = self._compare([[name] for name in names[-repetitions:]], self._near)
        with self._wan([self._near]) as wan:
            wan.start_daemons()
            single = [wan.through_pacserve([name]) for name in names[-1:]]
        what = f"{self._megabytes[kind]}, three mirrors"
        aim = Aim(5.9, least=False) if kind == _LARGE and not self._lab.quick else None
        yield self._beside(f"{what} (beside: aria2)", "s", ours, theirs, lambda one: one.wall, aim)
        yield Result(NAME, f"{self._megabytes[kind]}, one mirror", single[0].wall, "s")
        yield Result(NAME, f"{what}, first byte", statistics.median(one.first for one in ours) * 1e3, "ms")
        yield self._beside(f"{what} (beside: aria2)", "CPU s", ours, theirs, lambda one: one.cpu)
        yield Result(NAME, f"{self._megabytes[kind]}, one mirror", single[0].cpu, "CPU s")
        yield self._beside(f"{what} (beside: aria2)", "MB resident at most", ours, theirs, lambda one: one.peak)
        if kind == _LARGE:
            with self._wan([self._near] * _THREE) as wan:
                wan.start_daemons()
                yield Result(NAME, f"{what}, by pacman, which checks it as well", wan.by_pacman(names[0]), "s")

    def _measure_several(self, kind: str, count: int, aim: Aim) -> Iterator[Result]:
        """Measures several files that are asked for at once."""
        names = self._stock.names(kind)
        repetitions = min(self._lab.repetitions, len(names) // count)
        ours, theirs = self._compare([names[number * count :][:count] for number in range(repetitions)], self._near)
        what = f"{count} files of {self._megabytes[kind]}, three mirrors (beside: aria2)"
        judged = aim if theirs or not aim.of_ratio else None
        yield self._beside(what, "s", ours, theirs, lambda one: one.wall, judged)
        yield self._beside(what, "CPU s", ours, theirs, lambda one: one.cpu)

    def _measure_distances(self) -> Iterator[Result]:
        """Measures one large file over far links, and over near ones that lose packets."""
        name = self._stock.names(_LARGE)[0]
        for rtt, loss in ((50.0, 0.0),) if self._lab.quick else ((50.0, 0.0), (200.0, 0.0), (_NEAR_MS, 0.1)):
            ours, theirs = self._compare([[name]], Far(Link(_MBIT, rtt, loss)))
            what = f"{self._megabytes[_LARGE]}, three mirrors, {rtt:.0f} ms{f', {loss} % loss' if loss else ''} (beside: aria2)"
            yield self._beside(what, "s", ours, theirs, lambda one: one.wall, Aim(1.2, least=False, of_ratio=True) if theirs else None)

    def _measure_faults(self) -> Iterator[Result]:
        """Measures one large file with a mirror that fails, beside the same without that mirror."""
        names = self._stock.names(_LARGE)
        size = self._megabytes[_LARGE]
        good = self._fetch([self._near] * (_THREE - 1), names[0])
        yield Result(NAME, f"{size}, two mirrors", good, "s")
        for label, fault in list(_FAULTS.items())[:2] if self._lab.quick else _FAULTS.items():
            bad = replace(self._near, link=Link(fault.mbit, _NEAR_MS), directives=fault.directives)
            seconds = self._fetch([bad, self._near, self._near], names[0], fault.happens)
            yield self._against(f"{size}, one of three {label} (beside: two mirrors)", seconds, good, 1.1)
        self._stock.add_wrong(_LARGE)
        with self._wan([replace(self._near, wrong=True), self._near, self._near]) as wan:
            wan.start_daemons()
            seconds = wan.until_spooled(names[0])
        yield self._against(f"{size}, one of three is wrong, until the spool has it (beside: two mirrors)", seconds, good, 1.6)
        seconds = self._fetch([self._near, Far(Link(), behind=0), self._near], names[0])
        yield self._against(f"{size}, two of three behind one link (beside: two mirrors)", seconds, good, 1.05)

    def _measure_hosts(self) -> Iterator[Result]:
        """Measures hosts of a LAN that fetch one file at the same moment, beside one host."""
        name = self._stock.names(followers.LONG)[0]
        alone = self._fetch([self._near] * _THREE, name)
        with self._wan([self._near] * _THREE, hosts=_HOSTS) as wan:
            wan.start_daemons("--multicast")
            wait_until_known(wan.lan.hosts, _KNOWN_TIMEOUT)
            taken = wan.together(name)
            sent = wan.sent()
        what = f"{_HOSTS} hosts, {self._megabytes[followers.LONG]}, three mirrors"
        yield self._against(f"{what}, last (beside: one host)", max(taken), alone, 1.2)
        yield Result(NAME, f"{what}, WAN bytes for each of the payload", sent / self._stock.package(name).size, "", aim=Aim(1.03, least=False))

    def _wan(self, mirrors: Sequence[Far], hosts: int = 1) -> Wan:
        return Wan(self._lab, self._stock, mirrors, hosts=hosts)

    def _compare(self, downloads: Sequence[Sequence[str]], far: Far) -> tuple[list[Taken], list[Taken]]:
        """Downloads each of several lists of files through pacserve and by aria2 in turns; the second result is empty where aria2 is missing."""
        ours, theirs = [], []
        with self._wan([far] * _THREE) as wan:
            wan.start_daemons()
            for names in downloads:
                if self._aria2:
                    theirs.append(wan.by_aria2(names))
                ours.append(wan.through_pacserve(names))
        return ours, theirs

    def _fetch(self, mirrors: Sequence[Far], name: str, happens: Callable[[Hosts, Mirror], None] | None = None) -> float:
        """Returns the seconds of one download; what happens to the first mirror happens after a while."""
        with self._wan(mirrors) as wan:
            wan.start_daemons()
            first = wan.mirrors[0]
            meanwhile = None if happens is None else lambda: happens(wan.lan, first)
            return wan.through_pacserve([name], meanwhile=meanwhile, after=_FAILS_AFTER).wall

    @staticmethod
    def _beside(
        what: str, unit: str, ours: Sequence[Taken], theirs: Sequence[Taken], figure: Callable[[Taken], float], aim: Aim | None = None
    ) -> Result:
        """Makes a result of one figure of several downloads, beside the same of a reference where there is one."""
        value = statistics.median(map(figure, ours))
        if not theirs:
            return Result(NAME, what, value, unit, aim=aim)
        reference = statistics.median(map(figure, theirs))
        ratio = statistics.median(figure(one) / figure(other) for one, other in zip(ours, theirs, strict=True)) if min(map(figure, theirs)) else None
        return Result(NAME, what, value, unit, reference, ratio, aim)

    @staticmethod
    def _against(what: str, seconds: float, reference: float, most: float) -> Result:
        """Makes a result of one time beside another, of which it may be so many times at most."""
        return Result(NAME, what, seconds, "s", reference, seconds / reference, Aim(most, least=False, of_ratio=True))
