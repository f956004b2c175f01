"""Tests for `pacserve.app.apt_explaining`, and for `pacserve.app.apt_knowledge`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pacserve.app.apt_explaining import AptExplaining
from pacserve.app.apt_knowledge import AptKnowledge, apt_status
from pacserve.app.explaining import why_of_all
from pacserve.apt.content import StatedFile
from pacserve.apt.kinds import has_release_name
from pacserve.apt.knowledge import KnownFile
from pacserve.apt.targets import Target, target_of
from pacserve.delivery.table import Decision, Delivery
from pacserve.network.addresses import Endpoint, IPAddress, parse_address
from pacserve.packages.children import ChildOutcome
from pacserve.packages.files import FileKind, FileRequest
from pacserve.report.ledger import Ledger
from pacserve.report.status import MirrorStatus
from pacserve.report.why import Why
from pacserve.sources.candidates import Considered, Rank
from pacserve.sources.locations import Holder, Offer
from pacserve.web.witness import Answered
from tests.fakes.apt_lists import FakeLists
from tests.fakes.children import Children
from tests.fakes.interfaces import Addresses

BASE = "http://deb.example/debian"
DEB = f"{BASE}/pool/main/z/zlib/zlib1g_1%3a1.2-1_amd64.deb"
STATED = StatedFile(86_684, bytes(range(32)), "zlib1g_1.2-1_amd64")
INDEX = KnownFile(StatedFile(7, bytes(32), "Packages.xz"), (f"{BASE}/dists/sid/by-hash/SHA256/00", f"{BASE}/dists/sid/Packages.xz"))
BASES = (BASE, "http://deb.example/debian-security", "https://other.example")
PRINTED = f"'{DEB}' zlib1g_1%3a1.2-1_amd64.deb 86684 SHA256:{STATED.sha256.hex()}\n"


class FakeFront:
    """Knows a package and an index."""

    def known(self, target: Target, client: IPAddress) -> KnownFile | None:
        """Returns them by their URLs."""
        known = {DEB: KnownFile(STATED, (DEB,)), **dict.fromkeys(INDEX.urls, INDEX)}
        return next((file for url, file in known.items() if target_of(url) == target), None)

    def is_release(self, target: Target, client: IPAddress) -> bool:
        """Returns whether a file is called so."""
        return has_release_name(target)


class FakeContent:
    """Knows how a file is called in the LAN."""

    def request(self, file: KnownFile) -> FileRequest:
        """Returns the request for it."""
        return FileRequest("apt", "any", file.stated.name, FileKind.PACKAGE, file.urls)


class FakeDelivery:
    """Considers this host, and a download where the mirror is known."""

    spool = True

    async def consider(self, request: FileRequest) -> list[tuple[Considered, Decision | None]]:
        """Returns both."""
        offer = Offer(Holder.UNASKED)
        decision = Decision(Delivery.DOWNLOAD, "downloaded") if self.spool and request.where else Decision(Delivery.NEXT, "no spool")
        return [
            (Considered("cache", Rank.CACHE, "not held", None), None),
            (Considered("download", Rank.DOWNLOAD, "", offer), decision),
        ]


class AptExplainingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.lists, self.delivery, self.children = FakeLists(BASES, {DEB: STATED}), FakeDelivery(), Children(ChildOutcome(0, PRINTED.encode(), ""))
        self.ledger = Ledger(lambda: 2e9, Addresses(), 2e9)
        self.explaining = self.make()

    def make(self, *, diffs: bool = True) -> AptExplaining:
        """An explanation of what these know."""
        self.apt = AptKnowledge(
            port=9988,
            diffs=diffs,
            front=FakeFront(),  # type: ignore[arg-type]
            content=FakeContent(),  # type: ignore[arg-type]
            delivery=self.delivery,  # type: ignore[arg-type]
            lists=self.lists,
            releases=lambda: 3,
            archives=lambda: 4,
            is_here=lambda authority: authority == "localhost:9988",
            run=self.children,
        )
        return AptExplaining(self.apt, self.ledger, lambda: [Endpoint("10.9.9.9", 15678)])

    def why(self, text: str, explaining: AptExplaining | None = None) -> Why | None:
        """Where a file would come from."""
        return self.successResultOf(Deferred.fromCoroutine((explaining or self.explaining).why(text)))

    def reasons(self, text: str, explaining: AptExplaining | None = None) -> list[tuple[str, str]]:
        """The verdict on each candidate."""
        why = self.why(text, explaining)
        assert why is not None
        return [(reason.who, reason.verdict) for reason in why.candidates]

    def asked(self, target: str) -> None:
        """apt has asked for a file."""
        self.ledger.answered(Answered("apt", "GET", target.encode(), parse_address("::1"), 200, "cache", 7, 0.1))

    def test_package(self) -> None:
        """A package is found by its name as apt would fetch it, with what it is called in the LAN, and the mirror comes last."""
        self.asked("/deb.example/debian/pool/main/z/zlib/zlib1g_1:1.2-1_amd64.deb")
        why = self.why("zlib1g")
        assert why is not None
        self.assertEqual((why.name, why.size, why.repository, why.system, why.shared_as), ("zlib1g_1.2-1_amd64", 86_684, BASE, "apt", STATED.name))
        self.assertEqual(len(why.last), 1)
        self.assertEqual(self.children.commands[0][-1], "zlib1g")
        left_out = ("peer 10.9.9.9:15678", "no")
        self.assertEqual(self.reasons("zlib1g"), [("cache", "no"), ("download", "used"), left_out, ("mirror http://deb.example", "next")])
        self.delivery.spool = False
        self.assertEqual(self.reasons("zlib1g")[-1], ("mirror http://deb.example", "used"))

    def test_file(self) -> None:
        """A file, a label and a name of the LAN mean one version, whose epoch none of them has."""
        for text in ("zlib1g_1.2-1_amd64.deb", "zlib1g_1%3a1.2-1_amd64.deb", "zlib1g_1.2-1_amd64", STATED.name):
            self.assertIsNotNone(self.why(text), text)
            self.assertEqual(self.children.commands[-1][-1], "zlib1g:amd64=*1.2-1", text)

    def test_url(self) -> None:
        """A URL is understood in every form in which apt asks, and apt is not asked."""
        for text in (
            DEB,
            DEB.removeprefix("http://"),
            f"/{DEB.removeprefix('http://')}",
            f"http://localhost:9988/{DEB.removeprefix('http://')}",
            f"localhost:9988/{DEB}",
        ):
            why = self.why(text)
            assert why is not None
            self.assertEqual(why.name, "zlib1g_1.2-1_amd64", text)
        self.assertEqual(self.children.commands, [])
        self.assertEqual(self.reasons("https://other.example/x"), [("mirror https://other.example", "used")])

    def test_index(self) -> None:
        """An index is known by its release; by its name alone where it was asked for lately."""
        for url in INDEX.urls:
            self.assertIn(("download", "used"), self.reasons(url))
        self.children.answer = ChildOutcome(100, b"", "")
        self.assertIsNone(self.why("Packages.xz"))
        self.asked(INDEX.urls[1])
        why = self.why("Packages.xz")
        assert why is not None
        self.assertEqual((why.name, len(why.last)), ("Packages.xz", 1))

    def test_release(self) -> None:
        """A release is asked of the mirror each time."""
        why = self.why(f"{BASE}/dists/sid/InRelease")
        assert why is not None
        self.assertEqual([(one.who, one.verdict) for one in why.candidates], [("mirror http://deb.example", "used")])
        self.assertIn("newer", why.candidates[0].reason)

    def test_unstated(self) -> None:
        """What no list states is passed on from the mirror, neither kept nor shared."""
        self.children.answer = ChildOutcome(100, b"", "")
        for text in (f"{BASE}/pool/none_1_all.deb", "none_1_all.deb"):
            why = self.why(text)
            assert why is not None
            self.assertEqual([reason.verdict for reason in why.candidates], ["used"])
            self.assertIn("neither kept nor shared", why.candidates[0].reason)
            self.assertEqual((why.size, why.shared_as), (None, ""))

    def test_not_here(self) -> None:
        """What is below no source is not answered, and differences are not where the user wants none."""
        self.assertEqual(self.reasons("http://evil.example/x"), [("mirror http://evil.example", "no")])
        self.assertEqual(self.lists.looks, 1)
        url = f"{BASE}/dists/sid/main/Packages.diff/Index"
        self.assertEqual(self.reasons(url), [("mirror http://deb.example", "used")])
        self.assertEqual(self.reasons(url, self.make(diffs=False)), [("mirror http://deb.example", "no")])

    def test_list_of_mirrors(self) -> None:
        """Where the source has a list of mirrors, the file is known by its digest; apt says which mirror is asked when it asks."""
        printed = PRINTED.replace("http://deb.example", "mirror+file:/etc/apt/mirrors.list")
        self.children.answer = ChildOutcome(0, printed.encode(), "")
        why = self.why("zlib1g")
        assert why is not None
        self.assertEqual((why.name, why.candidates[-1].who, why.candidates[-1].verdict), ("zlib1g_1.2-1_amd64", "mirror", "used"))

    def test_unknown(self) -> None:
        """What apt does not know is None, and options and patterns never reach it."""
        self.children.answer = ChildOutcome(100, b"", "")
        self.assertIsNone(self.why("nosuchpackage"))
        self.assertEqual(len(self.children.commands), 1)
        for text in ("--help", "*", "/", "//", "http://", "https://", "\udcff/x", "a b"):
            self.why(text)
        self.assertEqual(len(self.children.commands), 1)

    def test_both(self) -> None:
        """Where two package systems know a name the first one's answer has the other one's with it."""
        pacman, apt = Why("core", "zlib", 1, (), ()), Why("", "zlib", 2, (), (), "apt")

        async def none(_: str) -> Why | None:
            return None

        async def first(_: str) -> Why | None:
            return pacman

        async def second(_: str) -> Why | None:
            return apt

        def asked(*ask: Any) -> Why | None:
            return self.successResultOf(Deferred.fromCoroutine(why_of_all(ask, "zlib")))

        self.assertIsNone(asked(none, none))
        self.assertEqual(asked(none, second), apt)
        both = asked(first, second)
        assert both is not None
        self.assertEqual((both.name, both.system, both.others), ("zlib", "pacman", (apt,)))

    def test_status(self) -> None:
        """Each mirror is told once, with the folders that apt has files from."""

        def mirror(origin: str, folders: Sequence[str]) -> MirrorStatus:
            return MirrorStatus(origin, tuple(folders), "well", 0.0, None)

        status = apt_status(self.apt, mirror)
        self.assertEqual(
            [(one.url, one.repositories) for one in status.mirrors],
            [("http://deb.example", ("/debian", "/debian-security")), ("https://other.example", ("/",))],
        )
        self.assertEqual((status.port, status.lists, status.stated, status.archives, status.releases), (9988, 2, 63_440, 4, 3))
