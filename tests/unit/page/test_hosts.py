"""Tests for `pacserve.page.hosts`."""

from __future__ import annotations

import dataclasses

from twisted.trial.unittest import SynchronousTestCase

from pacserve.page.hosts import HostNames, host_of_url, peer_cell, shares_cell, source_cell
from pacserve.page.table import Cell
from pacserve.web.origins import Share
from tests.unit.page.made_up import NOW, peer, record

KNOWN = dataclasses.replace(peer(0), address="10.0.0.3:15678", name="", host_name="nas")
SIX = dataclasses.replace(KNOWN, address="[fe80::1%eth0]:15678", host_name="laptop")


class HostNamesTests(SynchronousTestCase):
    def test_peer(self) -> None:
        """A peer is called what it calls itself, else what the user called it, with its address beside that; else by its address."""
        for host_name, name, cell in (
            ("nas", "", Cell("nas", note="10.0.0.3:15678")),
            ("nas", "b.lan:15678", Cell("nas", note="10.0.0.3:15678")),
            ("", "b.lan:15678", Cell("b.lan:15678", note="10.0.0.3:15678")),
            ("", "10.0.0.3:15678", Cell("10.0.0.3:15678")),
            ("", "", Cell("10.0.0.3:15678")),
        ):
            self.assertEqual(peer_cell(dataclasses.replace(KNOWN, host_name=host_name, name=name)), cell)

    def test_clients(self) -> None:
        """A client is this host, a peer by its address without the port, or an address."""
        names = HostNames([KNOWN, dataclasses.replace(KNOWN, address="10.0.0.3:15680", host_name="other"), SIX])
        for client, own, cell in (
            ("127.0.0.1", True, Cell("this host")),
            ("10.0.0.3", True, Cell("this host")),
            ("10.0.0.3", False, Cell("nas", note="10.0.0.3")),
            ("fe80::1%eth0", False, Cell("laptop", note="fe80::1%eth0")),
            ("10.0.0.4", False, Cell("10.0.0.4")),
        ):
            self.assertEqual(names.client(dataclasses.replace(record(0, NOW), client=client, own=own)), cell)

    def test_sources(self) -> None:
        """The source of a download is a peer with its name, or the host of a mirror."""
        names = HostNames([KNOWN, dataclasses.replace(KNOWN, host_name="other")])
        for source, cell in (
            ("peer 10.0.0.3:15678", Cell("nas", note="10.0.0.3:15678")),
            ("peer 10.0.0.9:15678", Cell("10.0.0.9:15678")),
            ("mirror https://example.org/core", Cell("example.org")),
            ("anything", Cell("anything")),
        ):
            self.assertEqual(source_cell(source, names), cell)
        self.assertEqual([host_of_url(url) for url in ("http://a:80/x", "https://b", "://", "")], ["a:80", "b", "://", ""])

    def test_shares(self) -> None:
        """Several hosts that gave a file have their names and shares; the kinds of hosts, and how the file arrived, stand beside that."""
        mirrors = (Share("mirror https://a.example", 75), Share("mirror http://b.example:8080", 25))
        for shares, how, cell in (
            (mirrors, "", Cell("a.example 75 %, b.example:8080 25 %")),
            (mirrors, "downloaded", Cell("a.example 75 %, b.example:8080 25 %", note="mirrors, downloaded")),
            ((*mirrors, Share("peer 10.0.0.3:15678", 900)), "", Cell("a.example 8 %, b.example:8080 2 %, nas 90 %", note="mirrors, peers")),
            ((*mirrors, Share("others", 0)), "", Cell("a.example 75 %, b.example:8080 25 %, others 0 %")),
            ((Share("mirror https://a.example", 0), Share("mirror https://b.example", 0)), "", Cell("a.example, b.example")),
        ):
            self.assertEqual(shares_cell(shares, HostNames([KNOWN]), how), cell)
