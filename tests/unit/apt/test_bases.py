"""Tests for `pacserve.apt.bases`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pacserve.apt.bases import Bases
from pacserve.apt.targets import Target

DEBIAN = Target("http://deb.example", ("debian",))
SECURE = Target("https://deb.example", ())
NESTED = Target("http://deb.example", ("debian", "nested"))


class BasesTests(SynchronousTestCase):
    def test_longest(self) -> None:
        """A file belongs to the longest base that it lies below, by the same scheme, host and port."""
        bases = Bases((DEBIAN, SECURE, NESTED))
        self.assertEqual(bases.of(Target("http://deb.example", ("debian", "pool", "x.deb"))), DEBIAN)
        self.assertEqual(bases.of(Target("http://deb.example", ("debian", "nested", "x.deb"))), NESTED)
        self.assertEqual(bases.of(Target("https://deb.example", ("x.deb",))), SECURE)

    def test_none(self) -> None:
        """A file that lies below none belongs to none, and neither does a base itself."""
        bases = Bases((DEBIAN,))
        for target in (DEBIAN, Target("http://deb.example", ("debian-security", "x")), Target("http://deb.example:81", ("debian", "x"))):
            self.assertIsNone(bases.of(target))
