"""Tests for `pacserve.app.apt_hosts`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.app.apt_hosts import LOOK_INTERVAL, AptHosts
from pacserve.app.apt_notice import AptNotice
from tests.fakes.apt_lists import FakeLists
from tests.unit.contrib.test_apt import URL


class AptHostsTests(SynchronousTestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.file = Path(temporary.name) / "apt"
        self.clock, self.sources = Clock(), FakeLists()
        self.hosts = AptHosts(self.sources, AptNotice(temporary.name), URL, self.clock)

    def waiting(self) -> Deferred[None]:
        """What waits until the sources are read."""
        assert self.sources.scanning is not None
        return self.sources.scanning[0]

    def told(self) -> list[str] | None:
        """The hosts that apt's configuration is told; None where there is no file."""
        return self.file.read_text().splitlines()[1:] if self.file.exists() else None

    def test_sources(self) -> None:
        """The hosts of the http sources are told, each once, and what has changed soon after."""
        self.sources.known = [
            "http://deb.debian.org/debian",
            "http://deb.debian.org/debian-security",
            "https://a.example/x",
            "http://b.example:8080/y",
        ]
        self.hosts.start()
        self.assertEqual(self.told(), ["b.example:8080", "deb.debian.org"])
        self.sources.known = ["http://deb.debian.org/debian"]
        self.clock.advance(LOOK_INTERVAL)
        self.assertEqual(self.told(), ["deb.debian.org"])
        self.hosts.stop()
        self.assertEqual((self.told(), self.clock.getDelayedCalls()), (None, []))

    def test_unread(self) -> None:
        """The daemon is told before its sources are read, which takes a while; after that they are told at once."""
        self.sources.scanning = []
        self.hosts.start()
        self.assertEqual(self.told(), [])
        self.sources.known = ["http://deb.debian.org/debian"]
        self.waiting().callback(None)
        self.assertEqual(self.told(), ["deb.debian.org"])

    def test_stopped_meanwhile(self) -> None:
        """Nothing is told any more after the end, also where the sources were just being read."""
        self.sources.scanning = []
        self.hosts.start()
        self.hosts.stop()
        self.waiting().callback(None)
        self.hosts.stop()
        self.assertIsNone(self.told())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_defect(self) -> None:
        """A defect of reading is logged, and costs nothing else."""
        self.sources.scanning = []
        self.hosts.start()
        self.waiting().errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.told(), [])
