"""Tests for `pacserve.pacman.pacman_conf`."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pacserve.errors import ConfigurationError, FetchError
from pacserve.packages.children import ChildOutcome, NotInstalledError
from pacserve.pacman.pacman_conf import LOOK_INTERVAL, READ_INTERVAL, PacmanConf


def printed(repo: str) -> ChildOutcome:
    """What pacman-conf says of a configuration with one repository."""
    return ChildOutcome(0, f"[options]\nDBPath = /db/\nArchitecture = x86_64\n[{repo}]\nServer = http://a.example/\n".encode(), "warning: odd key")


class PacmanConfCase(SynchronousTestCase):
    """A pacman.conf in a folder of its own, and a pacman-conf that answers at once, or when it is told to."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "pacman.conf"
        (self.folder / "first.inc").write_text("# pacman wants a match for each Include\n")
        self.path.write_text(f"[options]\nInclude = {self.folder}/*.inc\n")
        self.clock = Clock()
        self.answer: ChildOutcome | Exception | Deferred[ChildOutcome] = printed("core")
        self.commands: list[Sequence[str]] = []
        self.conf = PacmanConf(str(self.path), self.run_command, self.clock)
        self.addCleanup(self.conf.stop)
        self.warnings: list[str] = []

        @implementer(ILogObserver)
        def observe(event: LogEvent) -> None:
            if event["log_level"] is LogLevel.warn:
                self.warnings.append(event["log_format"].format(**event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)

    async def run_command(self, command: Sequence[str], output: int | None = None) -> ChildOutcome:
        self.commands.append(command)
        if isinstance(self.answer, Exception):
            raise self.answer
        return await self.answer if isinstance(self.answer, Deferred) else self.answer

    def load(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.conf.load()))

    def load_error(self) -> str:
        return str(self.failureResultOf(Deferred.fromCoroutine(self.conf.load()), ConfigurationError).value)

    def reload(self) -> bool:
        return self.successResultOf(Deferred.fromCoroutine(self.conf.reload()))

    def repositories(self) -> list[str]:
        return list(self.conf.current().repositories)

    def touch(self, text: str = "# changed\n") -> None:
        """Writes pacman.conf anew, with another size each time, since two writes may fall into one tick of the file system's clock."""
        self.path.write_text(self.path.read_text() + text)


class LoadTests(PacmanConfCase):
    def test_loaded(self) -> None:
        """After it was loaded there is a configuration, read through pacman-conf from the file that was named; its warnings are not ours."""
        self.load()
        self.assertEqual(["core"], self.repositories())
        self.assertEqual([("pacman-conf", "--config", str(self.path))], self.commands)
        self.assertEqual([], self.warnings)

    def test_no_file(self) -> None:
        """A missing file is named, together with the option that names another one, and pacman-conf is not bothered."""
        self.path.unlink()
        self.assertEqual(
            f"{self.path} can't be read: no such file or directory; name pacman's configuration with --pacman-conf FILE", self.load_error()
        )
        self.assertEqual([], self.commands)

    def test_no_pacman_conf(self) -> None:
        """Where there is no pacman-conf, the message says where it comes from."""
        self.answer = FetchError("pacman-conf is not installed")
        self.assertIn("pacman-conf is not installed; it comes with pacman", self.load_error())

    def test_broken_file(self) -> None:
        """What pacman-conf complains about is passed on in one line, with the name of the file."""
        self.answer = ChildOutcome(1, b"", "error: line 1: bad\nerror parsing\n")
        self.assertEqual(f"pacman-conf can't read {self.path}: error: line 1: bad error parsing", self.load_error())

    def test_odd_output(self) -> None:
        """Output that is no configuration, whatever its bytes, is a configuration error and nothing else."""
        for output in (b"", b"\xff\xfe\0", b"[options]\nDBPath = db\n"):
            self.answer = ChildOutcome(0, output, "")
            self.assertIn(str(self.path), self.load_error())

    def test_not_loaded(self) -> None:
        """Without a configuration there is nothing to give."""
        with self.assertRaises(ConfigurationError):
            self.conf.current()


