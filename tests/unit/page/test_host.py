"""Tests for `pacserve.page.host`."""

from __future__ import annotations

import dataclasses
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pacserve.page.host import facts_html, host_facts, share_html, totals
from pacserve.page.text import clean
from pacserve.report.status import SpoolStatus, Status, UnfinishedStatus
from tests.unit.page.made_up import APT, HOSTILE, MIB, NOW, status
from tests.unit.page.reading import Element, read


def of_host(**changes: Any) -> Status:
    """A status with another host."""
    whole = status()
    return dataclasses.replace(whole, host=dataclasses.replace(whole.host, **changes))


class HostTests(SynchronousTestCase):
    def shown(self, whole: Status) -> Element:
        """The facts, as they are read."""
        return read(facts_html({**totals(whole), **host_facts(whole, NOW)}, "facts", NOW))

    def test_totals(self) -> None:
        """The bytes of each origin are those of its tally, none where there is no such tally."""
        whole = status()
        page = self.shown(whole)
        self.assertEqual(
            [page.one(name).text for name in ("from-peers", "from-cache", "from-mirrors", "served")],
            ["13.9 GiB", "1.86 GiB", "3.03 GiB", "8.50 GiB"],
        )
        bare = dataclasses.replace(whole, traffic=dataclasses.replace(whole.traffic, tallies=(), saved=0))
        self.assertEqual([self.shown(bare).one(name).text for name in ("from-peers", "from-mirrors")], ["0 B", "0 B"])

    def test_share(self) -> None:
        """The large figure is the share of what this host asked for that did not cross the WAN, with what it is a share of; of nothing it is none."""
        whole = status()
        page = read(share_html(whole, NOW))
        self.assertEqual(page.one("share").text, "84 %")
        self.assertEqual(page.one("share-of").text, "of the 18.8 GiB that this host asked for did not cross the WAN 15.7 GiB saved since 2026-10-29")
        bare = dataclasses.replace(whole, traffic=dataclasses.replace(whole.traffic, tallies=(), saved=0))
        self.assertEqual(read(share_html(bare, NOW)).one("share").text, "0 B")

    def test_modes(self) -> None:
        """What a daemon does with hits and misses is said in words."""
        for hits, misses, texts in (
            ("redirect", "redirect", ["pacman is redirected to the peer", "pacman is redirected to the mirror"]),
            (
                "auto",
                "auto",
                [
                    "pacman is redirected to the peer; if it comes back, this host fetches and checks the file",
                    "this host downloads it once for the LAN; without peers, pacman is redirected to the mirror",
                ],
            ),
            ("relay", "fetch", ["this host fetches it, checks it and passes it on", "this host downloads it, once for the LAN"]),
        ):
            page = self.shown(of_host(hits=hits, misses=misses))
            self.assertEqual([page.one(name).text for name in ("hits", "misses")], texts)

    def test_multicast(self) -> None:
        """Whether multicast is off, silent or heard are three different things; only silence stands out."""
        for changes, text, marks in (
            ({"multicast": False, "multicast_heard": None}, "off", 0),
            ({"multicast": True, "multicast_heard": None}, "on, nothing heard yet", 1),
            ({"multicast": True, "multicast_heard": 12.0}, "12 s ago an announcement was heard", 0),
        ):
            found = self.shown(of_host(**changes)).one("multicast")
            self.assertEqual((found.text, len(found.all("span"))), (text, marks))

    def test_asked(self) -> None:
        """When a peer last asked for what is here is told, or that none ever did."""
        self.assertEqual(self.shown(of_host(info_asked=31.0)).one("asked").text, "31 s ago")
        self.assertEqual(self.shown(of_host(info_asked=None)).one("asked").text, "never")

    def test_spool(self) -> None:
        """What is kept of downloads is said where there is such a place."""
        self.assertEqual(self.shown(status()).one("spool").text, "57 files, 2.83 GiB of 10.0 GiB, in /var/cache/pacserve/pkg")
        self.assertNotIn("spool", host_facts(dataclasses.replace(status(), spool=None), NOW))

    def test_apt(self) -> None:
        """A host that answers apt says on which port and what it knows; without pacman nothing is said of where pacman is sent."""
        both = dataclasses.replace(status(), apt=APT)
        self.assertEqual(self.shown(both).one("apt-port").text, "9988")
        known = "3 lists of packages are known, of 70,118 files, 214 archives of apt's are offered, 4 releases are kept"
        self.assertEqual(self.shown(both).one("apt-known").text, known)
        self.assertEqual(host_facts(both, NOW)["hits"][0], "Files for pacman that a peer has")
        self.assertNotIn("hits", host_facts(dataclasses.replace(of_host(no_pacman="there is none"), apt=APT), NOW))
        self.assertIn("hits", host_facts(of_host(no_pacman="there is none"), NOW))

    def test_unfinished(self) -> None:
        """So is the number of downloads that are to be gone on with, where there are any."""
        spool = SpoolStatus("/spool", 1, 1024, 2048, (UnfinishedStatus("big-1-1-any.pkg.tar.zst", 1, 2, NOW),))
        shown = self.shown(dataclasses.replace(status(), spool=spool)).one("spool").text
        self.assertEqual(shown, "1 files, 1.00 KiB of 2.00 KiB, in /spool; 1 unfinished")

    def test_names_and_values(self) -> None:
        """Each fact is a name with its value; a hostile version is text."""
        page = self.shown(of_host(version=HOSTILE, hits=HOSTILE))
        self.assertEqual(len(page.all("dt")), len(page.all("dd")))
        self.assertEqual((page.one("version").text, page.one("hits").text), (clean(HOSTILE), clean(HOSTILE)))
        self.assertEqual(self.shown(of_host(size=5 * MIB, files=1204)).one("holds").text, "1,204 files, 5.00 MiB")
