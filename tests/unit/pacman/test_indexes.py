"""Tests for `pacserve.pacman.indexes`."""

import bz2
import gzip
import io

from twisted.trial.unittest import SynchronousTestCase

from pacserve.indexes.rules import Examined
from pacserve.pacman.indexes import DATABASE_LIMIT, PACMAN_INDEXES, BuildDates


class DatabaseTests(SynchronousTestCase):
    def test_names(self) -> None:
        """Databases are archives; their signatures and other files are not."""
        for name in ("core.db", "core.files", "core.db.tar.gz", "core.files.tar", "core.db.tar.zst"):
            self.assertTrue(PACMAN_INDEXES.is_index(name))
        for name in ("core.db.sig", "core.db.tar.gz.sig", "lastupdate", "db", "core.db.old"):
            self.assertFalse(PACMAN_INDEXES.is_index(name))

    def test_beginnings(self) -> None:
        """The files that repo-add makes begin as a database, whatever compressed them; a page does not."""
        for data in (b"\x1f\x8b", b"\xfd7zXZ\0", b"(\xb5/\xfd", b"\x50\x2a\x4d\x18", b"BZh9", b"\x04\x22\x4d\x18", bytes(257) + b"ustar\x0000"):
            self.assertIs(PACMAN_INDEXES.may_begin(data), True)
        for data in (b"", b"\x1f", b"<!doctype html>", bytes(100)):
            self.assertIsNone(PACMAN_INDEXES.may_begin(data))
        for data in (b"<!doctype html>" * 20, bytes(262)):
            self.assertIs(PACMAN_INDEXES.may_begin(data), False)

    def test_build_dates(self) -> None:
        """The newest time at which a package was built is found, also across pieces, but for times that can't be."""
        text = b"".join(b"%%BUILDDATE%%\n%d\n\n" % moment for moment in (1_700_000_000, 1_600_000_000, 1, 1_900_000_000, 10**11))
        for data in (gzip.compress(text), bz2.compress(text)):
            self.assertEqual(PACMAN_INDEXES.examine(io.BytesIO(data), 1_800_000_000), Examined(True, 1_700_000_000))
        self.assertEqual(PACMAN_INDEXES.examine(io.BytesIO(gzip.compress(b"%BUILDDATE%\nyesterday\n")), 0), Examined(True))
        self.assertEqual(PACMAN_INDEXES.examine(io.BytesIO(gzip.compress(text)[:-1]), 0).whole, False)
        for size in range(1, len(text)):
            dates = BuildDates(1_800_000_000)
            for start in range(0, len(text), size):
                dates.saw(text[start : start + size])
            self.assertEqual(dates.newest, 1_700_000_000)

    def test_signatures(self) -> None:
        """A signature is named after its database, and may have 16 KiB; pacman takes 128 MiB of every other file."""
        self.assertEqual(PACMAN_INDEXES.signature_of("core.db"), "core.db.sig")
        self.assertEqual(PACMAN_INDEXES.signed_by("core.db.sig"), "core.db")
        for name, limit in (("core.db", DATABASE_LIMIT), ("lastupdate", DATABASE_LIMIT), ("core.db.sig", 16384)):
            self.assertEqual((PACMAN_INDEXES.is_signature(name), PACMAN_INDEXES.limit_of(name)), (name.endswith(".sig"), limit))
        self.assertEqual(DATABASE_LIMIT, 134_217_728)
