"""Tests for `pacserve.transfer.lines`."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.packages.files import ExpectedFile
from pacserve.transfer.division import USUAL_SIZES
from pacserve.transfer.lines import WIDTH_MEMORY, Lines
from tests.fakes.upstreams import Mirror

NOW = 1000.0
LARGE = ExpectedFile(USUAL_SIZES.file, bytes(32))


class Server(Mirror):
    """
    A mirror that gives parts.

    Attributes:
        failed_lately: Whether it is asked after the others.
    """

    divisible = True
    failed_lately = False

    @property
    def sound(self) -> bool:
        return not self.failed_lately


class TakenFromTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.mirrors = [Server(Clock(), f"mirror {name}", b"") for name in "abcd"]

    def taken_from(self, lines: Lines, expected: ExpectedFile | None = LARGE, now: float = NOW) -> str:
        """The names of the mirrors."""
        return "".join([mirror.label[-1] for mirror in lines.taken_from(expected, self.mirrors, now)])

    def test_number(self) -> None:
        """A large file comes from the first mirrors, as many as may be asked at once, or as this host's line has use for."""
        self.assertEqual([self.taken_from(Lines(number)) for number in (1, 2, 3, 16)], ["", "ab", "abc", "abcd"])
        lines = Lines(3)
        for width, names in ((2, "ab"), (1, ""), (9, "abc")):
            lines.learn_width(width, NOW)
            self.assertEqual(self.taken_from(lines), names)
        lines.learn_width(2, NOW)
        self.assertEqual(self.taken_from(lines, now=NOW + WIDTH_MEMORY), "abc")

    def test_file(self) -> None:
        """A file that is small, unknown, or can't be checked comes from one mirror at a time."""
        for expected in (None, ExpectedFile(LARGE.size, None), ExpectedFile(LARGE.size - 1, bytes(32))):
            self.assertEqual(self.taken_from(Lines(3), expected), "")

    def test_mirrors(self) -> None:
        """A mirror that failed lately, wants to be left alone or gives whole files only is left out; with fewer than two others none is named."""
        lines = Lines(3)
        self.mirrors[0].failed_lately = True
        self.assertEqual(self.taken_from(lines), "bcd")
        self.mirrors[1].rests = True
        self.assertEqual(self.taken_from(lines), "cd")
        lines.refused_parts(self.mirrors[2], NOW)
        self.assertEqual(self.taken_from(lines), "")

    def test_peers(self) -> None:
        """A file that begins to come from a host which gives no parts, as peers, comes from one host at a time."""
        self.mirrors.insert(0, Server(Clock(), "peer x", b""))
        self.mirrors[0].divisible = False
        self.assertEqual(self.taken_from(Lines(3)), "")
