"""Tests for `pacserve.apt.content`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.apt.content import StatedFile, label_of, package_label
from pacserve.packages.names import parse_content_name


class ContentTests(SynchronousTestCase):
    def test_name(self) -> None:
        """A file is shared by its label and its digest."""
        file = StatedFile(5, bytes(31) + b"\x0c", package_label("zlib1g", "1:1.2.13~rc1+b2-1", "amd64"))
        self.assertEqual(file.name, f"zlib1g_1.2.13~rc1+b2-1_amd64@{'00' * 31}0c.blob")

    def test_labels(self) -> None:
        """The label of a package is that of its file in Debian's pool; what may not stand in one becomes a hyphen."""
        self.assertEqual(label_of("zlib1g_1.2.13-1_amd64.deb"), package_label("zlib1g", "1.2.13-1", "amd64"))
        self.assertEqual((label_of("Packages.xz"), label_of("a b@c/d"), label_of("..."), label_of("-x")), ("Packages.xz", "a-b-c-d", "file", "x"))

    @given(st.text(max_size=300), st.text(max_size=30), st.text(max_size=30))
    def test_any_label(self, package: str, version: str, architecture: str) -> None:
        """Whatever a list says, hosts can share the file by the name that is made of it."""
        for label in (label_of(package), package_label(package, version, architecture)):
            self.assertIsNotNone(parse_content_name(StatedFile(1, bytes(32), label).name))
