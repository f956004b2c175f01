"""Tests for `pacserve.web.server.site`."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from pacserve.network.addresses import parse_address
from pacserve.web.server.connections import Connections
from tests.fakes.browser import Browser, site_of


class SiteTests(SynchronousTestCase):
    def test_one_address(self) -> None:
        """One host can't take all connections, whether it comes by IPv4 or as an IPv4-mapped IPv6 address: its oldest idle one ends instead."""
        clock = Clock()
        site = site_of(Resource(), clock, connections=Connections(clock, most_per_address=2))
        first, second = Browser(site, "10.0.0.7"), Browser(site, "::ffff:10.0.0.7")
        other = Browser(site, "10.0.0.8")
        self.assertTrue(Browser(site, "10.0.0.7").admitted)
        self.assertEqual([browser.closed for browser in (first, second, other)], [True, False, False])
        self.assertEqual(len(site.connections), 3)

    def test_silent_connections(self) -> None:
        """500 connections of this machine that send nothing are held, and let go after a while."""
        clock = Clock()
        site = site_of(Resource(), clock)
        silent = [Browser(site) for _ in range(500)]
        self.assertEqual(len(site.connections), 500)
        clock.pump([2] * 10)
        self.assertTrue(all(browser.closed for browser in silent))

    def test_client(self) -> None:
        """A connection knows its client without zone and mapping."""
        browser = Browser(site_of(Resource(), Clock()), "fe80::7%eth0")
        self.assertEqual(browser.channel.visitor.address, parse_address("fe80::7"))

    def test_no_timers(self) -> None:
        """A site without connections does not wake the machine."""
        clock = Clock()
        site = site_of(Resource(), clock)
        site.doStart()
        self.assertEqual(clock.getDelayedCalls(), [])
        site.doStop()
