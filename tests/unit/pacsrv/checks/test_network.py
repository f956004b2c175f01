"""Tests for `pacserve.pacsrv.checks.network`: each fault is seen, and what is well is left alone."""

import dataclasses

from pacserve.pacsrv.checks.network import check_firewall, check_identity, check_mirrors, check_proxy
from pacserve.report.status import MirrorStatus
from tests.fakes.statuses import NOW, OTHER, OWN, peer, status
from tests.unit.pacsrv.checks.case import CheckCase


class NetworkTests(CheckCase):
    def test_proxy(self) -> None:
        """A proxy must be kept out of the way to this host, and to the peers that pacman is sent to."""
        for environment, hits, levels in (
            ({}, "redirect", "ok"),
            ({"http_proxy": "p"}, "redirect", "wrong wrong"),
            ({"http_proxy": "p", "no_proxy": "localhost"}, "redirect", "wrong"),
            ({"http_proxy": "p", "no_proxy": "localhost"}, "relay", "ok"),
            ({"http_proxy": "p", "no_proxy": "localhost,10.0.0.0/8"}, "redirect", "ok"),
        ):
            self.assertEqual(self.found(check_proxy, environment=environment, status=status(peer(), hits=hits)), levels, environment)

    def test_multicast(self) -> None:
        """Peers that are there though nothing is heard mean a firewall; silence alone, or at the start, may mean nobody."""
        for heard, peers, started, levels in (
            (20.0, (), 0.0, "ok"),
            (None, (), 0.0, "warning"),
            (None, (), NOW, "ok"),
            (999.0, (peer(),), 0.0, "wrong ok"),
        ):
            self.assertEqual(self.found(check_firewall, status=status(*peers, multicast_heard=heard, started=started)), levels)
        rare = status(peer(discovered=True), multicast_heard=1700.0, info_asked=5.0, started=0.0, multicast_interval=600.0)
        self.assertEqual(self.found(check_firewall, status=rare), "ok ok")
        self.assertEqual(self.found(check_firewall, status=status(multicast=False)), "warning")

    def test_asked(self) -> None:
        """Peers that never ask for the inventory can't reach this host; an old question is well as long as announcements come."""
        silent = status(peer(), info_asked=None)
        self.assertEqual(self.found(check_firewall, status=silent), "ok wrong")
        self.assertEqual(self.found(check_firewall, status=status(peer(), info_asked=9999.0)), "ok ok")
        self.assertEqual(self.found(check_firewall, status=status(peer(discovered=False), info_asked=None)), "ok warning")

    def test_mirrors(self) -> None:
        """Mirrors that failed lately are named, and are wrong where no other is left."""
        one, two = MirrorStatus("http://a", ("core",), "failed", 60.0, None), MirrorStatus("http://b", ("core",), "slow", 60.0, None)
        for mirrors, levels in (((), ""), ((two,), "ok"), ((one, two), "warning"), ((one,), "wrong")):
            self.assertEqual(self.found(check_mirrors, status=dataclasses.replace(status(), mirrors=mirrors)), levels)
        self.assertEqual(self.found(check_mirrors), "")

    def test_identity(self) -> None:
        """A peer with this host's id is wrong; two peers with one may be one machine."""
        self.assertEqual(self.found(check_identity, status=status(peer(instance=OWN))), "wrong")
        self.assertEqual(self.found(check_identity, status=status(peer(), peer(address="10.0.0.4:15678"))), "warning")
        self.assertEqual(self.found(check_identity, status=status(peer(), peer(instance="2" * 32), peer(instance=""), peer(instance=""))), "ok")
        self.assertNotEqual(OTHER, OWN)
