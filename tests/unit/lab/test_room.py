from __future__ import annotations

import unittest

from tests.conftest import pytest_report_header, too_little_room


class RoomTests(unittest.TestCase):
    """What is said at the start where a test run may fill the folder for temporary files."""

    def test_enough(self) -> None:
        """Where there is room nothing is said; a tmpfs of 4 GiB has room."""
        self.assertEqual(too_little_room("/tmp", 4 << 30), [])

    def test_too_little(self) -> None:
        """Where there is not, folder and figures are named, and the way out."""
        (line,) = too_little_room("/tmp", 300_000_000)
        self.assertIn("0.3 GB are free in /tmp", line)
        self.assertIn("TMPDIR", line)

    def test_this_machine(self) -> None:
        """It is asked of the machine itself."""
        self.assertLessEqual(len(pytest_report_header()), 1)
