"""Tests for `pacserve.packages.marks`."""

import os
from tempfile import TemporaryFile

from twisted.trial.unittest import SynchronousTestCase

from pacserve.packages.marks import mark, marked

SHA256 = b"\0\xff" * 16


class MarksTests(SynchronousTestCase):
    def test_mark(self) -> None:
        """A file tells what it is or signs once it was marked, and nothing before; a mark of another length is none."""
        with TemporaryFile() as file:
            self.assertIsNone(marked(file.fileno()))
            self.assertTrue(mark(file.fileno(), SHA256))
            self.assertEqual(marked(file.fileno()), SHA256)
            os.setxattr(file.fileno(), "user.pacserve.package", SHA256[1:])
            self.assertIsNone(marked(file.fileno()))

    def test_no_attributes(self) -> None:
        """What takes no attributes is not marked, and that is said."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        self.assertFalse(mark(reading, SHA256))
        self.assertIsNone(marked(reading))
