"""Tests for `pacserve.web.admission`."""

from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.network.machine import InterfaceAddresses, Machine
from pacserve.web.admission import AccessRules, ClientAdmission, PeerAdmission, ranked
from pacserve.web.fairness import Rank
from pacserve.web.hosts import Hosts
from pacserve.web.routes import Audience

PUBLIC = InterfaceAddresses(frozenset({IPv4Address("198.51.100.3")}), (IPv4Network("198.51.100.0/24"),))


class AdmissionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.local = Machine(Clock(), lambda: PUBLIC)

    def test_clients(self) -> None:
        """Only this host asks /request, and the networks that were opened to it."""
        closed = ClientAdmission(self.local, ())
        opened = ClientAdmission(self.local, (IPv4Network("10.9.0.0/16"),))
        for text, by_default, when_opened in (
            ("127.0.0.1", True, True),
            ("::1", True, True),
            ("198.51.100.3", True, True),
            ("198.51.100.4", False, False),
            ("10.9.1.1", False, True),
            ("fe80::1", False, False),
        ):
            self.assertEqual(closed.admits(ip_address(text)), by_default, text)
            self.assertEqual(opened.admits(ip_address(text)), when_opened, text)

    def test_ranks(self) -> None:
        """This host comes first by whatever address, then the networks that were opened to /request, then all others."""
        rank = ranked(self.local, (IPv4Network("10.9.0.0/16"), IPv4Network("198.51.100.0/24")))
        for text, expected in (
            ("127.0.0.1", Rank.OWN),
            ("::1", Rank.OWN),
            ("198.51.100.3", Rank.OWN),
            ("198.51.100.4", Rank.CLIENT),
            ("10.9.1.1", Rank.CLIENT),
            ("10.8.1.1", Rank.OTHER),
            ("fe80::1", Rank.OTHER),
        ):
            self.assertIs(rank(ip_address(text)), expected, text)

    def test_peers(self) -> None:
        """Machines of the LAN, static peers and the networks of --peers are admitted, the rest of the world is not."""
        admission = PeerAdmission(self.local, (IPv6Network("2001:db8::/32"),), lambda address: str(address) == "203.0.113.5")
        for text in ("127.0.0.1", "::1", "198.51.100.77", "10.0.0.1", "192.168.1.1", "fe80::1", "fd00::1", "2001:db8::1", "203.0.113.5"):
            self.assertTrue(admission.admits(ip_address(text)), text)
        for text in ("203.0.113.6", "2001:db9::1", "8.8.8.8", "172.32.0.1"):
            self.assertFalse(admission.admits(ip_address(text)), text)

    def test_rules(self) -> None:
        """Each audience has its own rule."""
        clients, peers = ClientAdmission(self.local, ()), PeerAdmission(self.local, (), lambda _: False)
        rules = AccessRules(clients, peers, Hosts(self.local, ()))
        self.assertEqual([rules.admission(audience) for audience in Audience], [clients, peers])
