"""Tests for `pacserve.pacsrv.checks.host`: each fault is seen, and what is well is left alone."""

import dataclasses

from pacserve.pacsrv.checks.host import check_clock, check_daemon, check_disk, check_package_caches, check_spool
from pacserve.pacsrv.facts import ClockOffset, Folder
from tests.fakes.statuses import status
from tests.unit.pacsrv.checks.case import CheckCase


class HostTests(CheckCase):
    def test_daemon(self) -> None:
        """A daemon that is silent, or does not tell its state, is wrong."""
        self.assertEqual(self.found(check_daemon, silence="no program listens there"), "wrong")
        self.assertEqual(self.found(check_daemon, no_status="it answered 404"), "wrong")
        self.assertEqual(self.found(check_daemon, status=status()), "ok")

    def test_clock(self) -> None:
        """Most of the others must agree with this clock; one that is wrong itself is outvoted."""
        for offsets, level in (((), "ok"), ((1, -1), "ok"), ((1, 2, 99999), "ok"), ((100,), "warning"), ((-900, -901, 3), "wrong")):
            clocks = tuple(ClockOffset("x", float(offset)) for offset in offsets)
            self.assertEqual(self.found(check_clock, clocks=clocks), level, offsets)
        self.assertEqual(self.found(check_clock, now=3600.0), "wrong")

    def test_caches(self) -> None:
        """A cache that can't be read is wrong; one that is missing or can't be looked at may be well."""
        folders = (Folder("/a", problem="mode 0700"), Folder("/b", missing=True), Folder("/c", doubt="not root"), Folder("/d"))
        self.assertEqual(self.found(check_package_caches, cache_dirs=folders), "wrong warning warning ok")

    def test_disk(self) -> None:
        """Folders that are nearly full are named, and a spool that may outgrow its disk."""
        full, tight, roomy = Folder("/a", free=1 << 20), Folder("/a", free=500 << 20), Folder("/a", free=2 << 30)
        self.assertEqual(self.found(check_disk, cache_dirs=(full,)), "wrong")
        self.assertEqual(self.found(check_disk, cache_dirs=(tight, full)), "warning")
        self.assertEqual(self.found(check_disk, cache_dirs=(roomy,), spool=roomy, status=status()), "ok warning")
        self.assertEqual(self.found(check_disk, spool=Folder("/a", free=9 << 30), status=status()), "ok")

    def test_spool(self) -> None:
        """A spool that is wanted and can't be used is wrong."""
        self.assertEqual(self.found(check_spool, status=status()), "ok")
        self.assertEqual(self.found(check_spool), "")
        lost = dataclasses.replace(status(misses="auto"), spool=None)
        self.assertEqual(self.found(check_spool, status=lost), "wrong")
        self.assertEqual(self.found(check_spool, status=dataclasses.replace(status(), spool=None)), "")
