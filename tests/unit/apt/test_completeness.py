"""Tests for `pacserve.apt.completeness`."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from pacserve.apt.completeness import INDEXES_TIMEOUT, Completeness, known_file
from pacserve.apt.knowledge import KnownFile
from pacserve.apt.release_rules import KeptRelease
from pacserve.apt.releases import IndexEntry, parse_release
from pacserve.errors import RequestError
from tests.fakes.releases import digest_of, release_text

BASE = "http://deb.example/debian/dists/a"
PACKAGES, SOURCES = "main/binary-amd64/Packages.xz", "main/source/Sources.xz"


def release(files: Mapping[str, bytes], *, by_hash: bool = False) -> KeptRelease:
    """Returns a release with these indexes."""
    parsed = parse_release(release_text(files, by_hash=by_hash))
    assert parsed is not None
    return KeptRelease(f"{BASE}/InRelease", parsed, b"", None, "")


FORMER, FOUND, LATER = (release({PACKAGES: b"p%d" % number, SOURCES: b"s%d" % number}) for number in range(3))


class CompletenessTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.holding: dict[bytes, bool | Exception | Deferred[bool]] = {}
        self.asked: list[bytes] = []
        self.complete = 0
        self.completeness = Completeness(self.hold, self.clock)

    async def hold(self, file: KnownFile) -> bool:
        """Says what the test has said of an index; those of which it has said nothing are there."""
        self.asked.append(file.stated.sha256)
        held = self.holding.get(file.stated.sha256, True)
        if isinstance(held, Exception):
            raise held
        return await held if isinstance(held, Deferred) else held

    def completed(self) -> None:
        """Takes note that a release can be handed out."""
        self.complete += 1

    def begun(self, found: KeptRelease = FOUND, names: tuple[str, ...] = (PACKAGES, SOURCES)) -> Deferred[bool | None]:
        """Begins to ask whether a release can be handed out."""
        until = self.clock.seconds() + 15.0
        return Deferred.fromCoroutine(self.completeness.of(found, FORMER, names, self.completed, until))

    def verdict(self, found: KeptRelease = FOUND, names: tuple[str, ...] = (PACKAGES, SOURCES)) -> bool | None:
        """Asks whether a release can be handed out."""
        return self.successResultOf(self.begun(found, names))

    def test_all_there(self) -> None:
        """A release whose indexes are there can be handed out; only those that clients ask for are fetched."""
        self.assertIs(self.verdict(names=(PACKAGES,)), True)
        self.assertEqual((self.asked, self.complete), ([digest_of(b"p1")], 1))

    def test_another(self) -> None:
        """Where the mirror has another index, and the former one is here, the release can't be handed out; it is told once."""
        for missing in (False, RequestError(503, "no")):
            self.holding = {digest_of(b"s1"): missing}
            with capturedLogs() as events:
                self.assertEqual([self.verdict(), self.verdict()], [False, False])
            self.assertEqual(len(events), 1)
            self.assertEqual(self.complete, 0)
            self.holding = {}
            self.assertIs(self.verdict(), True)
            self.complete = 0

    def test_missing_before_as_well(self) -> None:
        """An index that can't be had for the former release either keeps no release back: some name indexes that are not there."""
        self.holding = {digest_of(b"s1"): False, digest_of(b"s0"): False}
        self.assertIs(self.verdict(), True)

    def test_not_named(self) -> None:
        """Indexes that one of the two does not name, and those that are the same, are not asked for."""
        self.assertIs(self.verdict(release({PACKAGES: b"p0", "new": b"n"}), (PACKAGES, SOURCES, "new")), True)
        self.assertEqual(self.asked, [])

    def test_slow(self) -> None:
        """A client is not kept waiting for a slow line; the indexes go on coming, and later it can be handed out."""
        coming: Deferred[bool] = Deferred()
        self.holding = {digest_of(b"p1"): coming}
        first, second = self.begun(), self.begun()
        self.clock.advance(15.0)
        self.assertEqual([self.successResultOf(first), self.successResultOf(second)], [None, None])
        third = self.begun()
        self.assertEqual(self.complete, 0)
        coming.callback(True)
        self.assertIs(self.successResultOf(third), True)
        self.assertEqual((self.complete, self.asked), (1, [digest_of(b"p1"), digest_of(b"s1")]))

    def test_a_later_one(self) -> None:
        """A still later release takes the place of one whose indexes are not here yet."""
        gone: list[bool] = []
        coming: Deferred[bool] = Deferred(lambda _: gone.append(True))
        self.holding = {digest_of(b"p1"): coming}
        first = self.begun()
        self.assertIs(self.verdict(LATER), True)
        self.assertEqual((gone, self.complete, self.successResultOf(first)), ([True], 1, None))

    def test_never(self) -> None:
        """Indexes that never come are given up, without a word of a defect."""
        self.holding = {digest_of(b"p1"): Deferred()}
        with capturedLogs() as events:
            asked = self.begun()
            self.clock.advance(INDEXES_TIMEOUT)
        self.assertIsNone(self.successResultOf(asked))
        self.assertEqual((events, self.complete, self.clock.getDelayedCalls()), ([], 0, []))

    def test_urls(self) -> None:
        """The mirror is asked by the digest first, where it can be."""
        entry = IndexEntry(PACKAGES, 2, digest_of(b"p0"))
        self.assertEqual(known_file(FORMER, entry).urls, (f"{BASE}/{PACKAGES}",))
        by_hash = known_file(release({}, by_hash=True), entry)
        self.assertEqual(by_hash.urls, (f"{BASE}/main/binary-amd64/by-hash/SHA256/{digest_of(b'p0').hex()}", f"{BASE}/{PACKAGES}"))
        self.assertEqual((by_hash.stated.size, by_hash.stated.label), (2, "Packages.xz"))
        self.assertEqual((by_hash.plain, known_file(FORMER, entry).plain), (f"{BASE}/{PACKAGES}", f"{BASE}/{PACKAGES}"))
        flat = known_file(release({}, by_hash=True), IndexEntry("Packages", 2, digest_of(b"p0")))
        self.assertEqual(flat.urls, (f"{BASE}/by-hash/SHA256/{digest_of(b'p0').hex()}", f"{BASE}/Packages"))
