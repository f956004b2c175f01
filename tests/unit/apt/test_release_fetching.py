"""Tests for `pacserve.apt.release_fetching`."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.apt.release_fetching import FETCH_TIMEOUT, PAIR_DELAY, PAIR_ROUNDS, STALL_TIMEOUT, RefusedError, ReleaseFetching
from pacserve.apt.release_rules import KeptRelease
from pacserve.apt.releases import SIZE_LIMIT
from pacserve.apt.targets import Target
from pacserve.errors import FetchError
from tests.fakes.releases import Repository, in_release, release_text

NOW = 1_800_000_000.0
FOLDER = Target("http://deb.example", ("debian", "dists", "a"))
INRELEASE, RELEASE = (Target(FOLDER.origin, (*FOLDER.path, name)) for name in ("InRelease", "Release"))
SIGNATURE = RELEASE.sibling("Release.gpg").url
MODIFIED = "Thu, 01 Jan 2026 10:00:00 GMT"
FIRST, SECOND = release_text({"Packages": b"1"}), release_text({"Packages": b"2"})


class FetchingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.repository = Repository(self.clock)
        self.fetching = ReleaseFetching(self.repository, self.clock, lambda: NOW)  # type: ignore[arg-type]

    def begun(self, target: Target, known: KeptRelease | None = None) -> Deferred[KeptRelease]:
        """Begins to ask for a release."""
        return Deferred.fromCoroutine(self.fetching.newest(target, known))

    def newest(self, target: Target, known: KeptRelease | None = None) -> KeptRelease:
        """Asks for a release."""
        return self.successResultOf(self.begun(target, known))

    def failed(self, target: Target) -> FetchError:
        """Asks for a release, which fails."""
        error = self.failureResultOf(self.begun(target), FetchError).value
        assert isinstance(error, FetchError)
        return error

    def test_in_release(self) -> None:
        """A release comes with what it may be asked again by; no cache in between answers in place of the mirror."""
        data = in_release({"Packages": b"1"})
        self.repository.files[INRELEASE.url] = data
        self.repository.headers[INRELEASE.url] = {"Last-Modified": MODIFIED, "ETag": '"x"'}
        found = self.newest(INRELEASE)
        self.assertEqual(
            (found.url, found.release.data, found.signature, found.modified, found.etag), (INRELEASE.url, data, b"", 1_767_261_600, '"x"')
        )
        self.assertIs(self.newest(INRELEASE, found), found)
        self.assertEqual(self.repository.asked[0][1], {"Cache-Control": "max-age=0"})
        self.assertEqual(self.repository.asked[1][1], {"Cache-Control": "max-age=0", "If-None-Match": '"x"', "If-Modified-Since": MODIFIED})

    def test_dates_that_can_not_be(self) -> None:
        """A Last-Modified in the future, or before there was apt, is none."""
        self.repository.files[INRELEASE.url] = FIRST
        for modified in ("Thu, 01 Jan 2099 10:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "x"):
            self.repository.headers[INRELEASE.url] = {"Last-Modified": modified}
            self.assertIsNone(self.newest(INRELEASE).modified)

    def test_refused(self) -> None:
        """The status of a refusal is known; all other answers are failures."""
        for status in (401, 403, 404, 410):
            self.repository.files[INRELEASE.url] = status
            error = self.failed(INRELEASE)
            self.assertIsInstance(error, RefusedError)
            self.assertIn(str(status), str(error))
        for status in (206, 304, 418, 500, 503):
            self.repository.files[INRELEASE.url] = status
            self.assertNotIsInstance(self.failed(INRELEASE), RefusedError)

    def test_no_release(self) -> None:
        """A page of a portal is none, and a release has an end."""
        for data in (b"<html>Password?", b"", b"a: b\nSHA256:\n" + bytes(SIZE_LIMIT)):
            self.repository.files[INRELEASE.url] = data
            self.assertNotIsInstance(self.failed(INRELEASE), RefusedError)

    def test_too_slow(self) -> None:
        """A mirror that does not answer is given up before apt gives up."""
        self.repository.silent = True
        for target in (INRELEASE, RELEASE):
            asked = self.begun(target)
            self.clock.advance(FETCH_TIMEOUT)
            self.failureResultOf(asked, FetchError)

    def test_stalls(self) -> None:
        """A body that stalls is given up after a while, and no later than all of it."""
        self.repository.files |= {RELEASE.url: FIRST, INRELEASE.url: FIRST}
        self.repository.stalls = True
        asked = self.begun(INRELEASE)
        self.clock.advance(STALL_TIMEOUT)
        self.failureResultOf(asked, FetchError)
        self.repository.upon = lambda url, number: self.clock.advance(FETCH_TIMEOUT - 2)
        asked = self.begun(INRELEASE)
        self.clock.advance(2.0)
        self.failureResultOf(asked, FetchError)
        self.repository.stalls = False
        self.failed(RELEASE)
        self.repository.upon = lambda url, number: self.clock.advance(FETCH_TIMEOUT)
        before = self.repository.count(SIGNATURE)
        self.failed(RELEASE)
        self.assertEqual(self.repository.count(SIGNATURE), before)

    def test_pair(self) -> None:
        """Release comes with its signature, and is looked at once more."""
        self.repository.files |= {RELEASE.url: FIRST, SIGNATURE: b"sig1"}
        found = self.newest(RELEASE)
        self.assertEqual((found.release.data, found.signature), (FIRST, b"sig1"))
        self.assertEqual([url for url, _ in self.repository.asked], [RELEASE.url, SIGNATURE, RELEASE.url])

    def test_unsigned(self) -> None:
        """A Release without a signature is one; one whose signature can't be had now is none."""
        self.repository.files[RELEASE.url] = FIRST
        self.assertEqual(self.newest(RELEASE).signature, b"")
        self.repository.files[SIGNATURE] = 503
        self.failed(RELEASE)

    def test_unchanged_pair(self) -> None:
        """A pair that has not changed is the known one."""
        self.repository.files |= {RELEASE.url: FIRST, SIGNATURE: b"sig1"}
        self.repository.headers[RELEASE.url] = {"Last-Modified": MODIFIED}
        found = self.newest(RELEASE)
        self.assertIs(self.newest(RELEASE, found), found)

    def test_changed_in_between(self) -> None:
        """Where the mirror changes between the two both are fetched anew."""
        self.repository.files |= {RELEASE.url: FIRST, SIGNATURE: b"sig1"}

        def change(url: str, number: int) -> None:
            if (url, number) == (SIGNATURE, 1):
                self.repository.files |= {RELEASE.url: SECOND, SIGNATURE: b"sig2"}

        self.repository.upon = change
        asked = self.begun(RELEASE)
        self.assertNoResult(asked)
        self.clock.advance(PAIR_DELAY)
        found = self.successResultOf(asked)
        self.assertEqual((found.release.data, found.signature), (SECOND, b"sig2"))

    def test_changes_all_the_time(self) -> None:
        """A mirror that changes each time has no pair."""
        self.repository.files[SIGNATURE] = b"sig"
        self.repository.upon = lambda url, number: self.repository.files.update({RELEASE.url: release_text({"Packages": b"%d" % number})})
        asked = self.begun(RELEASE)
        self.clock.pump([PAIR_DELAY] * PAIR_ROUNDS)
        self.failureResultOf(asked, FetchError)
        self.assertEqual(self.repository.count(SIGNATURE), PAIR_ROUNDS)

    def test_release_before_its_signature(self) -> None:
        """A new Release with the signature of the former one is waited with, and is no pair in the end."""
        self.repository.files |= {RELEASE.url: FIRST, SIGNATURE: b"sig1"}
        known = self.newest(RELEASE)
        self.repository.files[RELEASE.url] = SECOND
        asked = self.begun(RELEASE, known)
        self.assertNoResult(asked)
        self.repository.files[SIGNATURE] = b"sig2"
        self.clock.advance(PAIR_DELAY)
        self.assertEqual(self.successResultOf(asked).signature, b"sig2")
        self.repository.files[SIGNATURE] = b"sig1"
        asked = self.begun(RELEASE, known)
        self.clock.pump([PAIR_DELAY] * PAIR_ROUNDS)
        self.failureResultOf(asked, FetchError)

    def test_signature_before_its_release(self) -> None:
        """A new signature of the same Release is waited with; one that stays is of a Release that was signed anew."""
        self.repository.files |= {RELEASE.url: FIRST, SIGNATURE: b"sig1"}
        self.repository.headers[RELEASE.url] = {"Last-Modified": MODIFIED}
        known = self.newest(RELEASE)
        self.repository.files[SIGNATURE] = b"sig2"
        asked = self.begun(RELEASE, known)
        self.assertNoResult(asked)
        self.clock.pump([PAIR_DELAY] * PAIR_ROUNDS)
        self.assertEqual((self.successResultOf(asked).signature, self.successResultOf(self.begun(RELEASE, None)).signature), (b"sig2", b"sig2"))
        asked = self.begun(RELEASE, known)
        self.repository.files[RELEASE.url], self.repository.headers[RELEASE.url] = SECOND, {}
        self.clock.advance(PAIR_DELAY)
        found = self.successResultOf(asked)
        self.assertEqual((found.release.data, found.signature), (SECOND, b"sig2"))
