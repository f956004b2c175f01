"""Tests for `pacserve.mirrors.absences`."""

from twisted.trial.unittest import SynchronousTestCase

from pacserve.mirrors.absences import REMEMBERED, Absences
from pacserve.packages.files import FileKind, FileRequest


def request(number: int) -> FileRequest:
    """One of many files."""
    return FileRequest("core", "x86_64", f"p{number}-1-1-any.pkg.tar.zst", FileKind.PACKAGE)


class AbsencesTests(SynchronousTestCase):
    def test_remembered(self) -> None:
        """An absence holds for some seconds, and for that file alone."""
        absences = Absences()
        absences.remember(request(1), "404", 100.0)
        self.assertEqual(absences.reasons(request(1), 100.0 + REMEMBERED - 0.1), "404")
        self.assertIsNone(absences.reasons(request(1), 100.0 + REMEMBERED))
        self.assertIsNone(absences.reasons(request(2), 100.0))

    def test_bounded(self) -> None:
        """However many files are asked for that do not exist, the latest are remembered."""
        absences = Absences()
        for number in range(5000):
            absences.remember(request(number), "404", 0.0)
        self.assertEqual((len(absences), absences.reasons(request(4999), 1.0), absences.reasons(request(0), 1.0)), (1024, "404", None))
