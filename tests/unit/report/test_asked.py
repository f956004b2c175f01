"""Tests for `pacserve.report.asked`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.report.asked import asked_url

URL = "http://deb.example/debian/pool/z/zlib1g_1:1.2+b_amd64.deb"


class AskedURLTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """All forms in which apt asks for a file mean the same one."""
        for target in (
            "http://deb.example/debian/pool/z/zlib1g_1%3a1.2%2bb_amd64.deb",
            "HTTP://deb.example/debian/pool/z/zlib1g_1:1.2+b_amd64.deb",
            "/deb.example/debian/pool/z/zlib1g_1%3A1.2+b_amd64.deb",
            "/http://deb.example/debian/pool/z/zlib1g_1:1.2+b_amd64.deb",
            "http://localhost:9988/deb.example/debian/pool/z/zlib1g_1:1.2+b_amd64.deb",
            "http://[::1]:9988/deb.example/debian/pool/z/zlib1g_1:1.2+b_amd64.deb?x",
        ):
            self.assertEqual(asked_url(target), URL, target)
        for target in ("/https://deb.example/x", "/https:/deb.example/x", "http://localhost:9988/https://deb.example/x"):
            self.assertEqual(asked_url(target), "https://deb.example/x", target)
        self.assertEqual(asked_url("http://127.0.0.1:8000/debian/x"), "http://127.0.0.1:8000/debian/x")

    def test_none(self) -> None:
        """A path of pacserve's own names no file of a mirror."""
        for target in (
            "/",
            "",
            "/request/core/x86_64/core.db",
            "/package/zlib-1-1-any.pkg.tar.zst",
            "/deb.example",
            "*",
            "deb.example:443",
            "/a@b.c/x",
        ):
            self.assertIsNone(asked_url(target), target)

    @given(st.text(max_size=60))
    def test_anything(self, text: str) -> None:
        """Whatever was asked for is a URL or none."""
        for target in (text, f"/{text}", f"http://{text}"):
            url = asked_url(target)
            self.assertTrue(url is None or url.startswith(("http://", "https://")), target)
