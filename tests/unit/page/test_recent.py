"""Tests for `pacserve.page.recent`."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.page.recent import REQUESTS_SHOWN, reason, recent_table
from pacserve.page.text import clean
from pacserve.report.status import Record
from tests.unit.page.made_up import MIB, NOW, record
from tests.unit.page.reading import read
from tests.unit.page.strategies import of

SENT = Record(NOW - 90, "10.9.0.7", "/request/core/x86_64/a-1-1-any.pkg.tar.zst", 200, "cache", 3 * MIB, 0.004, False, True)


class RecentTests(SynchronousTestCase):
    def test_row(self) -> None:
        """A request has what was asked for, when, by whom, how it was answered and why, how much that was, and how long it took."""
        table = recent_table((SENT, dataclasses.replace(SENT, size=None, ended=False, at=NOW - 30)))
        self.assertEqual(
            read(table.html(NOW)).cells("recent"),
            [
                [SENT.path, "30 s ago", "10.9.0.7", "200 cut short", "a cache of this host has it", "", "4.0 ms"],
                [SENT.path, "1 min ago", "10.9.0.7", "200 sent", "a cache of this host has it", "3.00 MiB", "4.0 ms"],
            ],
        )

    def test_latest(self) -> None:
        """The latest come first, in whatever order they are known, and only some."""
        records = tuple([record(number, NOW - number) for number in range(50)])
        for given_so in (records, records[::-1]):
            table = recent_table(given_so)
            self.assertEqual([row[1].at for row in table.rows], [NOW - number for number in range(REQUESTS_SHOWN)])

    def test_reasons(self) -> None:
        """Each decision has its reason in words."""
        path, database = SENT.path, "/request/core/x86_64/core.db"
        for asked, status, origin, why in (
            (path, 200, "cache", "a cache of this host has it"),
            (path, 200, "copy", "a cache of this host has it"),
            (path, 307, "peer 10.0.0.3:15678", "on the LAN: peer 10.0.0.3:15678"),
            (path, 307, "mirror https://a", "no host on the LAN had it: mirror https://a"),
            (database, 307, "mirror https://a", "not a package, so it comes from a mirror: mirror https://a"),
            (path, 304, "", ""),
            (path, 403, "", "this client may not ask"),
            (path, 404, "mirror https://a", "no host has it; asked: mirror https://a"),
            (path, 421, "", "the name in the URL is not one of this host's"),
            (path, 416, "cache", "refused; asked: cache"),
            (path, 500, "", "failed"),
            (path, 504, "mirror https://a", "some hosts could not say whether they have it; asked: mirror https://a"),
        ):
            self.assertEqual(reason(dataclasses.replace(SENT, path=asked, status=status, origin=origin)), why)

    def test_marks(self) -> None:
        """What was refused or cut short stands out, and says so in words."""
        for change, text, mark in (
            ({"status": 404}, "404 refused", ["bad"]),
            ({"redirected": True, "status": 307}, "307 redirected", []),
            ({"ended": False}, "200 cut short", ["fair"]),
        ):
            page = read(recent_table((dataclasses.replace(SENT, **change),)).html(NOW))
            self.assertEqual((page.cells("recent")[0][3], [span.attributes["class"] for span in page.all("span")]), (text, mark))

    @given(st.lists(of(Record), max_size=3).map(tuple))
    def test_anything(self, records: tuple[Record, ...]) -> None:
        """Whatever was asked for is shown as it was asked, by whom, and when in a form that browsers read."""
        page = read(recent_table(records).html(NOW))
        self.assertEqual(sorted((row[0], row[2]) for row in page.cells("recent")), sorted((clean(one.path), clean(one.client)) for one in records))
        for time in page.all("time"):
            self.assertRegex(time.attributes["datetime"] or "", r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")
