"""Tests for `tools.installing.manifest`."""

from __future__ import annotations

from pathlib import PurePosixPath

from twisted.trial.unittest import SynchronousTestCase

from tools.installing.errors import InstallError
from tools.installing.manifest import Manifest, read_manifest


class ManifestTests(SynchronousTestCase):
    def test_read_again(self) -> None:
        """All comes back as it was written, blanks in paths included."""
        manifest = Manifest(
            frozenset({PurePosixPath("/usr/bin/pacserve"), PurePosixPath("/opt/my programs/x")}),
            {PurePosixPath("/etc/conf.d/pacserve"): "0" * 64},
            frozenset({PurePosixPath("/usr/lib/pacserve")}),
            frozenset({PurePosixPath("/usr")}),
        )
        self.assertEqual(read_manifest(manifest.text()), manifest)

    def test_wrong_lines(self) -> None:
        """A list that is not understood, or that leads elsewhere, removes nothing."""
        for text in ("file", "what /usr/bin/x", "tree usr/lib", "file /usr/../etc/passwd", "config abc"):
            self.assertRaises(InstallError, read_manifest, text)
