"""Tests for `pacserve.page.mirrors`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pacserve.page.mirrors import mirrors_table
from pacserve.page.table import MOST_ROWS
from pacserve.page.text import clean
from pacserve.report.status import MirrorStatus
from tests.unit.page.made_up import HOSTILE, MIB, NOW
from tests.unit.page.reading import read

WELL = MirrorStatus("https://a.example", ("core", "extra"), "well", 0.0, 11.2 * MIB)


class MirrorsTests(SynchronousTestCase):
    def test_rows(self) -> None:
        """Mirrors stand in the order of pacman.conf, with how they did, for how many minutes they come last, how fast they are, what they serve."""
        mirrors = (
            WELL,
            MirrorStatus("https://b.example", ("core",), "slow", 130.0, 0.3 * MIB),
            MirrorStatus("http://c.example", (), "failed", 20.0, None),
        )
        self.assertEqual(
            read(mirrors_table(mirrors).html(NOW)).cells("mirrors"),
            [
                ["https://a.example", "well", "11.2 MiB/s", "core, extra"],
                ["https://b.example", "slow, asked last for 2 min", "307 KiB/s", "core"],
                ["http://c.example", "failed, asked last for less than a minute", "not known", ""],
            ],
        )

    def test_hostile(self) -> None:
        """A mirror whose name or repository is anything is text, and no link."""
        page = read(mirrors_table((MirrorStatus(HOSTILE, (HOSTILE,), HOSTILE, 0.0, None),)).html(NOW))
        self.assertEqual(page.cells("mirrors"), [[clean(HOSTILE), clean(HOSTILE), "not known", clean(HOSTILE)]])
        self.assertEqual(page.all("a") + page.all("span"), [])

    def test_many(self) -> None:
        """Of very many mirrors the first are shown, and how many more there are."""
        table = mirrors_table((WELL,) * (MOST_ROWS + 1))
        self.assertEqual((len(table.rows), table.more), (MOST_ROWS, 1))
