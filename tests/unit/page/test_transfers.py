"""Tests for `pacserve.page.transfers`."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.page.hosts import HostNames
from pacserve.page.table import MOST_ROWS
from pacserve.page.transfers import announcement, transfers_table
from pacserve.report.status import TransferStatus
from pacserve.web.origins import Share
from tests.unit.page.made_up import MIB, NOW, peer, transfer
from tests.unit.page.reading import read
from tests.unit.page.strategies import of

NAMES = HostNames([peer(1)])


def row(one: TransferStatus) -> list[str]:
    """What is shown of a download."""
    (cells,) = read(transfers_table((one,), NAMES).html(NOW)).cells("transfers")
    return [text.strip() for text in cells]


class TransfersTests(SynchronousTestCase):
    def test_row(self) -> None:
        """A download has its file, who gives it, how far it is, how fast, and how long it still takes."""
        self.assertEqual(
            row(transfer(70 * MIB)),
            [
                "linux 6.17.8.arch1-1 core",
                "mirror.example.org",
                "50 % of 140 MiB",
                "5.83 MiB/s",
                "12 s",
                "by SHA-256",
            ],
        )

    def test_named(self) -> None:
        """A peer that gives a file has its name, and its address beside it."""
        self.assertEqual(row(dataclasses.replace(transfer(MIB), source="peer 10.0.0.3:15678"))[1], "laptop 10.0.0.3:15678")

    def test_shares(self) -> None:
        """A download from several mirrors says what the share of each is."""
        shares = (Share("mirror https://a.example", 30 * MIB), Share("mirror https://b.example", 10 * MIB))
        self.assertEqual(row(dataclasses.replace(transfer(40 * MIB), shares=shares))[1], "a.example 75 %, b.example 25 %")
        self.assertEqual(row(dataclasses.replace(transfer(30 * MIB), shares=shares[:1]))[1], "mirror.example.org")

    def test_unknown(self) -> None:
        """What is not known is not made up: neither a size, nor who gives it, nor when it ends."""
        unknown = dataclasses.replace(transfer(3 * MIB), size=None, source="", verified=False, seconds=0.0)
        self.assertEqual(row(unknown)[1:], ["no host now", "3.00 MiB", "0 B/s", "", "not checked SHA-256 not known"])

    def test_too_much(self) -> None:
        """More than all of it is 100 per cent, and ends now."""
        self.assertEqual(row(transfer(150 * MIB))[2:5:2], ["100 % of 140 MiB", "0 s"])

    def test_announcement(self) -> None:
        """What is spoken names how many there are, and changes each quarter of the way."""
        self.assertEqual(announcement(()), "No download is running")
        spoken = [announcement((transfer(done * MIB),)) for done in range(141)]
        self.assertEqual(
            list(dict.fromkeys(spoken)),
            [f"1 download is running, {percent} per cent done" for percent in (0, 25, 50, 75, 100)],
        )
        unknown = dataclasses.replace(transfer(MIB), size=None)
        self.assertEqual(announcement((unknown,)), "1 download is running")
        self.assertEqual(announcement((unknown, transfer(35 * MIB))), "2 downloads are running, 25 per cent done")

    def test_many(self) -> None:
        """Of very many downloads the first are shown, and how many more there are."""
        table = transfers_table((transfer(5),) * (MOST_ROWS + 3), NAMES)
        self.assertEqual((len(table.rows), table.more), (MOST_ROWS, 3))

    @given(st.lists(of(TransferStatus), max_size=3).map(tuple))
    def test_anything(self, transfers: tuple[TransferStatus, ...]) -> None:
        """Whatever is known of downloads, each has a row whose bar is between nothing and all."""
        page = read(transfers_table(transfers, NAMES).html(NOW))
        self.assertEqual(len(page.cells("transfers")), len(transfers))
        for bar in page.all("progress"):
            self.assertTrue(0 <= int(bar.attributes.get("value") or 0) <= 100)
        self.assertLess(len(announcement(transfers)), 100)
