"""Tests for `pacserve.report.ledger`."""

from twisted.trial.unittest import SynchronousTestCase

from pacserve.network.addresses import parse_address
from pacserve.report.ledger import DAY, DAYS, MINUTE, MINUTES, PEERS, RECENT, History, Ledger, no_counts
from pacserve.report.origins import Origin
from pacserve.report.status import Bucket, Tally
from pacserve.web.witness import Answered
from tests.fakes.interfaces import Addresses

NOON = 20_000 * DAY + DAY / 2


class LedgerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = NOON
        self.ledger = Ledger(lambda: self.now, Addresses("192.0.2.9"), self.now)

    def answer(
        self, origin: str, size: int | None = 100, front: str = "request", status: int = 200, client: str = "127.0.0.1", method: str = "GET"
    ) -> None:
        """A request is answered."""
        target = f"/{front}/core/os/x86_64/zlib-1-1-any.pkg.tar.zst".encode()
        self.ledger.answered(Answered(front, method, target, parse_address(client), status, origin, size, 0.5, redirected=status == 307))

    def test_counts(self) -> None:
        """What this host's clients get counts by where it came from; what had not to come over the WAN was saved."""
        self.answer("cache")
        self.answer("peer 10.0.0.3:15678", 20, status=307)
        self.answer("mirror http://a, downloaded", 3)
        self.answer("mirror http://a", None, status=307)
        traffic = self.ledger.traffic()
        self.assertEqual(traffic.tallies, (Tally("cache", 1, 100), Tally("peers", 1, 20), Tally("mirrors", 2, 3)))
        self.assertEqual((traffic.saved, traffic.served, traffic.since), (120, 0, NOON))
        self.assertEqual(traffic.minutes, (Bucket(NOON, 100, 20, 3),))
        self.assertEqual(traffic.days, (Bucket(NOON - DAY / 2, 100, 20, 3),))
        self.assertEqual(traffic.hours, traffic.minutes)

    def test_apt(self) -> None:
        """apt is a program of this host as pacman is."""
        for origin in ("cache", "peer 10.0.0.3:15678, relayed", "mirror http://deb.example, sent through", "mirror http://deb.example, downloaded"):
            self.answer(origin, front="apt")
        traffic = self.ledger.traffic()
        self.assertEqual(traffic.tallies, (Tally("cache", 1, 100), Tally("peers", 1, 100), Tally("mirrors", 2, 200)))
        self.assertEqual((traffic.saved, traffic.served, self.ledger.given("10.0.0.3:15678")), (200, 0, 100))

    def test_shares(self) -> None:
        """A file of several hosts counts by what most of it came from, and each peer by its share of the answer."""
        self.answer("mirrors http://a 60 bytes, http://b 40 bytes, downloaded")
        self.answer("mirrors http://a 60 bytes, peer 10.0.0.3:15678 40 bytes, downloaded", 50)
        self.answer("peers 10.0.0.3:15678 60 bytes, 10.0.0.4:15678 30 bytes, mirror http://a 10 bytes, relayed")
        self.answer("peer 10.0.0.3:15678, relayed", 7)
        self.assertEqual(self.ledger.traffic().tallies, (Tally("cache", 0, 0), Tally("peers", 2, 107), Tally("mirrors", 2, 150)))
        self.assertEqual([self.ledger.given(f"10.0.0.{number}:15678") for number in (3, 4)], [20 + 60 + 7, 30])

    def test_many_origins(self) -> None:
        """However many origins there are, nothing is lost and little is kept."""
        for number in range(2000):
            self.answer(f"peer 10.0.{number % 250}.{number // 250}:15678", 1)
        self.assertEqual(self.ledger.traffic().tallies[1], Tally("peers", 2000, 2000))

    def test_served(self) -> None:
        """What other hosts get is counted apart."""
        self.answer("cache", front="package", client="10.0.0.3")
        self.answer("mirror http://a, downloaded", 5, front="fetch", client="10.0.0.4")
        traffic = self.ledger.traffic()
        self.assertEqual((traffic.served, traffic.saved, sum(tally.requests for tally in traffic.tallies)), (105, 0, 0))

    def test_not_counted(self) -> None:
        """Questions, errors and pages move no bytes of files."""
        self.answer("cache", method="HEAD")
        self.answer("mirror http://a", status=404)
        self.answer("", front="status")
        self.assertEqual(sum(tally.requests for tally in self.ledger.traffic().tallies), 0)
        self.assertEqual([(record.status, record.method) for record in self.ledger.recent()], [(404, "GET"), (200, "HEAD")])

    def test_periods(self) -> None:
        """The last hour is kept by minute and all by day, and no more than there is room for."""
        for _ in range(2 * MINUTES):
            self.answer("cache", 1)
            self.now += MINUTE
        traffic = self.ledger.traffic()
        self.assertLessEqual(len(traffic.minutes), MINUTES)
        self.assertGreater(min(minute.began for minute in traffic.minutes), self.now - 61 * MINUTE)
        self.assertEqual(sum(day.cache for day in traffic.days), 2 * MINUTES)
        self.assertEqual([hour.cache for hour in traffic.hours], [MINUTES, MINUTES])
        for _ in range(2 * DAYS):
            self.now += DAY
            self.answer("cache", 1)
        self.assertEqual(len(self.ledger.traffic().days), DAYS)

    def test_clock_set_back(self) -> None:
        """A clock that is set back counts nothing twice, and loses nothing."""
        self.answer("cache", 1)
        self.now -= 3 * DAY
        self.answer("cache", 1)
        self.assertEqual([day.cache for day in self.ledger.traffic().days], [2])

    def test_recent(self) -> None:
        """The last requests are remembered, the latest first, whatever they ask for; and by file."""
        for number in range(2 * RECENT):
            self.now = NOON + number
            self.answer("cache", number)
        recent = self.ledger.recent()
        self.assertEqual((len(recent), recent[0].size, recent[-1].size), (RECENT, 2 * RECENT - 1, RECENT))
        self.assertEqual(len(self.ledger.of("zlib-1-1-any.pkg.tar.zst")), RECENT)
        self.assertEqual(self.ledger.of("other"), ())
        self.ledger.answered(Answered("request", "GET", b"/request/" + b"\xff\x1b[2J" * 500, parse_address("::1"), 404, "x" * 5000, None, 0.1))
        record = self.ledger.recent()[0]
        self.assertTrue(record.path.isascii())
        self.assertLess(len(record.path) + len(record.origin), 2000)

    def test_of_apt(self) -> None:
        """A file that is shared by its content is found by its name, and by the URLs by which apt asks for it."""
        name, url = f"zlib1g_1.2_amd64@{'0' * 64}.blob", "http://deb.example/pool/zlib1g_1:1.2_amd64.deb"
        for front, target in (
            ("apt", "http://deb.example/pool/zlib1g_1%3a1.2_amd64.deb"),
            ("apt", "/deb.example/pool/zlib1g_1%3A1.2_amd64.deb"),
            ("package", f"/package/{name}"),
            ("apt", "http://other.example/pool/zlib1g_1%3a1.2_amd64.deb"),
            ("request", "/request/core/x86_64/core.db"),
        ):
            self.ledger.answered(Answered(front, "GET", target.encode(), parse_address("::1"), 200, "cache", 7, 0.1))
        self.assertEqual(len(self.ledger.of(name, (url,))), 3)
        self.assertEqual([record.path for record in self.ledger.of(name)], [f"/package/{name}"])

    def test_others_push_nothing_out(self) -> None:
        """However much other hosts ask, the last requests of this host are remembered, and are told from theirs."""
        self.answer("cache", 1)
        self.answer("cache", 2, client="192.0.2.9")
        for number in range(2 * RECENT):
            self.now = NOON + 1 + number
            self.answer("cache", 3, client="10.0.0.3", front=("package", "request")[number % 2])
        recent = self.ledger.recent()
        self.assertEqual([record.size for record in recent if record.own], [2, 1])
        self.assertEqual(len(recent), RECENT + 2)
        self.assertEqual([record.at for record in recent], sorted([record.at for record in recent], reverse=True))

    def test_given(self) -> None:
        """What each peer gave is known, of a bounded number."""
        self.answer("peer 10.0.0.3:15678", 20, status=307)
        self.answer("peer 10.0.0.3:15678, relayed", 5)
        self.assertEqual((self.ledger.given("10.0.0.3:15678"), self.ledger.given("10.0.0.4:15678")), (25, 0))
        for number in range(PEERS):
            self.answer(f"peer 10.1.{number}.1:1", 1)
        self.assertEqual(self.ledger.given("10.0.0.3:15678"), 0)

    def test_info(self) -> None:
        """It is known when another host last asked what this one holds."""
        self.answer("", front="info", client="192.0.2.9")
        self.assertIsNone(self.ledger.info_asked)
        self.answer("", front="info", client="10.0.0.3")
        self.assertEqual(self.ledger.info_asked, NOON)

    def test_take_over(self) -> None:
        """What a daemon before has counted goes on, also on the same day."""
        self.answer("cache", 1)
        before = no_counts(int(NOON - DAY / 2))
        before.requests[Origin.CACHE], before.sizes[Origin.CACHE], before.served = 2, 50, 7
        older = no_counts(int(NOON - DAY / 2) - DAY)
        older.sizes[Origin.PEERS], older.requests[Origin.PEERS] = 9, 1
        hour = no_counts(int(NOON))
        hour.sizes[Origin.CACHE] = 8
        self.ledger.take_over(History(NOON - 5 * DAY, [hour], [older, before]))
        traffic = self.ledger.traffic()
        self.assertEqual((traffic.since, [day.cache for day in traffic.days], traffic.served), (NOON - 5 * DAY, [0, 51], 7))
        self.assertEqual(traffic.tallies[0], Tally("cache", 3, 51))
        self.assertEqual([hour.cache for hour in traffic.hours], [9])
        self.assertEqual([day.began for day in self.ledger.history().days], [older.began, before.began])
