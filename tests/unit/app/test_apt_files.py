"""Tests for `pacserve.app.apt_files`."""

from __future__ import annotations

from unittest import TestCase

from pacserve.app.apt_files import Here
from tests.fakes.interfaces import Addresses


class HereTests(TestCase):
    def setUp(self) -> None:
        self.here = Here(Addresses("192.0.2.9", "2001:db8::9"), frozenset({"box", "box.lan"}), 9988)

    def test_this_daemon(self) -> None:
        """The port for apt is meant by each name and address of this host."""
        for host in ("localhost", "LOCALHOST", "127.0.0.1", "127.0.1.1", "[::1]", "0.0.0.0", "[::]", "192.0.2.9", "[2001:db8::9]", "box", "box.lan"):
            self.assertTrue(self.here(f"{host}:9988"), host)

    def test_others(self) -> None:
        """Other hosts, other ports of this one, and what is no host, are not this daemon."""
        for authority in (
            "192.0.2.8:9988",
            "deb.example:9988",
            "localhost",
            "localhost:80",
            "box:15678",
            "",
            ":9988",
            "a b:9988",
            "localhost:9988:1",
        ):
            self.assertFalse(self.here(authority), authority)
