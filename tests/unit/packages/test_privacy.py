"""Tests for `pacserve.packages.privacy`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.packages.privacy import is_private
from tests.fakes.interfaces import Databases

OURS, OURS_BEFORE = "ours-2-1-any.pkg.tar.zst", "ours-1-1-any.pkg.tar.zst"
ZLIB, BASH = "zlib-1-1-any.pkg.tar.zst", "bash-5-1-any.pkg.tar.zst"
STATED = {("private", OURS): 10, ("private", ZLIB): 20, ("core", ZLIB): 30, ("core", BASH): 40, ("private", BASH): 40}


class PrivacyTests(SynchronousTestCase):
    def private(self, name: str, size: int) -> bool:
        """Whether a file is kept from the LAN where one of two repositories is private."""
        return is_private(name, size, {"private"}, Databases(STATED))

    def test_stated(self) -> None:
        """A file that only a private repository states is private, and so are its signature and other versions of the package."""
        for name, size in ((OURS, 10), (f"{OURS}.sig", 5), (OURS_BEFORE, 9), (f"{OURS_BEFORE}.sig", 5), (ZLIB, 20)):
            self.assertTrue(self.private(name, size), name)

    def test_public(self) -> None:
        """A file that a public repository states, by name and size, is not, whatever a private one states; nor is one that neither knows."""
        for name, size in ((ZLIB, 30), (f"{ZLIB}.sig", 5), (BASH, 40), ("other-1-1-any.pkg.tar.zst", 7), (f"a@{'3a' * 32}.blob", 5)):
            self.assertFalse(self.private(name, size), name)

    def test_unread(self) -> None:
        """As long as the database of a private repository was not read only what a public one states is not private."""
        databases = Databases({("core", BASH): 40})
        for name, expected in ((BASH, False), (OURS, True), (f"a@{'3a' * 32}.blob", False)):
            self.assertEqual(is_private(name, 40, {"private"}, databases), expected)

    @given(st.sampled_from((OURS, ZLIB, BASH, OURS_BEFORE)), st.integers(1, 50))
    def test_none(self, name: str, size: int) -> None:
        """Without a private repository nothing is private; with all of them everything is that they know."""
        self.assertFalse(is_private(name, size, (), Databases(STATED)))
        self.assertTrue(is_private(name, size, {"private", "core"}, Databases(STATED)))
