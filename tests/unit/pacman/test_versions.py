"""Tests for `pacserve.pacman.versions`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from pacserve.pacman.versions import compare_versions, newest

VERSIONS = st.text(st.sampled_from("0129abZ.:-+~_^,"), max_size=12) | st.lists(
    st.sampled_from(("1", "01", "2", "10", "a", "rc", "beta", ".", "..", "+", "-1", "-2", "1:", "0:", ":", "-")), max_size=7
).map("".join)


class VersionTests(SynchronousTestCase):
    def test_order(self) -> None:
        """Versions are in the order of vercmp(8): its own examples, and those of packages of Arch."""
        for older, newer in (
            ("1.0a", "1.0b"),
            ("1.0b", "1.0beta"),
            ("1.0beta", "1.0p"),
            ("1.0pre", "1.0rc"),
            ("1.0rc", "1.0"),
            ("1.0", "1.0.a"),
            ("1.0.a", "1.0.1"),
            ("1.0.1", "1.1"),
            ("1", "1.0"),
            ("1.1.1", "1.2"),
            ("6.17.8.arch1-1", "6.17.8.arch1-2"),
            ("1.3.1-2", "1:1.3-1"),
            ("1.9-1", "1.10-1"),
            ("2.0-9", "2.0-10"),
        ):
            self.assertEqual((compare_versions(older, newer), compare_versions(newer, older)), (-1, 1), (older, newer))
        for same in ("1.0", "1.0-1", "0:1.0-1", "01.0-1"):
            self.assertEqual(compare_versions(same, "1.0-1"), 0)

    def test_newest(self) -> None:
        """The newest of some versions is found in whatever order they are."""
        self.assertEqual([newest(versions) for versions in (["1-1", "1:0-1", "2-1"], ["2-1"], ["10-1", "9-1"])], ["1:0-1", "2-1", "10-1"])

    @given(VERSIONS, VERSIONS)
    def test_as_libalpm(self, one: str, two: str) -> None:
        """Any two versions are in the order in which libalpm has them."""
        try:
            import pyalpm  # noqa: PLC0415
        except ImportError:
            raise SkipTest("pyalpm is not installed") from None
        for first, second in ((one, two), (two, one)):
            self.assertEqual(compare_versions(first, second), pyalpm.vercmp(first, second), (first, second))