class AbsentTests(PacmanConfCase):
    """A host that need not have pacman."""

    def setUp(self) -> None:
        super().setUp()
        self.conf = PacmanConf(str(self.path), self.run_command, self.clock, required=False)
        self.addCleanup(self.conf.stop)
        self.lines: list[str] = []

        @implementer(ILogObserver)
        def observe(event: LogEvent) -> None:
            if event.get("log_namespace", "").endswith("PacmanConf"):
                self.lines.append(event["log_format"].format(**event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)

    def assert_absent(self, reason: str) -> None:
        configuration = self.conf.current()
        self.assertEqual(
            (reason, (), (), {}), (configuration.missing, configuration.architectures, configuration.cache_dirs, configuration.repositories)
        )

    def test_no_file(self) -> None:
        """Without pacman.conf there is an empty configuration, one line says so, and nothing is said again."""
        self.path.unlink()
        self.load()
        self.assert_absent(f"there is no {self.path}")
        self.assertEqual(1, len(self.lines))
        self.assertIn(f"no pacman here: there is no {self.path}; ", self.lines[0])
        before = self.conf.current()
        self.clock.pump([LOOK_INTERVAL] * 100)
        self.assertTrue(self.reload())
        self.assertIs(before, self.conf.current())
        self.assertEqual((1, []), (len(self.lines), self.commands))

    def test_no_program(self) -> None:
        """A pacman.conf that a removed pacman left behind is none."""
        self.answer = NotInstalledError("pacman-conf is not installed")
        self.load()
        self.assert_absent("pacman-conf is not installed")
        self.assertEqual(1, len(self.lines))

    def test_comes_later(self) -> None:
        """pacman is taken up when it is there: at once with its file, within a minute with its program, and one line says so."""
        text = self.path.read_text()
        self.path.unlink()
        self.load()
        self.answer = NotInstalledError("pacman-conf is not installed")
        self.path.write_text(text)
        self.clock.advance(LOOK_INTERVAL)
        self.assert_absent("pacman-conf is not installed")
        self.answer = printed("core")
        self.clock.pump([LOOK_INTERVAL] * int(READ_INTERVAL / LOOK_INTERVAL))
        self.assertEqual((["core"], ""), (self.repositories(), self.conf.current().missing))
        self.assertEqual(f"pacman is here now: {self.path} was read", self.lines[-1])
        self.assertEqual((2, []), (len(self.lines), self.warnings))

    def test_goes(self) -> None:
        """pacman that was there stays in force while its files are replaced."""
        self.load()
        self.answer = NotInstalledError("pacman-conf is not installed")
        self.assertFalse(self.reload())
        self.path.unlink()
        self.assertFalse(self.reload())
        self.assertEqual(["core"], self.repositories())
        self.assertIn("what was read before stays in force", self.warnings[0])

    def test_broken(self) -> None:
        """A pacman.conf that is there and can't be read is an error all the same, and a warning where it comes later."""
        self.answer = ChildOutcome(1, b"", "error: bad")
        self.assertIn("pacman-conf can't read", self.load_error())
        self.answer = FetchError("pacman-conf took more than 30 s")
        self.assertIn("took more than 30 s", self.load_error())
        self.path.unlink()
        self.load()
        self.answer = ChildOutcome(1, b"", "error: bad")
        self.path.write_text("bad")
        self.clock.advance(LOOK_INTERVAL)
        self.assert_absent(f"there is no {self.path}")
        self.assertTrue(self.warnings[0].endswith("error: bad; this host stays without pacman"), self.warnings)

    def test_link_that_leads_nowhere(self) -> None:
        """A link that leads nowhere was meant to lead somewhere."""
        self.path.unlink()
        self.path.symlink_to("absent")
        self.assertIn("can't be read", self.load_error())


class NoticeTests(PacmanConfCase):
    def setUp(self) -> None:
        super().setUp()
        self.load()
        self.commands.clear()
        self.answer = printed("extra")

    def assert_noticed(self) -> None:
        self.clock.advance(LOOK_INTERVAL)
        self.assertEqual(["extra"], self.repositories())

    def test_unchanged(self) -> None:
        """As long as no file changes, pacman-conf is not run."""
        self.clock.pump([LOOK_INTERVAL] * 10)
        self.assertEqual([], self.commands)

    def test_main_file(self) -> None:
        """A change of the file itself is noticed."""
        self.touch()
        self.assert_noticed()

    def test_replaced(self) -> None:
        """A file that was moved into the place of another is noticed, though size and time are the same."""
        status = self.path.stat()
        other = self.folder / "new"
        other.write_text(self.path.read_text())
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        other.rename(self.path)
        self.assert_noticed()

    def test_new_file(self) -> None:
        """A file that an Include line begins to match is noticed."""
        (self.folder / "new.inc").write_text("")
        self.assert_noticed()

    def test_nested_file(self) -> None:
        """A change in a file that an included file includes is noticed, also when it comes and goes."""
        (self.folder / "a.inc").write_text(f"Include = {self.folder}/deep\n")
        self.assert_noticed()
        for repo, change in (
            ("one", lambda: (self.folder / "deep").write_text("#")),
            ("two", lambda: (self.folder / "deep").write_text("##")),
            ("three", (self.folder / "deep").unlink),
        ):
            self.answer = printed(repo)
            change()
            self.clock.advance(LOOK_INTERVAL)
            self.assertEqual([repo], self.repositories())

    def test_circle(self) -> None:
        """Files that include themselves come to an end."""
        (self.folder / "a.inc").write_text(f"Include = {self.folder}/*\n")
        self.assert_noticed()

    def test_at_least(self) -> None:
        """Though nothing seems to have changed, it is read again once a minute."""
        self.clock.pump([LOOK_INTERVAL] * int(READ_INTERVAL / LOOK_INTERVAL))
        self.assertEqual(["extra"], self.repositories())
        self.assertEqual(1, len(self.commands))

    def test_same_object(self) -> None:
        """The configuration stays the same object as long as it says the same, so that others see by identity that it has changed."""
        self.answer = printed("core")
        before = self.conf.current()
        self.assertTrue(self.reload())
        self.assertIs(before, self.conf.current())

    def test_changed_while_read(self) -> None:
        """What changes while pacman-conf reads is read once more."""
        slow: Deferred[ChildOutcome] = Deferred()
        self.answer = slow
        self.touch()
        self.clock.advance(LOOK_INTERVAL)
        self.touch()
        self.answer = printed("newest")
        slow.callback(printed("extra"))
        self.clock.advance(LOOK_INTERVAL)
        self.assertEqual(["newest"], self.repositories())

    def test_one_at_a_time(self) -> None:
        """A pacman-conf that hangs is not joined by more of them."""
        self.answer = Deferred()
        self.touch()
        self.clock.pump([LOOK_INTERVAL] * 100)
        self.assertEqual(1, len(self.commands))

    def test_stopped(self) -> None:
        """After it was stopped nothing is looked at, and what was being read ends without a word."""
        self.answer = Deferred()
        self.touch()
        self.clock.advance(LOOK_INTERVAL)
        self.conf.stop()
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertEqual([], self.flushLoggedErrors())


class FailureTests(PacmanConfCase):
    def setUp(self) -> None:
        super().setUp()
        self.load()

    def test_last_good_one(self) -> None:
        """A configuration that can't be read leaves the last good one in place, until it can be read again."""
        self.answer = ChildOutcome(1, b"", "error: bad")
        self.touch()
        self.clock.advance(LOOK_INTERVAL)
        self.assertEqual(["core"], self.repositories())
        self.answer = printed("extra")
        self.touch()
        self.clock.advance(LOOK_INTERVAL)
        self.assertEqual(["extra"], self.repositories())

    def test_gone_for_a_while(self) -> None:
        """A file that goes away and comes back, as with some editors, is read again."""
        text = self.path.read_text()
        self.path.unlink()
        self.clock.advance(LOOK_INTERVAL)
        self.assertEqual(["core"], self.repositories())
        self.answer = printed("extra")
        self.path.write_text(text)
        self.clock.advance(LOOK_INTERVAL)
        self.assertEqual(["extra"], self.repositories())

    def test_warned_once(self) -> None:
        """A failure is told once, another failure once more, and the first again after all was well."""
        bad, worse = ChildOutcome(1, b"", "error: bad"), ChildOutcome(1, b"", "error: worse")
        for answer, count in ((bad, 1), (bad, 1), (worse, 2), (worse, 2), (printed("core"), 2), (worse, 3)):
            self.answer = answer
            self.assertIs(answer.status == 0, self.reload())
            self.assertEqual(count, len(self.warnings))
        self.assertIn("what was read before stays in force", self.warnings[0])

    def test_defect(self) -> None:
        """Not even a defect ends the looks."""
        self.answer = ZeroDivisionError()
        self.touch()
        self.clock.advance(LOOK_INTERVAL)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
        self.answer = printed("extra")
        self.touch()
        self.clock.advance(LOOK_INTERVAL)
        self.assertEqual(["extra"], self.repositories())


class RealPacmanConfTests(PacmanConfCase):
    async def run_command(self, command: Sequence[str], output: int | None = None) -> ChildOutcome:
        done = subprocess.run(command, check=False, capture_output=True)
        return ChildOutcome(done.returncode, done.stdout, done.stderr.decode())

    def test_real(self) -> None:
        """With the real pacman-conf, a repository in a file that an Include line begins to match appears."""
        self.load()
        (self.folder / "a.inc").write_text("[core]\nServer = http://a.example/$repo\n")
        self.clock.advance(LOOK_INTERVAL)
        self.assertEqual(("http://a.example/core",), self.conf.current().repositories["core"].servers)

    def test_real_error(self) -> None:
        """What the real pacman-conf says of a broken file is one line."""
        self.path.write_text("no section\n")
        message = self.load_error()
        self.assertIn("All directives must belong to a section", message)
        self.assertNotIn("\n", message)
