"""Tests of the rules of `pacserve.claims.followers` on simulated LANs: `python -m tests.unit.claims.simulator` prints these and more."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.unit.claims.simulator import SimulatedLAN, faulty, simulate, slow


class LANTests(SynchronousTestCase):
    def check(self, done: SimulatedLAN, last: float, *, but: tuple[int, ...] = ()) -> None:
        """Every host, but for some, has the file within so many seconds, and it came over the WAN once."""
        self.assertLessEqual(max(seconds for name, seconds in done.times.items() if int(name) not in but), last)
        self.assertLessEqual(done.wan, 1.001)

    def test_slow_lan(self) -> None:
        """In a LAN that is no faster than the WAN the hosts become a chain: two followers would halve what all get, sixteen leave a sixteenth."""
        self.check(simulate(8, 50, 25, 50), 7.0)
        self.check(simulate(16, 10, 10, 10), 12.0)
        self.check(simulate(30, 50, 25, 50), 12.0)
        self.check(simulate(8, 95, 100, 300), 12.0)

    def test_fast_lan(self) -> None:
        """In a LAN that is much faster than the WAN no host waits for another, however many there are, and nobody changes its leader."""
        for done, last in ((simulate(8, 1000, 25, 50), 4.4), (simulate(30, 1000, 100, 100), 8.6), (simulate(200, 1000, 100, 100), 9.0)):
            self.check(done, last)
            self.assertEqual(done.changes, 0)

    def test_slow_host(self) -> None:
        """A slow host in the middle, or two, cost the others no more than half as much again as they take without."""
        self.check(simulate(8, 1000, 25, 50, slow([1], 10)), 1.5 * 4.3, but=(1,))
        self.check(simulate(8, 1000, 25, 50, slow([1], 10, up_only=True)), 1.5 * 4.3)
        self.check(simulate(8, 50, 25, 50, slow([3], 10)), 1.5 * 6.2, but=(3,))
        in_order = (faulty([1], asks_at=0.3), faulty(range(2, 8), asks_at=0.6))
        self.check(simulate(8, 50, 25, 50, slow([1], 10), *in_order), 1.5 * 6.2, but=(1,))
        self.check(simulate(8, 1000, 25, 50, slow([1, 2], 10)), 2 * 4.3, but=(1, 2))
        self.check(simulate(30, 1000, 50, 100, slow(range(5, 30, 5), 10)), 1.5 * 4.5, but=tuple(range(5, 30, 5)))

    def test_slow_first(self) -> None:
        """Where the host that downloads the file gives little, all together take little longer than it needs to give it once."""
        self.check(simulate(8, 1000, 25, 50, slow([0], 10)), 1.15 * 20)

    def test_leaders_go(self) -> None:
        """Leaders that die, hang or lie cost their followers seconds, and no second download."""
        for fault in ({"dies_at": 2.0}, {"dies_at": 2.0, "hangs": True}, {"lies": True}):
            self.check(simulate(8, 1000, 25, 50, faulty([1, 3], **fault)), 4.3 + 3.0)
            self.check(simulate(30, 1000, 25, 50, faulty(range(1, 30, 5), **fault)), 4.3 + 4.0)

    def test_old_hosts(self) -> None:
        """Hosts of earlier versions, which say nothing, are fed by the root and lead nobody: they are no slower than before, and slow nobody down."""
        old = faulty(range(1, 8, 2), old=True)
        self.check(simulate(8, 1000, 25, 50, old), 4.4)
        self.check(simulate(8, 1000, 25, 50, old, slow([1], 10)), 4.4, but=(1,))
        self.check(simulate(8, 50, 25, 50, old), 29.0)

    def test_wifi(self) -> None:
        """A wired host feeds those on the Wi-Fi where it can: each copy crosses the air once."""
        self.check(simulate(8, 1000, 25, 50, faulty(range(1, 8, 2), air=True), air=200), 7.5)
        self.check(simulate(8, 1000, 25, 50, faulty(range(8), air=True), air=200), 16.0)
