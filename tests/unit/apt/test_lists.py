"""Tests for `pacserve.apt.lists`."""

from __future__ import annotations

import os
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pacserve.apt.bases import Bases
from pacserve.apt.content import StatedFile
from pacserve.apt.index import ListedFile, write
from pacserve.apt.lists import DISTRIBUTION_SIZE, IDLE_LOOK_INTERVAL, LOOK_INTERVAL, READING_TIMEOUT, RETRY_INTERVAL, VerifiedLists, kept_indexes
from pacserve.apt.source_files import SourceFiles
from pacserve.apt.sources import Sources
from pacserve.apt.targets import Target
from pacserve.errors import FetchError
from pacserve.packages.children import ChildOutcome
from tests.fakes.children import Children

DEBIAN = Target("http://deb.example", ("debian",))
OTHER = Target("https://other.example", ("debian",))
PATH = b"pool/z/zlib1g_1.2-1_amd64.deb"
ZLIB = ListedFile(PATH, 7, sha256(b"zlib").digest(), "zlib1g_1.2-1_amd64")
STATED = StatedFile(7, ZLIB.sha256, ZLIB.label)


def target(base: Target = DEBIAN, path: bytes = PATH) -> Target:
    """Returns a file below a base."""
    return Target(base.origin, (*base.path, *path.decode().split("/")))


class Apt(SourceFiles):
    """The sources of apt, which say what a test wants."""

    def __init__(self) -> None:
        self.has_changed = False
        self.asked = 0
        self.answer: Sources | Exception | Deferred[Sources] = Sources()
        self.trouble = ""

    def without_apt(self) -> Sources:
        return Sources(Bases((OTHER,)), {})

    def changed(self) -> bool:
        return self.has_changed

    async def read(self) -> Sources:
        self.asked += 1
        self.has_changed = False
        if isinstance(self.answer, Exception):
            raise self.answer
        return await self.answer if isinstance(self.answer, Deferred) else self.answer


