"""Tests for `pacserve.apt.snapshots`."""

from __future__ import annotations

from collections.abc import Mapping
from tempfile import TemporaryDirectory

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from pacserve.apt.kept_releases import RELEASES_PER_SUITE, KeptReleases
from pacserve.apt.knowledge import KnownFile
from pacserve.apt.release_fetching import FETCH_TIMEOUT, ReleaseFetching
from pacserve.apt.snapshots import ANSWER_TIMEOUT, DOUBT_INTERVAL, Snapshots, Time
from pacserve.apt.targets import Target
from pacserve.errors import RequestError
from pacserve.network.addresses import parse_address
from pacserve.web.answers import DocumentAnswer
from pacserve.web.front import Ask
from tests.fakes.releases import Repository, digest_of, in_release, release_text

FOLDER = Target("http://deb.example", ("debian", "dists", "a"))
INRELEASE, RELEASE, SIGNATURE = (Target(FOLDER.origin, (*FOLDER.path, name)) for name in ("InRelease", "Release", "Release.gpg"))
NAME = "main/binary-amd64/Packages.xz"
PACKAGES = INRELEASE.sibling(NAME)
HERE, THERE, OTHER = map(parse_address, ("127.0.0.1", "192.0.2.3", "192.0.2.4"))
DATES = [f"{name}, 0{day} Jan 2026 00:00:00 UTC" for day, name in enumerate(("Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"), 1)]


def release(number: int, *, by_hash: bool = False, name: str = NAME) -> bytes:
    """Returns the InRelease of a day."""
    return in_release({name: b"p%d" % number}, date=DATES[number], by_hash=by_hash)


def modified(number: int) -> str:
    """Returns when the release of a day was made, as servers state it."""
    return DATES[number].replace("UTC", "GMT")


class SnapshotTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.clock = Clock()
        self.repository = Repository(self.clock)
        self.held: dict[bytes, bool | Deferred[bool]] = {}
        self.holds: list[bytes] = []
        self.start()

    def start(self) -> None:
        """Starts a daemon on what the one before has left."""
        kept = KeptReleases(self.folder)
        kept.load()
        fetching = ReleaseFetching(self.repository, self.clock, lambda: 1_800_000_000.0)  # type: ignore[arg-type]
        self.snapshots = Snapshots(kept, fetching, self.hold, lambda address: address == HERE, Time(self.clock, lambda: 1_800_000_000.0))

    async def hold(self, file: KnownFile) -> bool:
        """Says what the test has said of an index; those of which it has said nothing are there."""
        self.holds.append(file.stated.sha256)
        held = self.held.get(file.stated.sha256, True)
        return await held if isinstance(held, Deferred) else held

    def has(self, number: int, *, by_hash: bool = False) -> None:
        """Has the mirror have the release of a day."""
        self.repository.files[INRELEASE.url] = release(number, by_hash=by_hash)
        self.repository.headers[INRELEASE.url] = {"Last-Modified": modified(number)}

    def begun(self, client: object = HERE, target: Target = INRELEASE, headers: Mapping[str, str] = {}) -> Deferred[DocumentAnswer]:
        """Begins to ask for a release."""
        return Deferred.fromCoroutine(self.snapshots.release(target, Ask("GET", (), client, headers.get)))  # type: ignore[arg-type]

    def got(self, client: object = HERE, target: Target = INRELEASE, headers: Mapping[str, str] = {}) -> DocumentAnswer:
        """Asks for a release."""
        return self.successResultOf(self.begun(client, target, headers))

    def refused(self, client: object = HERE, target: Target = INRELEASE) -> int:
        """Asks for a release, which there is none of, and returns the status."""
        return _status(self.failureResultOf(self.begun(client, target), RequestError).value)

    def found(self, client: object = HERE, target: Target = PACKAGES) -> bytes | None:
        """Returns the digest of the index that a client gets."""
        found = self.snapshots.find(target, client)  # type: ignore[arg-type]
        return None if found is None else found.stated.sha256

    def test_handed_out(self) -> None:
        """The mirror's release is handed out with the mirror's date, which the client may ask by again."""
        self.has(1)
        answer = self.got()
        self.assertEqual((answer.status, answer.body, dict(answer.headers)["Last-Modified"]), (200, release(1), modified(1)))
        for since, status in ((modified(0), 200), (modified(1), 304), (modified(2), 304), ("x", 200)):
            answer = self.got(headers={"If-Modified-Since": since})
            self.assertEqual((answer.status, answer.body), (status, release(1) if status == 200 else b""))

    def test_asked_each_time_once_for_all(self) -> None:
        """The mirror is asked each time, and once for all that ask at the same moment, also when one of them leaves."""
        self.has(1)
        self.got()
        self.got()
        self.assertEqual(self.repository.count(INRELEASE.url), 2)
        self.repository.silent = True
        asked = [self.begun(client) for client in (HERE, THERE, OTHER)]
        asked[0].cancel()
        self.failureResultOf(asked[0])
        self.clock.advance(FETCH_TIMEOUT)
        self.assertEqual([self.successResultOf(one).body for one in asked[1:]], [release(1)] * 2)
        self.assertEqual(self.repository.count(INRELEASE.url), 3)

    def test_origin(self) -> None:
        """The log says of which mirror a release is a copy."""
        self.has(1)
        self.assertEqual(self.got().origin, "copy of mirror http://deb.example")

    def test_mirror_away(self) -> None:
        """The last good release and its indexes stay while the mirror is away, or gives a page; it is told once."""
        self.has(1)
        self.got()
        for answer in (503, b"<html>Password?"):
            self.repository.files[INRELEASE.url], self.repository.headers[INRELEASE.url] = answer, {}
            with capturedLogs() as events:
                self.assertEqual([self.got(THERE).body, self.got(THERE).body], [release(1)] * 2)
            self.assertEqual((len(events), self.found(THERE)), (1, digest_of(b"p1")))
            self.has(1)
            self.got()
        self.start()
        self.repository.files[INRELEASE.url] = 503
        self.assertEqual((self.got().body, self.found()), (release(1), digest_of(b"p1")))

    def test_nothing(self) -> None:
        """Without a release a mirror that does not answer well is 503, and only its own 404 is one."""
        for said, status in ((404, 404), (403, 403), (410, 410), (503, 503), (500, 503), (b"<html>", 503)):
            self.repository.files[INRELEASE.url] = said
            self.assertEqual(self.refused(), status)

    def test_away_without_in_release(self) -> None:
        """A mirror that has Release alone has no InRelease while it is away either, so that apt goes on to ask for Release."""
        self.repository.files |= {RELEASE.url: release_text({NAME: b"p1"}), INRELEASE.url: 503, SIGNATURE.url: b"sig1"}
        self.assertEqual(self.refused(), 503)
        self.got(target=RELEASE)
        self.repository.files[RELEASE.url] = 503
        self.assertEqual(self.refused(), 404)
        self.assertEqual((self.got(target=RELEASE).status, self.got(target=SIGNATURE).body), (200, b"sig1"))
        self.repository.files[RELEASE.url] = 404
        self.assertEqual((self.refused(target=RELEASE), self.refused()), (404, 503))

    def test_gone(self) -> None:
        """A release does not outlive a 404 of its mirror; who was given it still gets its indexes."""
        self.has(1)
        self.got(THERE)
        self.repository.files[INRELEASE.url] = 404
        self.assertEqual(self.refused(), 404)
        self.repository.files[INRELEASE.url] = 503
        self.assertEqual(self.refused(), 503)
        self.assertEqual((self.found(THERE), self.found(OTHER)), (digest_of(b"p1"), None))

    def test_older(self) -> None:
        """A mirror that goes back gives nobody an older release; it is told."""
        self.has(2)
        self.got()
        self.has(1)
        with capturedLogs() as events:
            self.assertEqual(self.got(THERE).body, release(2))
            self.assertEqual(self.got(headers={"If-Modified-Since": modified(2)}).status, 304)
        self.assertEqual((len(events), self.found()), (1, digest_of(b"p2")))
        self.has(3)
        self.assertEqual(self.got().body, release(3))

    def test_not_taken(self) -> None:
        """A release that was changed on the way goes to everybody only until a client has not taken it, whatever it states."""
        for wrong in (release(1).replace(b"Origin", b"Orihin"), release(5)):
            self.repository.files[INRELEASE.url], self.repository.headers[INRELEASE.url] = wrong, {"Last-Modified": modified(1)}
            self.assertEqual(self.got(headers={"If-Modified-Since": modified(0)}).body, wrong)
            self.has(1)
            self.assertEqual(self.got(OTHER, headers={"If-Modified-Since": modified(0)}).body, wrong)
            self.clock.advance(DOUBT_INTERVAL)
            for client in (HERE, OTHER):
                self.assertEqual(self.got(client, headers={"If-Modified-Since": modified(0)}).body, release(1))
                self.assertEqual(self.found(client), digest_of(b"p1"))
            self.clock.advance(DOUBT_INTERVAL)

    def test_not_taken_again_and_again(self) -> None:
        """Clients that forget what they were given cost the mirror all of a release once in a while, and one that has it costs none."""
        self.has(1)
        self.got()
        for _ in range(3):
            self.got()
        self.got(headers={"If-Modified-Since": modified(1)})
        whole = [url for url, headers in self.repository.asked if "If-Modified-Since" not in headers]
        self.assertEqual(len(whole), 2)
        self.clock.advance(DOUBT_INTERVAL)
        self.got(headers={"If-Modified-Since": modified(1)})
        self.assertEqual(len([url for url, headers in self.repository.asked if "If-Modified-Since" not in headers]), 2)

    def test_each_client(self) -> None:
        """Each client gets the indexes of the release that it was given last."""
        self.has(1)
        self.got(THERE)
        self.has(2)
        self.got(OTHER)
        self.assertEqual([self.found(THERE), self.found(OTHER), self.found(HERE)], [digest_of(b"p1"), digest_of(b"p2"), digest_of(b"p2")])
        self.got(THERE, headers={"If-Modified-Since": modified(2)})
        self.assertEqual(self.found(THERE), digest_of(b"p2"))

    def test_given_too_long_ago(self) -> None:
        """A client whose release is not kept any more gets none of another one; what no release names is none of ours."""
        self.has(0)
        self.got(THERE)
        for number in range(RELEASES_PER_SUITE):
            self.has(number + 1)
            self.got(OTHER)
        with self.assertRaises(RequestError) as caught:
            self.found(THERE)
        self.assertEqual(caught.exception.status, 503)
        self.assertIsNone(self.found(THERE, INRELEASE.sibling("main/binary-amd64/Packages")))

    def test_a_later_one(self) -> None:
        """Of a later release that a client has from elsewhere nothing is known."""
        self.has(1)
        self.assertEqual(self.got(headers={"If-Modified-Since": modified(5)}).status, 304)
        self.assertIsNone(self.found())

    def test_after_a_restart(self) -> None:
        """After a restart the newest release is the one that clients were given."""
        for number in (1, 2):
            self.has(number)
            self.got(THERE)
        self.start()
        self.assertEqual(self.found(THERE), digest_of(b"p2"))

    def test_by_digest(self) -> None:
        """By its digest each index of a known release is found, whoever asks; by other digests none is."""
        for number in (1, 2):
            self.has(number, by_hash=True)
            self.got(THERE)
        for number in (1, 2):
            target = PACKAGES.sibling(f"by-hash/SHA256/{digest_of(b'p%d' % number).hex()}")
            found = self.snapshots.find(target, OTHER)
            assert found is not None
            self.assertEqual((found.stated.sha256, found.stated.label, found.urls), (digest_of(b"p%d" % number), "Packages.xz", (target.url,)))
            self.assertEqual(found.plain, PACKAGES.url)
        unknown = (
            f"by-hash/SHA256/{digest_of(b'x').hex()}",
            f"by-hash/SHA512/{digest_of(b'p1').hex()}",
            "by-hash/MD5Sum/00",
            f"by-hash/SHA256/{'z' * 64}",
        )
        for name in unknown:
            self.assertIsNone(self.found(OTHER, PACKAGES.sibling(name)))
        self.assertIsNone(self.found(OTHER, INRELEASE.sibling(f"by-hash/SHA256/{digest_of(b'p1').hex()}")))

    def test_flat(self) -> None:
        """A flat repository has its indexes beside its release, and a suite below it has its own."""
        flat = Target(FOLDER.origin, ("InRelease",))
        self.repository.files[flat.url] = release(1, name="Packages")
        self.got(target=flat)
        self.has(2)
        self.got()
        self.assertEqual(self.found(target=flat.sibling("Packages")), digest_of(b"p1"))
        self.assertEqual(self.found(target=flat.sibling(f"by-hash/SHA256/{digest_of(b'p1').hex()}")), digest_of(b"p1"))
        self.assertEqual(self.found(), digest_of(b"p2"))
        self.assertIsNone(self.found(target=flat.sibling("x_1_all.deb")))

    def test_lists_itself(self) -> None:
        """A release that lists itself is not believed."""
        self.repository.files[INRELEASE.url] = release(1, name="Release")
        self.got()
        self.assertIsNone(self.found(target=RELEASE))

    def test_indexes_that_do_not_fit(self) -> None:
        """While a mirror without by-hash has other indexes than its new release names, the former release is handed out with its own."""
        self.has(1)
        self.got()
        self.found()
        self.has(2)
        self.held = {digest_of(b"p2"): False}
        self.assertEqual((self.got().body, self.found()), (release(1), digest_of(b"p1")))
        self.assertEqual(self.got(headers={"If-Modified-Since": modified(1)}).status, 304)
        self.held = {}
        self.assertEqual((self.got().body, self.found()), (release(2), digest_of(b"p2")))

    def test_indexes_after_a_restart(self) -> None:
        """The indexes that clients ask for are known after a restart, too."""
        self.has(1)
        self.got()
        self.found()
        self.start()
        self.has(2)
        self.held = {digest_of(b"p2"): False}
        self.assertEqual(self.got().body, release(1))

    def test_nothing_to_hold(self) -> None:
        """Nothing is fetched before the first release, where the mirror has indexes by digest, and where nobody asked for one."""
        self.has(1, by_hash=True)
        self.got()
        self.found()
        self.has(2, by_hash=True)
        self.got()
        self.has(3)
        self.got()
        self.assertEqual(self.holds, [])

    def test_slow_indexes(self) -> None:
        """Where the indexes take long apt is answered in time with the former release; once they are here the new one is handed out."""
        self.has(1)
        self.got()
        self.found()
        self.has(2)
        coming: Deferred[bool] = Deferred()
        self.held = {digest_of(b"p2"): coming}
        asked = self.begun()
        self.clock.advance(ANSWER_TIMEOUT)
        self.assertEqual(self.successResultOf(asked).body, release(1))
        coming.callback(True)
        self.has(3)
        self.held = {digest_of(b"p3"): False}
        self.assertEqual((self.got().body, self.found()), (release(2), digest_of(b"p2")))

    def test_pair(self) -> None:
        """Release and Release.gpg are handed out as a pair, whatever the mirror has by now."""
        self.repository.files |= {RELEASE.url: release_text({NAME: b"p1"}, date=DATES[1]), SIGNATURE.url: b"sig1"}
        self.assertEqual(self.got(THERE, RELEASE).body, release_text({NAME: b"p1"}, date=DATES[1]))
        self.repository.files |= {RELEASE.url: release_text({NAME: b"p2"}, date=DATES[2]), SIGNATURE.url: b"sig2"}
        self.got(OTHER, RELEASE)
        self.assertEqual([self.got(client, SIGNATURE).body for client in (THERE, OTHER, HERE)], [b"sig1", b"sig2", b"sig2"])
        self.assertEqual((self.found(THERE), self.found(OTHER)), (digest_of(b"p1"), digest_of(b"p2")))

    def test_pair_too_long_ago(self) -> None:
        """The signature of a Release that is not kept any more is no other one."""
        for number in range(RELEASES_PER_SUITE + 1):
            self.repository.files |= {RELEASE.url: release_text({NAME: b"p"}, date=DATES[number]), SIGNATURE.url: b"sig%d" % number}
            self.got(OTHER if number else THERE, RELEASE)
        self.assertEqual(self.refused(THERE, SIGNATURE), 503)

    def test_unsigned(self) -> None:
        """A Release without a signature has none."""
        self.repository.files[RELEASE.url] = release_text({NAME: b"p1"})
        self.got(target=RELEASE)
        self.assertEqual(self.refused(target=SIGNATURE), 404)

    def test_both_kinds(self) -> None:
        """Where a suite has InRelease and Release, a client gets the indexes of the one that it asked for."""
        self.repository.files[RELEASE.url] = release_text({NAME: b"p1"}, date=DATES[1])
        self.has(2)
        self.got(THERE, RELEASE)
        self.got(OTHER, INRELEASE)
        self.assertEqual([self.found(THERE), self.found(OTHER), self.found(HERE)], [digest_of(b"p1"), digest_of(b"p2"), digest_of(b"p2")])


def _status(error: BaseException) -> int:
    assert isinstance(error, RequestError)
    return error.status
