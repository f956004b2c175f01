"""Tests for `pacserve.app.searching`."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

from twisted.internet.defer import Deferred

from pacserve.app.searching import FOUND_LIMIT, Searching
from pacserve.apt.content import StatedFile
from pacserve.page.found import Found
from tests.unit.app.test_explaining import NAME, SIZE, Setup

OLD, OLDER = "zlib-1:1.3.1-1-x86_64.pkg.tar.zst", "zlib-1.9-1-x86_64.pkg.tar.zst"


class OneList:
    """States one package."""

    async def refresh(self) -> None:
        """Knows it anyway."""

    def matching(self, text: str, most: int) -> list[StatedFile]:
        """Returns it."""
        stated = StatedFile(8, bytes(32), "zlib1g_1-1_amd64")
        return [stated] if text in stated.label else []


class SearchingTests(Setup):
    def search(self, text: str) -> list[Found]:
        """What a search finds."""
        return self.successResultOf(Deferred.fromCoroutine(Searching(self.parts).search(text)))

    def test_holders(self) -> None:
        """A search finds packages and the hosts that hold them in the right size, those that tell a name with it."""
        self.caches.files[NAME] = SIZE
        self.add(size=SIZE)
        self.add(size=SIZE + 1)
        self.add(size=SIZE).observed.name = "nas"
        self.assertEqual(
            self.search("zlib"),
            [
                Found("zlib", "1:1.3.1-2", ("core",), SIZE, ("this host", "10.0.0.1:15678", "nas (10.0.0.3:15678)")),
                Found("zlib-ng", "2.0-1", ("core",), 7, ()),
            ],
        )
        self.assertEqual(self.search("z"), [])

    def test_versions(self) -> None:
        """Former versions in the cache of this host are found, too, with the peers that hold them; the newest comes first and is marked."""
        self.caches.files |= {OLDER: 5, OLD: 6, f"{OLD}.sig": 119, "bash-1-1-any.pkg.tar.zst": 7}
        peer = self.add()
        self.holdings.replace(peer.slot, {OLD: 6, OLDER: 4})
        self.assertEqual(
            [(one.version, one.repositories, one.holders, one.newest) for one in self.search("zlib")][:3],
            [
                ("1:1.3.1-2", ("core",), (), True),
                ("1:1.3.1-1", (), ("this host", "10.0.0.1:15678"), False),
                ("1.9-1", (), ("this host",), False),
            ],
        )

    def test_at_peers(self) -> None:
        """A version that only a peer has is found as well, as long as the peer is there."""
        peer = self.add()
        self.holdings.replace(peer.slot, {OLD: 6})
        self.parts.stated.note("10.0.0.1", [OLD, OLDER, NAME])
        self.assertEqual(
            [(one.version, one.size, one.holders, one.newest) for one in self.search("zlib")][:2],
            [("1:1.3.1-2", SIZE, (), True), ("1:1.3.1-1", 6, ("10.0.0.1:15678",), False)],
        )
        self.holdings.clear(peer.slot)
        self.assertEqual([one.version for one in self.search("zlib")], ["1:1.3.1-2", "2.0-1"])

    def test_apt(self) -> None:
        """A package that is shared by content is found by its label, not by its digest, here and at peers, the newest version first."""
        names = [f"zlib1g_{version}_{arch}@{'ab' * 32}.blob" for version, arch in (("1.9-1", "amd64"), ("1.10-1", "amd64"), ("1.10-1", "i386"))]
        self.caches.files |= {names[0]: 5, f"Packages.xz@{'ab' * 32}.blob": 9}
        peer = self.add()
        self.holdings.replace(peer.slot, dict.fromkeys(names[1:], 6))
        self.parts.stated.note("10.0.0.1", names)
        self.assertEqual(
            sorted([(one.package, one.version, one.size, one.holders, one.newest) for one in self.search("zlib1g")]),
            [
                ("zlib1g", "1.10-1 (amd64)", 6, ("10.0.0.1:15678",), True),
                ("zlib1g", "1.10-1 (i386)", 6, ("10.0.0.1:15678",), True),
                ("zlib1g", "1.9-1 (amd64)", 5, ("this host",), False),
            ],
        )
        self.assertEqual(self.search("zlib1g")[-1].version, "1.9-1 (amd64)")
        self.assertEqual([one.package for one in self.search("Packages")], ["Packages.xz"])
        self.assertEqual(self.search("abab"), [])

    def test_apt_lists(self) -> None:
        """A package that only the lists of apt state is found as one of apt's."""
        lists = OneList()
        self.parts = replace(self.parts, apt=SimpleNamespace(lists=lists))
        (found,) = self.search("zlib1g")
        self.assertEqual((found.package, found.version, found.repositories, found.size, found.holders), ("zlib1g", "1-1 (amd64)", ("apt",), 8, ()))

    def test_order(self) -> None:
        """The package of that very name comes first, then those whose names begin so, then the others."""
        self.caches.files |= {f"{name}-1-1-any.pkg.tar.zst": 1 for name in ("lib32-zlib", "zlib-doc", "a-zlib")}
        self.assertEqual([one.package for one in self.search("zlib")], ["zlib", "zlib-doc", "zlib-ng", "a-zlib", "lib32-zlib"])

    def test_several_repositories(self) -> None:
        """A file that two databases name is one file."""
        self.parts.databases.find = lambda text, most: [("core-testing", NAME), ("core", NAME)]
        self.parts.databases.size = lambda repo, name: SIZE
        (found,) = self.search("zlib")
        self.assertEqual(found.repositories, ("core-testing", "core"))

    def test_many(self) -> None:
        """Of very many files in the cache some are found."""
        self.caches.files |= {f"many-{number}-1-any.pkg.tar.zst": 1 for number in range(500)}
        self.assertEqual(len(self.search("many")), FOUND_LIMIT)