class ListsCase(SynchronousTestCase):
    """A host whose apt has lists of one repository."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.children = Children()
        self.apt = Apt()
        self.main, self.updates = self.folder / "main_Packages", self.folder / "updates_Packages"
        self.apt.answer = Sources(Bases((DEBIAN, OTHER)), {str(self.main): (DEBIAN, OTHER), str(self.updates): (DEBIAN,)})
        self.lists = self.started()
        self.warnings: list[str] = []

        @implementer(ILogObserver)
        def observe(event: LogEvent) -> None:
            if event["log_level"] is LogLevel.warn:
                self.warnings.append(event["trouble"])

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)

    def started(self) -> VerifiedLists:
        """Returns what a daemon knows that has just been started."""
        lists = VerifiedLists(self.apt, kept_indexes(str(self.folder / "kept")), self.children, self.clock)
        self.addCleanup(lists.stop)
        return lists

    def refresh(self) -> Deferred[None]:
        """Has changes looked for by a request, some time later."""
        self.clock.advance(2 * LOOK_INTERVAL)
        return Deferred.fromCoroutine(self.lists.refresh())

    def write(self, path: Path, text: str = "a list") -> None:
        """Writes a list as apt does: the new one takes the place of the old one."""
        new = self.folder / "new"
        new.write_text(text)
        new.replace(path)

    def end(self, *files: ListedFile) -> None:
        """Ends the child that has run longest, and which has found these files."""
        found = os.stat(self.children.commands[-len(self.children.running)][-1])  # noqa: PTH116
        output = BytesIO()
        write(output, (found.st_mtime_ns, found.st_ino, found.st_size), files)
        self.children.end(ChildOutcome(0, output.getvalue(), ""))

    def know(self, path: Path, *files: ListedFile) -> None:
        """Has a list that states these files."""
        self.write(path)
        refreshed = self.refresh()
        self.end(*files)
        self.successResultOf(refreshed)


class FindTests(ListsCase):
    def test_found(self) -> None:
        """A file is found below each base of its list, and by its digest and its label."""
        self.know(self.main, ZLIB)
        self.assertEqual(self.lists.find(target()), STATED)
        self.assertEqual(self.lists.find(target(OTHER)), STATED)
        self.assertIsNone(self.lists.find(target(path=b"pool/none")))
        self.assertIsNone(self.lists.find(target(Target("http://none.example", ("debian",)))))
        self.assertEqual(self.lists.stated(ZLIB.sha256), STATED)
        self.assertIsNone(self.lists.stated(bytes(32)))
        self.assertEqual(self.lists.matching("zlib", 1), [STATED])

    def test_two_lists(self) -> None:
        """A file of two lists is known, unless they contradict each other."""
        self.know(self.main, ZLIB)
        self.know(self.updates, ZLIB)
        self.assertEqual(self.lists.find(target()), STATED)
        self.know(self.updates, ZLIB._replace(sha256=bytes(32)))
        self.assertIsNone(self.lists.find(target()))
        self.assertEqual(self.lists.find(target(OTHER)), STATED)

    def test_matching(self) -> None:
        """The package that is named comes first, then short labels, and each once."""
        labels = ["zlib1g-dev_1_all", "libzlib1g_1_all", "zlib1g_1.2.3_amd64"]
        files = [ZLIB._replace(path=label.encode(), label=label, sha256=sha256(label.encode()).digest()) for label in labels]
        self.know(self.main, *files)
        self.know(self.updates, *files)
        found = [stated.label for stated in self.lists.matching("zlib1g", 9)]
        self.assertEqual(found, ["zlib1g_1.2.3_amd64", "libzlib1g_1_all", "zlib1g-dev_1_all"])
        self.assertEqual(len(self.lists.matching("zlib1g", 2)), 2)


class RefreshTests(ListsCase):
    def test_changes(self) -> None:
        """A list is scanned when it has come or changed, and only then; one that has gone states nothing."""
        self.know(self.main, ZLIB)
        revision = self.lists.revision
        self.successResultOf(self.refresh())
        self.assertEqual((len(self.children.commands), self.lists.revision), (1, revision))
        self.know(self.main)
        self.assertIsNone(self.lists.find(target()))
        self.assertGreater(self.lists.revision, revision)
        self.know(self.main, ZLIB)
        self.main.unlink()
        self.successResultOf(self.refresh())
        self.assertIsNone(self.lists.find(target()))
        self.assertEqual(len(self.children.commands), 3)

    def test_compressed(self) -> None:
        """A list may be kept compressed; a folder or a FIFO is none."""
        self.know(self.folder / "main_Packages.lz4", ZLIB)
        self.assertEqual(self.lists.find(target()), STATED)
        self.updates.mkdir()
        self.successResultOf(self.refresh())

    def test_seldom(self) -> None:
        """Many requests cause one look a second."""
        self.successResultOf(self.refresh())
        self.write(self.main)
        self.successResultOf(Deferred.fromCoroutine(self.lists.refresh()))
        self.assertEqual(self.children.commands, [])
        self.assertNoResult(self.refresh())
        self.assertEqual(len(self.children.commands), 1)

    def test_without_requests(self) -> None:
        """Changes are looked for without a request as well, until the end."""
        self.lists.start()
        self.write(self.main)
        self.clock.advance(IDLE_LOOK_INTERVAL)
        self.end(ZLIB)
        self.assertEqual(self.lists.find(target()), STATED)
        self.lists.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bounded(self) -> None:
        """A request waits for a bounded time; the scan goes on without it."""
        self.write(self.main)
        refreshed = self.refresh()
        self.clock.advance(READING_TIMEOUT)
        self.successResultOf(refreshed)
        self.end(ZLIB)
        self.assertEqual(self.lists.find(target()), STATED)

    def test_meanwhile(self) -> None:
        """A large list goes on to answer while its new version is scanned, a small one does not."""
        many = [ListedFile(b"%d" % number, 1, sha256(b"%d" % number).digest(), "x") for number in range(DISTRIBUTION_SIZE)]
        self.know(self.main, ZLIB, *many)
        self.know(self.updates, ZLIB._replace(path=b"small"))
        self.write(self.main)
        self.write(self.updates)
        refreshed = self.refresh()
        self.assertEqual(self.lists.find(target()), STATED)
        self.assertIsNone(self.lists.find(target(path=b"small")))
        self.end()
        self.end()
        self.successResultOf(refreshed)
        self.assertIsNone(self.lists.find(target()))

    def test_kept(self) -> None:
        """After a restart lists are known without being scanned; a damaged index is made again, and those of lists that are gone are removed."""
        self.know(self.main, ZLIB)
        self.lists.stop()
        self.lists = self.started()
        self.successResultOf(self.refresh())
        self.assertEqual((self.lists.find(target()), len(self.children.commands)), (STATED, 1))
        self.lists.stop()
        kept = next((self.folder / "kept").iterdir())
        kept.write_bytes(kept.read_bytes()[:-1])
        self.lists = self.started()
        refreshed = self.refresh()
        self.end(ZLIB)
        self.successResultOf(refreshed)
        self.assertEqual(self.lists.find(target()), STATED)
        self.main.unlink()
        self.know(self.updates)
        self.assertEqual(len(list((self.folder / "kept").iterdir())), 1)

    def test_unreadable(self) -> None:
        """A list that can't be read is told once, states nothing, and is tried again after a while, or when it has changed."""
        self.know(self.main, ZLIB)
        for _ in range(2):
            self.write(self.main)
            refreshed = self.refresh()
            self.children.end(ChildOutcome(1, b"", "permission denied"))
            self.successResultOf(refreshed)
        self.assertIsNone(self.lists.find(target()))
        self.assertEqual(len(self.warnings), 1)
        self.assertIn("main_Packages of apt can't be read: permission denied", self.warnings[0])
        self.clock.advance(RETRY_INTERVAL)
        refreshed = self.refresh()
        self.end(ZLIB)
        self.successResultOf(refreshed)
        self.assertEqual(self.lists.find(target()), STATED)

    def test_no_index(self) -> None:
        """A child that fails in any way states nothing."""
        for outcome in (ChildOutcome(0, b"no index", ""), ChildOutcome(-1, b"", ""), FetchError("took more than 30 s")):
            self.write(self.main)
            refreshed = self.refresh()
            self.children.end(outcome)
            self.successResultOf(refreshed)
            self.assertIsNone(self.lists.find(target()))
        self.assertEqual(len(self.warnings), 3)

    def test_gone_meanwhile(self) -> None:
        """A list that is removed while it is scanned states nothing."""
        self.write(self.main)
        refreshed = self.refresh()
        output = BytesIO()
        write(output, (1, 2, 3), [ZLIB])
        self.main.unlink()
        self.clock.advance(2 * LOOK_INTERVAL)
        again = Deferred.fromCoroutine(self.lists.refresh())
        self.children.end(ChildOutcome(0, output.getvalue(), ""))
        self.successResultOf(refreshed)
        self.successResultOf(again)
        self.assertIsNone(self.lists.find(target()))

    def test_no_folder(self) -> None:
        """A folder of lists that can't be read is told once."""
        self.apt.answer = Sources(Bases((DEBIAN,)), {str(self.folder / "none/list"): (DEBIAN,)})
        self.successResultOf(self.refresh())
        self.successResultOf(self.refresh())
        self.assertEqual(len(self.warnings), 1)

    def test_stopped(self) -> None:
        """A daemon that stops waits for no child, and no error remains."""
        self.write(self.main)
        refreshed = self.refresh()
        self.lists.stop()
        self.successResultOf(refreshed)
        self.assertEqual((self.children.running, self.warnings), ([], []))


