"""Tests for `pacserve.apt.kept_releases`."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import TestCase, mock

from hypothesis import given
from hypothesis import strategies as st

from pacserve.apt import kept_releases
from pacserve.apt.kept_releases import NAMES_LIMIT, RELEASES_PER_SUITE, KeptReleases
from pacserve.apt.release_rules import KeptRelease
from pacserve.apt.releases import parse_release
from pacserve.apt.targets import Target
from tests.fakes.releases import in_release

BASE = "http://deb.example/debian/dists"
FOLDER = Target("http://deb.example", ("debian", "dists", "a"))
URL = f"{BASE}/a/InRelease"


def kept(text: bytes, url: str = URL, signature: bytes = b"") -> KeptRelease:
    """Returns a release that lists one index."""
    release = parse_release(in_release({"Packages": text}))
    assert release is not None
    return KeptRelease(url, release, signature, 1_767_225_600, '"etag"')


class KeptTests(TestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "apt" / "releases"
        self.kept = KeptReleases(str(self.folder))

    def loaded(self) -> KeptReleases:
        """Returns what the next daemon finds."""
        found = KeptReleases(str(self.folder))
        found.load()
        return found

    def test_newest_first(self) -> None:
        """The newest is at the front, a few former ones stay, and one that comes again is the newest."""
        releases = [kept(b"%d" % number) for number in range(RELEASES_PER_SUITE + 1)]
        for release in releases:
            self.kept.keep(release)
        self.assertEqual(self.kept.of(URL), releases[:0:-1])
        self.kept.keep(releases[1])
        self.assertEqual(self.kept.newest(URL), releases[1])
        self.assertEqual((len(self.kept), list(self.kept.below(FOLDER))), (RELEASES_PER_SUITE, list(self.kept.of(URL))))
        self.assertEqual(self.kept.below(Target(FOLDER.origin, ("debian", "dists"))), [])

    def test_restart(self) -> None:
        """All of it is there after a restart, the names that were asked for as well, though nothing was kept since."""
        pair = kept(b"1", f"{BASE}/b/Release", b"signature")
        for release in (kept(b"1"), kept(b"2"), pair):
            self.kept.keep(release)
        self.kept.asked_for(URL, "main/Packages.xz")
        found = self.loaded()
        self.assertEqual(found.of(URL), self.kept.of(URL))
        self.assertEqual(found.of(pair.url), [pair])
        self.assertEqual(found.names(URL), ["main/Packages.xz"])
        self.assertEqual({path.suffix for path in self.folder.iterdir()}, {".release"})

    def test_withdrawn(self) -> None:
        """A release that the mirror has no more is handed to nobody, not after a restart either; who has it still finds its indexes."""
        self.kept.keep(kept(b"1"))
        self.kept.withdraw(URL)
        self.kept.asked_for(URL, "main/Packages.xz")
        self.assertIsNone(self.kept.newest(URL))
        self.assertEqual(len(self.kept.below(FOLDER)), 1)
        self.assertEqual(len(self.loaded()), 0)
        self.kept.keep(kept(b"1"))
        self.assertIsNotNone(self.kept.newest(URL))
        self.kept.withdraw(f"{BASE}/unknown/InRelease")

    def test_bounds(self) -> None:
        """Suites, bytes and names are bounded; the suite that was not used for longest goes, also from the disk."""
        with mock.patch.object(kept_releases, "SUITES_LIMIT", 2):
            for name in ("a", "b"):
                self.kept.keep(kept(b"1", f"{BASE}/{name}/InRelease"))
            self.kept.used(URL)
            self.kept.keep(kept(b"1", f"{BASE}/c/InRelease"))
        self.assertEqual([self.kept.newest(f"{BASE}/{name}/InRelease") is None for name in "abc"], [False, True, False])
        self.assertEqual((len(list(self.folder.iterdir())), self.kept.below(FOLDER.sibling("b"))), (2, []))
        with mock.patch.object(kept_releases, "BYTES_LIMIT", 10):
            self.kept.keep(kept(b"2"))
        self.assertEqual(len(self.kept), 2)
        for number in range(NAMES_LIMIT + 5):
            self.kept.asked_for(URL, f"{number}")
        self.assertEqual((len(self.kept.names(URL)), self.kept.names(URL)[-1]), (NAMES_LIMIT, str(NAMES_LIMIT + 4)))

    def test_no_more_writing(self) -> None:
        """A client that asks for ever other names does not have the disk written each time."""
        self.kept.keep(kept(b"1"))
        for number in range(NAMES_LIMIT):
            self.kept.asked_for(URL, f"{number}")
        with mock.patch.object(KeptReleases, "_write") as write:
            self.kept.asked_for(URL, "another")
            self.kept.asked_for(URL, "another")
        write.assert_not_called()

    def test_damaged(self) -> None:
        """A file that is damaged, cut, another suite's, or no file of ours is dropped, and the others are read."""
        self.kept.keep(kept(b"1"))
        (path,) = self.folder.iterdir()
        whole = path.read_bytes()
        for number, data in enumerate((b"", b"{}\n", b"[]\n", whole[:-1], whole[3:], whole.replace(b'"signature": 0', b'"signature": -1'), whole)):
            (self.folder / f"{number:032}.release").write_bytes(data)
        (self.folder / "link.release").symlink_to("/etc/passwd")
        os.mkfifo(self.folder / "pipe.release")
        self.assertEqual(self.loaded().of(URL), self.kept.of(URL))
        self.assertEqual(list(self.folder.glob("*.release")), [path])

    @given(st.binary(max_size=200), st.integers(0, 400))
    def test_any_bytes(self, data: bytes, at: int) -> None:
        """No bytes on the disk keep the daemon from starting."""
        self.kept.keep(kept(b"1"))
        (path,) = self.folder.iterdir()
        whole = path.read_bytes()
        path.write_bytes(whole[:at] + data + whole[at:])
        self.loaded()

    def test_no_disk(self) -> None:
        """Where the disk can't be written releases stay in memory; where nothing was kept there is nothing to read."""
        self.folder.parent.mkdir(parents=True)
        self.folder.write_bytes(b"in the way")
        self.kept.keep(kept(b"1"))
        self.assertIsNotNone(self.kept.newest(URL))
        self.assertEqual(len(self.loaded()), 0)

    def test_no_url(self) -> None:
        """A release without a URL of ours is not kept."""
        self.kept.keep(kept(b"1", "ftp://x/InRelease"))
        self.assertEqual(len(self.kept), 0)
