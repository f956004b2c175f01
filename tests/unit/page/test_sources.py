"""Tests for `pacserve.page.sources`."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.page.sources import FIRST_PEERS, mirrors_table, peers_tables
from pacserve.page.table import MOST_ROWS
from pacserve.page.text import clean
from pacserve.report.status import MirrorStatus, PeerStatus
from tests.unit.page.made_up import HOSTILE, MIB, NOW, peer
from tests.unit.page.reading import read
from tests.unit.page.strategies import of

KNOWN = dataclasses.replace(peer(1), host_name="", files=30, given=3 * MIB, heard=12.0, delay=0.0011)


class PeersTests(SynchronousTestCase):
    def rows(self, *peers: PeerStatus) -> list[list[str]]:
        """What is shown of peers."""
        first, rest = peers_tables(peers, NOW)
        return read(first.html(NOW)).cells("peers") + read(rest.html(NOW)).cells("peers-rest")

    def test_row(self) -> None:
        """A peer has its address, its state, what it holds and gave with the shares of all, how fast it answers, and when it was heard."""
        other = dataclasses.replace(
            KNOWN, address="10.0.0.9:15678", name="b.lan", files=10, given=MIB, state="dead", reason="no route", failures=3, heard=None
        )
        self.assertEqual(
            self.rows(other, KNOWN),
            [
                ["10.0.0.3:15678", "known", "30 files 75 %", "3.00 MiB 75 %", "1.1 ms", "0", "12 s ago"],
                ["b.lan 10.0.0.9:15678", "dead no route", "10 files 25 %", "1.00 MiB 25 %", "1.1 ms", "3", "never"],
            ],
        )

    def test_nothing_given(self) -> None:
        """Where nobody holds or gave anything there are no shares."""
        ((*_, holds, gave, _, _, _),) = self.rows(dataclasses.replace(KNOWN, files=0, given=0))
        self.assertEqual((holds, gave), ("0 files", "0 B"))

    def test_marks(self) -> None:
        """A state has a colour, and a word beside it; one that is not known has none, and a machine that is off is no trouble."""
        for state, mark in (("known", ["good"]), ("new", ["quiet"]), ("dead", ["quiet"]), ("refused", ["fair"]), (HOSTILE, [])):
            page = read(peers_tables((dataclasses.replace(KNOWN, state=state),), NOW)[0].html(NOW))
            self.assertEqual([span.attributes["class"] for span in page.all("span")], mark)
            self.assertEqual(page.cells("peers")[0][1], clean(state))

    def test_many(self) -> None:
        """Of a thousand peers those that gave most are shown, with their shares of what all gave, and how many more there are."""
        peers = tuple([dataclasses.replace(KNOWN, address=f"10.0.{number // 250}.{number % 250}:1", given=number) for number in range(1000)])
        first, rest = peers_tables(peers, NOW)
        self.assertEqual((len(first.rows), len(rest.rows), rest.more), (FIRST_PEERS, MOST_ROWS - FIRST_PEERS, 800))
        self.assertEqual(rest.summary, "990 more peers")
        self.assertEqual([first.rows[0][0].text, first.rows[0][3].text, first.rows[0][3].note], ["10.0.3.249:1", "999 B", "< 1 %"])
        self.assertEqual(rest.rows[0][0].text, "10.0.3.239:1")

    @given(st.lists(of(PeerStatus), max_size=3).map(tuple))
    def test_anything(self, peers: tuple[PeerStatus, ...]) -> None:
        """Whatever peers call themselves, each has a row that names it."""
        rows = self.rows(*peers)
        self.assertEqual(len(rows), len(peers))
        shown = {row[0] for row in rows}
        for one in peers:
            name = next((name for name in (one.host_name, one.name) if name and name != one.address), "")
            self.assertIn(f"{clean(name)} {clean(one.address)}" if name and one.address else clean(name or one.address), shown)


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
                ["https://b.example", "slow asked last for 2 min", "307 KiB/s", "core"],
                ["http://c.example", "failed asked last for less than a minute", "not known", ""],
            ],
        )

    def test_marks(self) -> None:
        """A mirror that fails is red only where none is left."""
        failed = dataclasses.replace(WELL, state="failed")
        for mirrors, marks in (((WELL, failed), ["good", "fair"]), ((failed, failed), ["bad", "bad"])):
            self.assertEqual([span.attributes["class"] for span in read(mirrors_table(mirrors).html(NOW)).all("span")], marks)

    def test_hostile(self) -> None:
        """A mirror whose name or repository is anything is text, and no link."""
        page = read(mirrors_table((MirrorStatus(HOSTILE, (HOSTILE,), HOSTILE, 0.0, None),)).html(NOW))
        self.assertEqual(page.cells("mirrors"), [[clean(HOSTILE), clean(HOSTILE), "not known", clean(HOSTILE)]])
        self.assertEqual(page.all("a") + page.all("span"), [])

    def test_many(self) -> None:
        """Of very many mirrors the first are shown, and how many more there are."""
        table = mirrors_table((WELL,) * (MOST_ROWS + 1))
        self.assertEqual((len(table.rows), table.more), (MOST_ROWS, 1))
