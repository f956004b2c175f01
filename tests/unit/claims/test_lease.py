"""Tests for `pacserve.claims.lease`."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.claims.claims import Verdict
from pacserve.claims.lease import FAREWELL_TRIES, RENEWAL_INTERVAL, Lease
from pacserve.errors import FetchError

GRANTED = Verdict(None, granted=True)
LOST = Verdict(None, granted=False)


class LeaseTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[str] = []
        self.answers: dict[str, Verdict | Exception | Deferred[Verdict]] = {"renew": GRANTED, "finish": LOST, "release": LOST}
        self.lease = Lease(self.tell, self.clock)

    async def tell(self, what: str) -> Verdict:
        """The keeper is told something."""
        self.told.append(what)
        answer = self.answers[what]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Verdict) else await answer

    def test_life(self) -> None:
        """The keeper is told each half second that the download goes on, and once how it ended."""
        self.clock.pump([RENEWAL_INTERVAL] * 3)
        self.lease.end("finish")
        self.lease.end("release")
        self.assertEqual((self.told, self.clock.getDelayedCalls()), (["renew"] * 3 + ["finish"], []))

    def test_hanging_keeper(self) -> None:
        """A keeper that hangs is told one thing at a time, and the end when it has answered."""
        self.answers["renew"] = hanging = Deferred[Verdict]()
        self.clock.pump([RENEWAL_INTERVAL] * 10)
        self.lease.end("release")
        self.assertEqual(self.told, ["renew"])
        hanging.callback(LOST)
        self.assertEqual((self.told, self.clock.getDelayedCalls()), (["renew", "release"], []))

    def test_lost(self) -> None:
        """Who lost its claim to nobody gets it back; who lost it to another one goes on without."""
        for answer, after in ((GRANTED, ["renew"]), (LOST, []), (Verdict("a" * 32, granted=False), [])):
            self.setUp()
            self.answers |= {"renew": LOST, "ask": answer}
            self.clock.advance(RENEWAL_INTERVAL)
            self.assertEqual(self.told, ["renew", "ask"])
            self.answers["renew"] = GRANTED
            self.clock.advance(RENEWAL_INTERVAL)
            self.assertEqual(self.told[2:], after)
            self.lease.end("finish")
            self.assertEqual(self.told[2:], [*after, "finish"] if after else [])
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_dead_keeper(self) -> None:
        """A keeper that does not answer is told again later, and of the end a few times: it would take the silence for a lost lease."""
        self.answers |= {"renew": FetchError("refused"), "finish": FetchError("refused")}
        self.clock.pump([RENEWAL_INTERVAL] * 3)
        self.lease.end("finish")
        self.clock.pump([RENEWAL_INTERVAL] * 10)
        self.assertEqual((self.told, self.clock.getDelayedCalls()), (["renew"] * 3 + ["finish"] * FAREWELL_TRIES, []))

    def test_defect(self) -> None:
        """A defect is logged, and ends nothing but the lease."""
        self.answers["renew"] = ZeroDivisionError("a defect")
        self.clock.advance(RENEWAL_INTERVAL)
        self.assertEqual((len(self.flushLoggedErrors(ZeroDivisionError)), self.clock.getDelayedCalls()), (1, []))
