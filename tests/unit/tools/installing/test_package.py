"""Tests for `tools.installing.package`."""

from __future__ import annotations

import site
import sys
from pathlib import PurePosixPath

from twisted.trial.unittest import SynchronousTestCase

from tools.installing.package import modules_folder

DEBIAN = ["/usr/local/lib/python3.11/dist-packages", "/usr/lib/python3/dist-packages", "/usr/lib/python3.11/dist-packages"]
ARCH = ["/usr/lib/python3.13/site-packages"]


class ModulesTests(SynchronousTestCase):
    def folder(self, prefix: str, folders: list[str]) -> str:
        self.patch(site, "getsitepackages", lambda: folders)
        return str(modules_folder(PurePosixPath(prefix)))

    def test_where_python_looks(self) -> None:
        """Modules go where this Python looks for them."""
        self.assertEqual(self.folder("/usr", DEBIAN), "/usr/lib/python3/dist-packages")
        self.assertEqual(self.folder("/usr/local", DEBIAN), "/usr/local/lib/python3.11/dist-packages")
        self.assertEqual(self.folder("/usr", ARCH), ARCH[0])

    def test_elsewhere(self) -> None:
        """Below a prefix in which this Python does not look they go where any Python would."""
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        self.assertEqual(self.folder("/usr/local", ARCH), f"/usr/local/lib/python{version}/site-packages")
