"""Tests for `pacserve.apt.release_rules`."""

from __future__ import annotations

from unittest import TestCase

from pacserve.apt.release_rules import GIVEN_LIFETIME, Given, GivenReleases, KeptRelease, has_client, is_older, is_torn
from pacserve.apt.releases import parse_release
from pacserve.apt.targets import Target
from pacserve.network.addresses import parse_address
from tests.fakes.releases import release_text

NOW = 1_800_000_000.0
MADE = 1_767_225_600
URL = "http://deb.example/debian/dists/a/Release"
FOLDER = Target("http://deb.example", ("debian", "dists", "a"))
HERE, THERE, OTHER = map(parse_address, ("127.0.0.1", "192.0.2.3", "192.0.2.4"))


def kept(text: bytes = b"1", signature: bytes = b"", modified: int | None = None, date: str = "Thu, 01 Jan 2026 00:00:00 UTC") -> KeptRelease:
    """Returns a release that lists one index."""
    release = parse_release(release_text({"Packages": text}, date=date))
    assert release is not None
    return KeptRelease(URL, release, signature, modified, "")


class RuleTests(TestCase):
    def test_dated(self) -> None:
        """A release is as old as the mirror says, else as it says itself, unless that can't be."""
        self.assertEqual(kept(modified=MADE + 5).dated(NOW), MADE + 5)
        self.assertEqual(kept().dated(NOW), MADE)
        for date in ("Thu, 01 Jan 2099 00:00:00 UTC", "Thu, 01 Jan 1970 00:00:00 UTC", "x"):
            self.assertIsNone(kept(date=date).dated(NOW))

    def test_older(self) -> None:
        """A release with an earlier date is older, but for one that was said to be of the future."""
        earlier, later, far = kept(), kept(date="Fri, 02 Jan 2026 00:00:00 UTC"), kept(date="Thu, 01 Jan 2099 00:00:00 UTC")
        self.assertTrue(is_older(earlier, later, NOW))
        self.assertFalse(is_older(later, earlier, NOW))
        self.assertFalse(is_older(earlier, earlier, NOW))
        self.assertFalse(is_older(earlier, far, NOW))
        self.assertFalse(is_older(kept(date="x"), later, NOW))

    def test_torn(self) -> None:
        """Two releases can't have the same signature; one release may have two, and an unsigned one has none."""
        self.assertTrue(is_torn(kept(b"2", b"sig"), kept(b"1", b"sig")))
        self.assertFalse(is_torn(kept(b"2", b"new"), kept(b"1", b"sig")))
        self.assertFalse(is_torn(kept(b"1", b"sig"), kept(b"1", b"sig")))
        self.assertFalse(is_torn(kept(b"2"), kept(b"1")))

    def test_has_client(self) -> None:
        """A client has a release when its date is that, or later."""
        one = kept(modified=MADE)
        for since, expected in ((None, False), (MADE - 1, False), (MADE, True), (MADE + 1, True)):
            self.assertEqual(has_client(one, since, None, [one], NOW), expected)
        self.assertFalse(has_client(kept(date="x"), MADE, None, [], NOW))

    def test_two_of_one_second(self) -> None:
        """Where another release is of that second, only the client that was given this one has it."""
        one, other = kept(b"1", modified=MADE), kept(b"2", modified=MADE)
        self.assertTrue(has_client(one, MADE, one.release.digest, [one, other], NOW))
        self.assertFalse(has_client(one, MADE, other.release.digest, [one, other], NOW))
        self.assertFalse(has_client(one, MADE, None, [one, other], NOW))

    def test_back_in_time(self) -> None:
        """A client whose date is that of another release does not have this one, though it is dated earlier."""
        one, other = kept(b"1", modified=MADE), kept(b"2", modified=MADE + 9)
        self.assertFalse(has_client(one, MADE + 9, other.release.digest, [one, other], NOW))
        self.assertFalse(has_client(one, MADE + 9, one.release.digest, [one, other], NOW))
        self.assertTrue(has_client(one, MADE + 10, None, [one, other], NOW))


class GivenTests(TestCase):
    def setUp(self) -> None:
        self.given = GivenReleases(lambda address: address == HERE)

    def test_each_client(self) -> None:
        """Each client has its own, by folder, for a while."""
        self.given.give(THERE, FOLDER, Given(URL, b"1"), 0.0)
        self.given.give(OTHER, FOLDER, Given(URL, b"2"), 0.0)
        self.given.give(THERE, Target("http://x", ()), Given(URL, b"3"), 0.0)
        self.assertEqual(self.given.of(THERE, FOLDER, GIVEN_LIFETIME - 1), Given(URL, b"1"))
        self.assertEqual(self.given.of(OTHER, FOLDER, 0.0), Given(URL, b"2"))
        self.assertIsNone(self.given.of(HERE, FOLDER, 0.0))
        self.assertIsNone(self.given.of(THERE, FOLDER, GIVEN_LIFETIME))

    def test_reserved(self) -> None:
        """No client pushes out what others were given, nor this host."""
        for client in (HERE, OTHER):
            self.given.give(client, FOLDER, Given(URL, b"1"), 0.0)
        for number in range(5000):
            self.given.give(THERE, Target("http://x", (str(number),)), Given(URL, b"1"), 0.0)
        for client in (HERE, OTHER):
            self.assertIsNotNone(self.given.of(client, FOLDER, 0.0))
        self.assertIsNone(self.given.of(THERE, Target("http://x", ("0",)), 0.0))
