"""Tests for `pacserve.packages.labels`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.packages.labels import PackageLabel, parse_label, parse_package_path, version_key

ZLIB = PackageLabel("zlib1g", "1.2.13.dfsg-1", "amd64")


class LabelTests(SynchronousTestCase):
    def test_labels(self) -> None:
        """A label has a package, a version and an architecture; an epoch is no part of it."""
        self.assertEqual(parse_label("zlib1g_1.2.13.dfsg-1_amd64"), ZLIB)
        self.assertEqual(parse_label("zlib1g_1:1.2.13.dfsg-1_amd64"), ZLIB)
        self.assertEqual(
            parse_label("libstdc++6_12.2.0~rc1-14+deb12u1_kfreebsd-amd64"), PackageLabel("libstdc++6", "12.2.0~rc1-14+deb12u1", "kfreebsd-amd64")
        )
        self.assertEqual(str(ZLIB), "zlib1g_1.2.13.dfsg-1_amd64")

    def test_no_package(self) -> None:
        """Indexes and files of sources have other labels."""
        for text in ("Packages.xz", "zlib_1.2.13.dfsg-1.dsc", "a_1_b_2", "_1_all", "a__all", "a_1_", "a_1_all\n", "a/b_1_all", ""):
            self.assertIsNone(parse_label(text), text)

    def test_files(self) -> None:
        """The file of a package has the same parts, however it is encoded."""
        for name in ("zlib1g_1.2.13.dfsg-1_amd64.deb", "zlib1g_1%3a1.2.13.dfsg-1_amd64.deb", "zlib1g_1:1.2.13.dfsg%2d1_amd64.udeb"):
            self.assertEqual(parse_package_path(name), ZLIB)
        for name in ("odd.deb", "zlib1g_1.2.13.dfsg-1_amd64", "zlib1g_1.2.13.dfsg-1_amd64.changes", ""):
            self.assertIsNone(parse_package_path(name), name)

    def test_versions(self) -> None:
        """Versions are sorted as a reader expects."""
        versions = ["1.0~beta2", "1.0~rc1", "1.0", "1.0-1", "1.0-1+deb12u1", "1.0-1+deb12u2", "1.0-1+deb12u10", "1.2", "1.10", "2"]
        self.assertEqual(sorted(set(versions), key=version_key), versions)

    @given(st.text(max_size=40), st.text(max_size=40))
    def test_anything(self, text: str, other: str) -> None:
        """Whatever a name is, it is taken apart or not, and versions can be compared."""
        parse_label(text)
        parse_package_path(f"{text}.deb")
        self.assertIsInstance(version_key(text) < version_key(other), bool)
