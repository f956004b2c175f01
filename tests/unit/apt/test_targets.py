"""Tests for `pacserve.apt.targets`."""

from __future__ import annotations

from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.apt.targets import PARTS_LIMIT, Target, asked_target, target_of

FILE = Target("http://deb.example", ("debian", "pool", "z", "zlib1g_1~rc1+b2_amd64.deb"))


def here(authority: str) -> bool:
    """Returns whether an authority is that of the daemon."""
    return authority.lower() in ("localhost:9988", "127.0.0.1:9988")


class TargetTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """The forms of a proxy and of DebTorrent mean the same file, and so does a target in absolute form that names this host."""
        path = FILE.path
        self.assertEqual(asked_target("deb.example", path, here), FILE)
        self.assertEqual(asked_target("DEB.example:80", path, here), FILE)
        self.assertEqual(asked_target(None, ("deb.example", *path), here), FILE)
        self.assertEqual(asked_target("LocalHost:9988", ("deb.example", *path), here), FILE)

    def test_https(self) -> None:
        """A mirror is asked by https where its host stands behind that, whether two slashes came through or one."""
        secure = Target("https://deb.example:8443", FILE.path)
        for parts in (("https:", "", "deb.example:8443", *FILE.path), ("https:", "deb.example:8443", *FILE.path)):
            self.assertEqual(asked_target(None, parts, here), secure)
        self.assertEqual(asked_target(None, ("http:", "", "deb.example", *FILE.path), here), FILE)

    def test_flat(self) -> None:
        """Parts that mean nothing are left out: apt keeps `./` of flat repositories."""
        self.assertEqual(asked_target("deb.example", ("flat", ".", "", "Packages"), here), Target("http://deb.example", ("flat", "Packages")))

    def test_refused(self) -> None:
        """Nothing else is a file of a mirror."""
        for authority, parts in (
            ("deb.example", ("debian", "..", "etc")),
            ("deb.example", ("debian", "a/b")),
            ("deb.example", ("debian", "a\\b")),
            ("deb.example", ("debian", "%2e%2e")),
            ("deb.example", ("debian", "a\nb")),
            ("deb.example", ("x" * 256,)),
            ("deb.example", ("x",) * (PARTS_LIMIT + 1)),
            ("deb.example", ("",)),
            ("deb.example", ()),
            ("user@deb.example", ("debian", "x")),
            ("deb.example/debian", ("x",)),
            ("deb.example?", ("x",)),
            ("deb.example:0", ("x",)),
            ("deb.example:99999", ("x",)),
            ("", ("x",)),
            (None, ()),
            (None, ("",)),
            (None, ("deb.example",)),
            (None, ("https:",)),
            (None, ("https:", "")),
            (None, ("https:", "", "deb.example")),
            (None, ("ftp:", "", "deb.example", "x")),
        ):
            self.assertIsNone(asked_target(authority, parts, here), (authority, parts))

    def test_url(self) -> None:
        """The mirror is asked with the characters encoded that apt encodes, and a URL reads as the same file again."""
        self.assertEqual(FILE.url, "http://deb.example/debian/pool/z/zlib1g_1~rc1%2Bb2_amd64.deb")
        self.assertEqual(target_of(FILE.url), FILE)

    def test_target_of(self) -> None:
        """A base is a URL without password and query."""
        self.assertEqual(target_of("HTTPS://Deb.example:443/debian/"), Target("https://deb.example", ("debian",)))
        self.assertEqual(target_of("http://deb.example"), Target("http://deb.example", ()))
        for url in ("ftp://deb.example/", "http://a:b@deb.example/", "http://deb.example/?x", "deb.example/debian", "http://deb.example/../x"):
            self.assertIsNone(target_of(url), url)

    def test_below(self) -> None:
        """A file lies below a base by whole parts, of the same scheme, host and port."""
        self.assertEqual(FILE.below(Target("http://deb.example", ("debian",))), "pool/z/zlib1g_1~rc1+b2_amd64.deb")
        self.assertEqual(FILE.below(Target("http://deb.example", ())), "debian/pool/z/zlib1g_1~rc1+b2_amd64.deb")
        for base in (
            Target("https://deb.example", ("debian",)),
            Target("http://deb.example:8080", ("debian",)),
            Target("http://deb.example", ("deb",)),
            Target("http://deb.example", ("debian", "pool", "x")),
            FILE,
        ):
            self.assertIsNone(FILE.below(base))

    def test_sibling(self) -> None:
        """Files of one folder lead to each other."""
        self.assertEqual(FILE.sibling("by-hash/SHA256/00").path, ("debian", "pool", "z", "by-hash", "SHA256", "00"))
        self.assertEqual(FILE.name, "zlib1g_1~rc1+b2_amd64.deb")

    @given(st.one_of(st.none(), st.text(max_size=30)), st.lists(st.text(max_size=12), max_size=6))
    def test_anything(self, authority: str | None, parts: list[str]) -> None:
        """Whatever is asked for, a file has a path that leads down, and its URL means this file and no other."""
        target = asked_target(authority, parts, here)
        if target is not None:
            self.assertNotIn("..", [unquote(part) for part in target.path])
            self.assertNotIn("@", target.origin)
            self.assertEqual(target_of(target.url), target)
