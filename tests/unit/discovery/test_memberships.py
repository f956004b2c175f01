"""Tests for `pacserve.discovery.memberships`."""

import errno
from ipaddress import ip_address

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from pacserve.discovery.memberships import REJOIN_INTERVAL, Memberships
from tests.fakes.groups import MemoryGroupSocket

ALL, NEAR, SITE = ip_address("224.0.0.1"), ip_address("224.0.0.251"), ip_address("239.255.1.2")
ALL6, SITE6 = ip_address("ff02::1"), ip_address("ff05::1:2")


class MembershipsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.memberships = Memberships(self.clock)
        self.sockets = {4: MemoryGroupSocket(), 6: MemoryGroupSocket()}

    def keep(self, *wanted: tuple[object, int]) -> None:
        """Keeps these memberships."""
        self.memberships.keep(set(wanted), self.sockets)  # type: ignore[arg-type]

    def test_join_and_leave(self) -> None:
        """What is wanted is joined once, and left when it is not wanted any more."""
        self.keep((ALL, 2), (ALL6, 2))
        self.keep((ALL, 2), (ALL6, 2), (ALL, 3))
        self.keep((ALL, 3))
        self.assertEqual(self.sockets[4].calls, [("join", ALL, 2), ("join", ALL, 3), ("leave", ALL, 2)])
        self.assertEqual(self.sockets[6].calls, [("join", ALL6, 2), ("leave", ALL6, 2)])

    def test_refused_is_tried_again(self) -> None:
        """What the kernel refuses is tried again by each further call, and no more once it is joined."""
        self.sockets[4].refusals = [errno.ENODEV, errno.ENOBUFS, errno.EADDRINUSE]
        for _ in range(6):
            self.keep((ALL, 2))
        self.assertEqual(self.sockets[4].calls, [("join", ALL, 2)] * 4)

    def test_refusal_is_told_once(self) -> None:
        """A refusal that stays is one warning that says what to do; an interface that is about to come is none."""
        self.sockets[4].refusals = [errno.ENODEV, errno.ENOBUFS, errno.ENOBUFS, errno.ENOBUFS]
        with capturedLogs() as events:
            for _ in range(6):
                self.keep((ALL, 2))
        (trouble,) = [event["trouble"] for event in events if event["log_level"].name == "warn"]
        self.assertIn("net.ipv4.igmp_max_memberships", trouble)

    def test_one_refusal_concerns_one(self) -> None:
        """Groups are joined though another one is refused."""
        self.sockets[6].refusals = [errno.EADDRNOTAVAIL]
        self.keep((ALL, 2), (ALL6, 2), (ALL, 3))
        self.assertEqual(sorted(self.sockets[4].calls), [("join", ALL, 2), ("join", ALL, 3)])

    def test_gone_interface(self) -> None:
        """Leaving an interface that has gone is harmless, and it is joined again when it comes back."""
        self.keep((ALL, 2))
        self.sockets[4].refusals = [errno.EADDRNOTAVAIL]
        self.keep()
        self.keep((ALL, 2))
        self.assertEqual([call for call, _, _ in self.sockets[4].calls], ["join", "leave", "join"])

    def test_switches_that_forget(self) -> None:
        """Groups that a switch may forget are joined again now and then, those that it floods anyway are not."""
        wanted = [(group, 2) for group in (ALL, NEAR, SITE, ALL6, SITE6)]
        self.keep(*wanted)
        for this in self.sockets.values():
            this.calls.clear()
        self.clock.advance(REJOIN_INTERVAL - 1)
        self.keep(*wanted)
        self.assertEqual(self.sockets[4].calls + self.sockets[6].calls, [])
        for _ in range(2):
            self.clock.advance(1)
            self.keep(*wanted)
        self.assertEqual(self.sockets[4].calls + self.sockets[6].calls, [("join", SITE, 2), ("join", SITE6, 2)])

    def test_clock_set_back(self) -> None:
        """A clock that is set back does not put the joining off."""
        self.clock.advance(10_000)
        self.keep((SITE, 2))
        self.clock.rightNow = 0.0
        self.keep((SITE, 2))
        self.assertEqual(len(self.sockets[4].calls), 2)

    def test_closed_socket(self) -> None:
        """After a socket was closed, all of its groups are joined again by the next one, and none while there is none."""
        self.keep((ALL, 2), (ALL6, 2))
        self.memberships.forget(4)
        del self.sockets[4]
        self.keep((ALL, 2), (ALL6, 2))
        self.sockets[4] = MemoryGroupSocket()
        self.keep((ALL, 2), (ALL6, 2))
        self.assertEqual((self.sockets[4].calls, self.sockets[6].calls), ([("join", ALL, 2)], [("join", ALL6, 2)]))