class SourcesTests(ListsCase):
    def refresh_bases(self) -> Deferred[None]:
        """Has the sources read again because of an unknown base."""
        return Deferred.fromCoroutine(self.lists.refresh_bases())

    def test_bases(self) -> None:
        """What the user names is a base from the first moment on, and the sources are when they were read; lists are not waited for."""
        self.assertEqual(self.lists.bases(), Bases((OTHER,)))
        self.write(self.main)
        self.successResultOf(self.refresh_bases())
        self.assertEqual(self.lists.bases(), Bases((DEBIAN, OTHER)))

    def test_unknown_base(self) -> None:
        """apt is asked again when a file has changed, and otherwise once a minute, however often a client asks for nonsense."""
        for _ in range(9):
            self.successResultOf(self.refresh_bases())
        self.assertEqual(self.apt.asked, 1)
        self.apt.has_changed = True
        self.successResultOf(self.refresh_bases())
        self.assertEqual(self.apt.asked, 2)
        self.clock.advance(RETRY_INTERVAL)
        self.successResultOf(self.refresh_bases())
        self.assertEqual(self.apt.asked, 3)

    def test_changed(self) -> None:
        """Sources that have changed are read, and their lists belong to other bases."""
        self.know(self.main, ZLIB)
        self.apt.answer = Sources(Bases((OTHER,)), {str(self.main): (OTHER,)})
        self.apt.has_changed = True
        self.successResultOf(self.refresh())
        self.assertIsNone(self.lists.find(target()))
        self.assertEqual(self.lists.find(target(OTHER)), STATED)
        self.assertEqual(len(self.children.commands), 1)

    def test_together(self) -> None:
        """Requests wait for the same question to apt, for a bounded time."""
        asking: Deferred[Sources] = Deferred()
        self.apt.answer = asking
        waiting = [self.refresh_bases(), self.refresh(), self.refresh_bases()]
        self.assertEqual(self.apt.asked, 1)
        late = self.refresh()
        self.clock.advance(READING_TIMEOUT)
        self.successResultOf(late)
        asking.callback(Sources(Bases((DEBIAN,))))
        for one in waiting:
            self.successResultOf(one)
        self.assertEqual(self.lists.bases(), Bases((DEBIAN,)))

    def test_failure(self) -> None:
        """Where apt can't be asked the former sources count on; it is told once, and tried again after a while."""
        self.know(self.main, ZLIB)
        self.apt.answer = FetchError("E: Malformed entry")
        self.apt.has_changed = True
        for _ in range(3):
            self.successResultOf(self.refresh())
        self.assertEqual((self.lists.find(target()), self.apt.asked), (STATED, 2))
        self.assertEqual(len(self.warnings), 1)
        self.clock.advance(RETRY_INTERVAL)
        self.successResultOf(self.refresh())
        self.assertEqual((self.apt.asked, len(self.warnings)), (3, 1))

    def test_trouble(self) -> None:
        """Sources that can't be read are told once."""
        self.apt.trouble = "secret.list can't be read"
        for _ in range(2):
            self.apt.has_changed = True
            self.successResultOf(self.refresh())
        self.assertEqual(self.warnings, ["secret.list can't be read"])
