"""Tests for the checks of `pacserve.pacsrv.checks`: each fault is seen, and what is well is left alone."""

import dataclasses
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.checks import cache_server, caches, clock, disk, firewall, identity, proxy, reachable, servers, signatures
from pacserve.pacsrv.facts import ClockOffset, Facts, Folder
from pacserve.pacsrv.finding import Check
from pacserve.pacsrv.reading import Section
from tests.fakes.statuses import NOW, OTHER, OWN, peer, status

OURS = "http://localhost:15678/request/$repo/$arch"


class CheckTests(SynchronousTestCase):
    def found(self, check: Check, **facts: Any) -> str:
        """The levels of what a check finds; every fault names its cure."""
        findings = list(check(dataclasses.replace(Facts(15678, NOW), **facts)))
        for finding in findings:
            self.assertEqual(bool(finding.cure), finding.level.value != "ok", finding.text)
        return " ".join(finding.level.value for finding in findings)

    def test_reachable(self) -> None:
        """A daemon that is silent, or does not tell its state, is wrong."""
        self.assertEqual(self.found(reachable.check, silence="nobody listens there"), "wrong")
        self.assertEqual(self.found(reachable.check, no_status="it answered 404"), "wrong")
        self.assertEqual(self.found(reachable.check, status=status()), "ok")

    def test_servers(self) -> None:
        """pacserve must come first in all repositories with mirrors, or in none: then pacsrv alone uses it."""
        for repos, levels in (
            ({"core": [OURS, "http://a"], "local": ["file:///srv"]}, "ok"),
            ({"core": ["http://a"]}, "warning"),
            ({"core": [OURS, "http://a"], "extra": ["http://a"]}, "wrong"),
            ({"core": ["http://a", OURS]}, "wrong"),
            ({"core": [OURS.replace("15678", "15680"), OURS, "http://a"]}, "wrong wrong"),
            ({"local": ["file:///srv"]}, "warning"),
        ):
            sections = tuple(Section(name, 0, urls) for name, urls in repos.items())
            self.assertEqual(self.found(servers.check, sections=sections), levels, repos)
        self.assertEqual(self.found(servers.check, unreadable="permission denied"), "wrong")
        without = status(no_pacman="there is no /etc/pacman.conf")
        self.assertEqual(self.found(servers.check, unreadable="no such file", status=without), "ok")

    def test_cache_server(self) -> None:
        """CacheServer is of no use to pacman 6.0, and one role is enough."""
        alone, both = Section("core", 0, ["http://a"], [OURS]), Section("core", 0, [OURS, "http://a"], [OURS])
        self.assertEqual(self.found(cache_server.check, sections=(alone,), pacman=(6, 0)), "wrong")
        self.assertEqual(self.found(cache_server.check, sections=(alone,), pacman=(6, 1)), "ok")
        self.assertEqual(self.found(cache_server.check, sections=(both,), pacman=(7, 0)), "warning")
        self.assertEqual(self.found(servers.check, sections=(alone,)), "ok")

    def test_proxy(self) -> None:
        """A proxy must be kept out of the way to this host, and to the peers that pacman is sent to."""
        for environment, hits, levels in (
            ({}, "redirect", "ok"),
            ({"http_proxy": "p"}, "redirect", "wrong wrong"),
            ({"http_proxy": "p", "no_proxy": "localhost"}, "redirect", "wrong"),
            ({"http_proxy": "p", "no_proxy": "localhost"}, "relay", "ok"),
            ({"http_proxy": "p", "no_proxy": "localhost,10.0.0.0/8"}, "redirect", "ok"),
        ):
            self.assertEqual(self.found(proxy.check, environment=environment, status=status(peer(), hits=hits)), levels, environment)

    def test_multicast(self) -> None:
        """Peers that are there though nothing is heard mean a firewall; silence alone, or at the start, may mean nobody."""
        for heard, peers, started, levels in (
            (20.0, (), 0.0, "ok"),
            (None, (), 0.0, "warning"),
            (None, (), NOW, "ok"),
            (999.0, (peer(),), 0.0, "wrong ok"),
        ):
            self.assertEqual(self.found(firewall.check, status=status(*peers, multicast_heard=heard, started=started)), levels)
        rare = status(peer(discovered=True), multicast_heard=1700.0, info_asked=5.0, started=0.0, multicast_interval=600.0)
        self.assertEqual(self.found(firewall.check, status=rare), "ok ok")
        self.assertEqual(self.found(firewall.check, status=status(multicast=False)), "warning")

    def test_asked(self) -> None:
        """Peers that never ask for the inventory can't reach this host; an old question is well as long as announcements come."""
        silent = status(peer(), info_asked=None)
        self.assertEqual(self.found(firewall.check, status=silent), "ok wrong")
        self.assertEqual(self.found(firewall.check, status=status(peer(), info_asked=9999.0)), "ok ok")
        self.assertEqual(self.found(firewall.check, status=status(peer(discovered=False), info_asked=None)), "ok warning")

    def test_clock(self) -> None:
        """Most of the others must agree with this clock; one that is wrong itself is outvoted."""
        for offsets, level in (((), "ok"), ((1, -1), "ok"), ((1, 2, 99999), "ok"), ((100,), "warning"), ((-900, -901, 3), "wrong")):
            clocks = tuple(ClockOffset("x", float(offset)) for offset in offsets)
            self.assertEqual(self.found(clock.check, clocks=clocks), level, offsets)
        self.assertEqual(self.found(clock.check, now=3600.0), "wrong")

    def test_signatures(self) -> None:
        """Repositories whose packages may be anybody's are named."""
        for words, level in (({"PackageNever"}, "warning"), ({"PackageRequired", "PackageTrustAll"}, "warning"), ({"PackageRequired"}, "ok")):
            self.assertEqual(self.found(signatures.check, signature_levels={"core": frozenset(words)}), level)

    def test_caches(self) -> None:
        """A cache that can't be read is wrong; one that is missing or can't be looked at may be well."""
        folders = (Folder("/a", problem="mode 0700"), Folder("/b", missing=True), Folder("/c", doubt="not root"), Folder("/d"))
        self.assertEqual(self.found(caches.check, cache_dirs=folders), "wrong warning warning ok")

    def test_identity(self) -> None:
        """A peer with this host's id is wrong; two peers with one may be one machine."""
        self.assertEqual(self.found(identity.check, status=status(peer(instance=OWN))), "wrong")
        self.assertEqual(self.found(identity.check, status=status(peer(), peer(address="10.0.0.4:15678"))), "warning")
        self.assertEqual(self.found(identity.check, status=status(peer(), peer(instance="2" * 32), peer(instance=""), peer(instance=""))), "ok")
        self.assertNotEqual(OTHER, OWN)

    def test_disk(self) -> None:
        """Folders that are nearly full are named, and a spool that may outgrow its disk."""
        full, tight, roomy = Folder("/a", free=1 << 20), Folder("/a", free=500 << 20), Folder("/a", free=2 << 30)
        self.assertEqual(self.found(disk.check, cache_dirs=(full,)), "wrong")
        self.assertEqual(self.found(disk.check, cache_dirs=(tight, full)), "warning")
        self.assertEqual(self.found(disk.check, cache_dirs=(roomy,), spool=roomy, status=status()), "ok warning")
        self.assertEqual(self.found(disk.check, spool=Folder("/a", free=9 << 30), status=status()), "ok")
