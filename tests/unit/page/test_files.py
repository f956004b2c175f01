"""Tests for `pacserve.page.files`."""

from __future__ import annotations

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from pacserve.page.files import named_file, shown_name
from tests.unit.page.strategies import HOSTILE_TEXTS


class NamedFileTests(SynchronousTestCase):
    def test_names(self) -> None:
        """A package is its name and version, a database its repository, and a target of no such form itself."""
        for target, text, note, package in (
            ("/request/core/x86_64/zlib-1:1.3.1-2-x86_64.pkg.tar.zst", "zlib 1:1.3.1-2", "core", True),
            ("/request/core/x86_64/zlib-1%3A1.3.1-2-x86_64.pkg.tar.zst", "zlib 1:1.3.1-2", "core", True),
            ("/fetch/core/x86_64/zlib-1-1-any.pkg.tar.zst", "zlib 1-1", "core", True),
            ("/request/core/x86_64/zlib-1-1-any.pkg.tar.zst.sig", "zlib 1-1", "core, signature", True),
            ("/package/zlib-1-1-any.pkg.tar.zst", "zlib 1-1", "", True),
            ("/package/zlib-1-1-any.pkg.tar.zst/data?zlib-1-1-any.pkg.tar.zst", "zlib 1-1", "", True),
            (f"/package/firmware_1.2@{'0' * 64}.blob", "firmware_1.2", "", True),
            (f"/package/zlib1g_1.2_amd64@{'0' * 64}.blob", "zlib1g 1.2", "amd64", True),
            (f"/fetch/apt/any/Packages.xz@{'0' * 64}.blob", "Packages.xz", "apt", True),
            ("http://deb.example/debian/pool/main/z/zlib/zlib1g_1%3a1.2_amd64.deb", "zlib1g 1.2", "amd64", True),
            ("/deb.example/debian/pool/main/z/zlib/zlib1g_1.2_amd64.deb", "zlib1g 1.2", "amd64", True),
            ("http://deb.example/debian/pool/main/z/zlib/zlib_1.2.dsc", "zlib_1.2.dsc", "deb.example", False),
            ("http://deb.example/debian/dists/sid/InRelease", "sid/InRelease", "release, deb.example", False),
            ("/https://deb.example/dists/sid/main/source/Sources.xz", "sid/main/source/Sources.xz", "index, deb.example", False),
            (
                f"http://deb.example/debian/dists/sid/main/binary-amd64/by-hash/SHA256/{'0123456789abcdef' * 4}",
                "sid/main/binary-amd64/0123456789ab…",
                "index, deb.example",
                False,
            ),
            ("/request/core/x86_64/core.db", "core", "database", False),
            ("/request/core/x86_64/core.db.sig", "core", "database, signature", False),
            ("/request/core/x86_64/core.files", "core", "list of files", False),
            ("/request/core/x86_64/odd.pkg.tar.zst", "odd.pkg.tar.zst", "core", True),
            ("/request/core/x86_64/extra.db", "extra.db", "core", False),
            ("/request/core", "/request/core", "", False),
            ("", "", "", False),
        ):
            named = named_file(target)
            self.assertEqual((named.text, named.note, named.package), (text, note, package), target)
        self.assertEqual(shown_name("zlib-1-1-any.pkg.tar.zst.sig"), ("zlib 1-1", "signature"))

    @given(HOSTILE_TEXTS)
    def test_anything(self, text: str) -> None:
        """Whatever is asked for has some name."""
        self.assertIsInstance(named_file(f"/request/core/x86_64/{text}").text, str)
        self.assertIsInstance(named_file(text).text, str)
        self.assertIsInstance(named_file(f"http://deb.example/{text}").text, str)
