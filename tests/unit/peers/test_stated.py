"""Tests for `pacserve.peers.stated`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pacserve.peers.stated import StatedNames

BLOB = f"zlib1g_1.2.13-1_amd64@{'3a' * 32}.blob"


def packages(first: int, count: int) -> list[str]:
    """Names of packages."""
    return [f"p{number}-1-1-any.pkg.tar.zst" for number in range(first, first + count)]


class StatedNamesTests(SynchronousTestCase):
    def test_find(self) -> None:
        """Names of packages are found by a part of them; those of files that are shared by content as well; signatures are not kept."""
        names = StatedNames()
        names.note("10.0.0.3", ["zlib-1-1-any.pkg.tar.zst", "zlib-1-1-any.pkg.tar.zst.sig", BLOB, "xz-1-1-any.pkg.tar.zst"])
        self.assertEqual((names.find("zlib"), len(names)), (["zlib-1-1-any.pkg.tar.zst", BLOB], 3))

    def test_bounded(self) -> None:
        """An address has a quarter of the places at most, and what has a place keeps it, whatever is stated by whom."""
        names = StatedNames(100)
        names.note("10.0.0.3", packages(0, 20))
        for host in range(10):
            names.note(f"10.0.1.{host}", packages(1000 * (host + 1), 50))
        self.assertEqual((len(names), len(names.of("10.0.0.3")), len(names.of("10.0.1.0"))), (100, 20, 25))
        names.note("10.0.0.3", packages(0, 30))
        self.assertEqual(len(names.of("10.0.0.3")), 20)

    def test_shared(self) -> None:
        """A name that several peers state has one place."""
        names = StatedNames(100)
        for host in range(10):
            names.note(f"10.0.1.{host}", packages(0, 20))
        self.assertEqual(len(names), 20)

    def test_prune(self) -> None:
        """Names that no peer holds any more are forgotten, and their places are free."""
        names = StatedNames(40)
        names.note("10.0.0.3", packages(0, 10))
        names.prune([*packages(0, 5), "other-1-1-any.pkg.tar.zst"], lambda name: name.startswith("p4"))
        self.assertEqual(list(names.of("10.0.0.3")), packages(4, 6))
        names.note("10.0.0.3", packages(20, 10))
        self.assertEqual(len(names.of("10.0.0.3")), 10)
