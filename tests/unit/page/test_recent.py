"""Tests for `pacserve.page.recent`."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.page.hosts import HostNames
from pacserve.page.recent import FIRST_REQUESTS, REQUESTS_SHOWN, others_table, own_tables
from pacserve.page.text import clean
from pacserve.report.status import Record
from tests.unit.page.made_up import HOSTILE, MIB, NOW, foreign_record, peer, record
from tests.unit.page.reading import read
from tests.unit.page.strategies import of

PATH = "/request/core/x86_64/a-1-1-any.pkg.tar.zst"
SENT = Record(NOW - 90, "127.0.0.1", PATH, 200, "cache", 3 * MIB, 0.004, False, True)
NAMES = HostNames([peer(1), dataclasses.replace(peer(2), host_name="")])


def rows(*records: Record) -> list[list[str]]:
    """The rows of this host's requests, those that are folded among them."""
    first, rest = own_tables(records, NAMES)
    return read(first.html(NOW)).cells("recent") + read(rest.html(NOW)).cells("recent-rest")


def row(**changes: Any) -> list[str]:
    """The row of one request."""
    (shown,) = rows(dataclasses.replace(SENT, **changes))
    return shown


class OwnTests(SynchronousTestCase):
    def test_row(self) -> None:
        """A request has the package with its version, when it was asked for, how it was answered, from where, how much that was, how long it took."""
        self.assertEqual(
            rows(SENT, dataclasses.replace(SENT, size=None, ended=False, at=NOW - 30)),
            [
                ["a 1-1 core", "30 s ago", "cut short", "this host's cache", "", "4.0 ms"],
                ["a 1-1 core", "1 min ago", "sent", "this host's cache", "3.00 MiB", "4.0 ms"],
            ],
        )

    def test_latest(self) -> None:
        """The latest come first, in whatever order they are known: ten, some more folded behind a line that counts them, and no more than that."""
        records = tuple([dataclasses.replace(SENT, at=NOW - number) for number in range(50)])
        for given_so in (records, records[::-1]):
            first, rest = own_tables(given_so, NAMES)
            self.assertEqual([one[1].at for one in (*first.rows, *rest.rows)], [NOW - number for number in range(REQUESTS_SHOWN)])
            self.assertEqual((len(first.rows), rest.summary), (FIRST_REQUESTS, "20 earlier requests"))
        page = read(own_tables(records[:FIRST_REQUESTS], NAMES)[1].html(NOW))
        self.assertIn("hidden", page.one("recent-rest-fold").attributes)

    def test_own(self) -> None:
        """What other hosts ask is not among the requests of this one."""
        self.assertEqual(rows(dataclasses.replace(SENT, own=False)), [])

    def test_apt(self) -> None:
        """A request of apt has the package with its version, and an index the suite; that a mirror has passed it on is said."""
        path = "http://deb.example/debian/pool/main/z/zlib/zlib1g_1%3a1.2_amd64.deb"
        self.assertEqual(row(path=path, origin="mirror http://deb.example, downloaded")[::3], ["zlib1g 1.2 amd64", "deb.example mirror, downloaded"])
        index = "/deb.example/debian/dists/sid/main/i18n/Translation-en.xz"
        shown = row(path=index, origin="mirror http://deb.example, sent through")
        self.assertEqual(shown[::3], ["sid/main/i18n/Translation-en.xz index, deb.example", "deb.example mirror, sent through"])
        self.assertEqual(row(path=path, status=503, origin="")[2], "not now 503")

    def test_sources(self) -> None:
        """Each answer names the host that it came from, as people call it, and why that one."""
        database = "/request/core/x86_64/core.db"
        for path, status, origin, text in (
            (PATH, 200, "cache", "this host's cache"),
            (PATH, 200, "copy of mirror http://a", "copy of mirror http://a"),
            (PATH, 200, "folder /srv/repo", "folder /srv/repo"),
            (PATH, 307, "peer 10.0.0.3:15678", "laptop 10.0.0.3:15678"),
            (PATH, 200, "peer 10.0.0.3:15678, relayed", "laptop 10.0.0.3:15678, relayed"),
            (PATH, 307, "peer 10.0.0.4:15678", "10.0.0.4:15678"),
            (PATH, 307, "mirror https://a/core/os/x86_64", "a mirror: no host on the LAN had it"),
            (PATH, 200, "mirror https://a, downloaded", "a mirror, downloaded"),
            (PATH, 200, "mirrors https://a 75 bytes, http://b:8080 25 bytes, downloaded", "a 75 %, b:8080 25 % mirrors, downloaded"),
            (PATH, 200, "peers 10.0.0.3:15678 75 bytes, mirror http://b 25 bytes, relayed", "laptop 75 %, b 25 % peers, mirrors, relayed"),
            (PATH, 404, "mirrors https://a 75 bytes", "asked: mirrors https://a 75 bytes"),
            (database, 307, "mirror https://a:8080/core", "a:8080 mirror"),
            (PATH, 200, "downloaded", "downloaded"),
            (PATH, 304, "", ""),
            (PATH, 403, "", "--clients and --peers say who may ask"),
            (PATH, 404, "mirror https://a", "asked: mirror https://a"),
            (PATH, 421, "", "the name in the URL is not one of this host's: add it with --name"),
            (PATH, 504, "mirror https://a", "some hosts could not say whether they have it; asked: mirror https://a"),
        ):
            self.assertEqual(row(path=path, status=status, origin=origin)[3], text)

    def test_answers(self) -> None:
        """How it was answered is said in words.  That a file is not here is grey; red is left for what a person must mend."""
        for changes, text, mark in (
            ({"status": 200}, "sent", []),
            ({"status": 206}, "sent", []),
            ({"status": 304}, "unchanged", []),
            ({"status": 307, "redirected": True}, "redirected", []),
            ({"method": "HEAD"}, "is here", []),
            ({"ended": False}, "cut short", ["fair"]),
            ({"status": 404}, "not here", ["quiet"]),
            ({"status": 403}, "not allowed 403", ["fair"]),
            ({"status": 416}, "refused 416", ["fair"]),
            ({"status": 504}, "not known 504", ["fair"]),
            ({"status": 421}, "refused 421", ["bad"]),
            ({"status": 500}, "failed 500", ["bad"]),
        ):
            page = read(own_tables((dataclasses.replace(SENT, **changes),), NAMES)[0].html(NOW))
            self.assertEqual((page.cells("recent")[0][2], [span.attributes["class"] for span in page.all("span")]), (text, mark))

    def test_signatures(self) -> None:
        """A signature is folded into its package, asked for before or after it, and a database's into the database."""
        signature = dataclasses.replace(SENT, path=f"{PATH}.sig", at=SENT.at + 1)
        database = dataclasses.replace(SENT, path="/request/core/x86_64/core.db", at=SENT.at - 9)
        unsigned = dataclasses.replace(database, path=f"{database.path}.sig", status=404, at=SENT.at - 8)
        for later in (1, -1):
            shown = rows(SENT, dataclasses.replace(signature, at=SENT.at + later), database, unsigned)
            self.assertEqual([one[0] for one in shown], ["a 1-1 core", "core database"])
        again = [dataclasses.replace(one, at=one.at + 30) for one in (SENT, signature)]
        self.assertEqual(len(rows(SENT, signature, *again)), 2)

    def test_lone_signatures(self) -> None:
        """A signature without its package has a row of its own, and so has one that went wrong, or that another client asked for."""
        signature = dataclasses.replace(SENT, path=f"{PATH}.sig", at=SENT.at + 1)
        self.assertEqual(row(path=f"{PATH}.sig")[0], "a 1-1 core, signature")
        self.assertEqual([one[2] for one in rows(SENT, dataclasses.replace(signature, status=502))], ["failed 502", "sent"])
        self.assertEqual(len(rows(SENT, dataclasses.replace(signature, client="::1"))), 2)

    @given(st.lists(of(Record), max_size=3).map(tuple))
    def test_anything(self, records: tuple[Record, ...]) -> None:
        """Whatever was asked for is text, and when it was is in a form that browsers read."""
        for table in (*own_tables(records, NAMES), others_table(records, NAMES)):
            page = read(table.html(NOW))
            self.assertLessEqual(len(page.cells(table.id)), len(records))
            for time in page.all("time"):
                self.assertRegex(time.attributes["datetime"] or "", r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")

    def test_hostile(self) -> None:
        """A target, a client and an origin that are attacks are shown as they are, and are text."""
        hostile = dataclasses.replace(SENT, path=HOSTILE, client=HOSTILE, origin=HOSTILE)
        self.assertEqual(rows(hostile)[0][0], clean(HOSTILE))
        page = read(others_table((dataclasses.replace(hostile, own=False),), NAMES).html(NOW))
        self.assertEqual(page.cells("others")[0][:2], [clean(HOSTILE), clean(HOSTILE)])
        self.assertEqual(page.all("script") + page.all("img"), [])


class OthersTests(SynchronousTestCase):
    def test_counted(self) -> None:
        """What other hosts asked is one line that counts it, and is opened for the rest."""
        asked = [foreign_record(number, NOW - number) for number in range(14)]
        table = others_table([*asked, record(0, NOW)], HostNames([]))
        self.assertEqual(table.summary, "14 requests of other hosts: they got 370 MiB, and 9 times it was not here")
        asked = [dataclasses.replace(SENT, method=method, own=False) for method in ("GET", "HEAD")]
        self.assertIn("they got 3.00 MiB,", others_table(asked, NAMES).summary)
        page = read(table.html(NOW))
        (fold,) = page.all("details")
        self.assertNotIn("open", fold.attributes)
        self.assertEqual(len(page.cells("others")), 14)

    def test_named(self) -> None:
        """Another host has its name, with the address beside it; a host that is no peer has its address, and this host is `this host`."""
        for client, text in (("10.0.0.3", "laptop 10.0.0.3"), ("10.9.9.9", "10.9.9.9")):
            (shown,) = others_table([dataclasses.replace(SENT, client=client, own=False)], NAMES).rows
            self.assertEqual(f"{shown[1].text} {shown[1].note}".strip(), text)

    def test_none(self) -> None:
        """Where no other host has asked there is nothing to open."""
        self.assertIn("hidden", read(others_table([record(0, NOW)], NAMES).html(NOW)).one("others-fold").attributes)

    def test_many(self) -> None:
        """All are counted, and the latest listed."""
        table = others_table([dataclasses.replace(SENT, own=False)] * (REQUESTS_SHOWN + 5), NAMES)
        self.assertEqual((len(table.rows), table.more), (REQUESTS_SHOWN, 5))
        self.assertIn("35 requests", table.summary)
