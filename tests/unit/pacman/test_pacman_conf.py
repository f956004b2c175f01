"""Tests for `pacserve.pacman.pacman_conf`."""

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pacserve.errors import ConfigurationError, FetchError, StartError
from pacserve.packages.children import ChildOutcome, NotInstalledError
from pacserve.pacman.configuration_files import SeenFiles
from pacserve.pacman.pacman_conf import LOOK_INTERVAL, LOOK_TIMEOUT, READ_INTERVAL, SETTLING_TIME, PacmanConf


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
        self.hanging: Deferred[None] | None = None
        self.looks = 0
        self.conf = PacmanConf(str(self.path), self.run_command, self.in_thread, self.clock)
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

    async def in_thread(self, work: Callable[[], SeenFiles]) -> SeenFiles:
        """Looks at the files at once, or when the file system answers again."""
        if self.hanging is not None:
            await self.hanging
        self.looks += 1
        return work()

    def pass_looks(self, number: int = 2) -> None:
        """Lets time pass: one look notices a change, and the next one that nothing has changed any more."""
        self.clock.pump([LOOK_INTERVAL] * number)

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
        self.conf = PacmanConf(str(self.path), self.run_command, self.in_thread, self.clock, required=False)
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
        self.pass_looks()
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
        self.pass_looks()
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
        self.pass_looks()
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
            self.pass_looks()
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
        self.pass_looks()
        self.touch()
        self.answer = printed("newest")
        slow.callback(printed("extra"))
        self.pass_looks()
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
        self.pass_looks()
        self.conf.stop()
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertEqual([], self.flushLoggedErrors())


class SettlingTests(PacmanConfCase):
    """Files that are being written."""

    def setUp(self) -> None:
        super().setUp()
        self.load()
        self.commands.clear()
        self.answer = printed("half")

    def test_while_it_changes(self) -> None:
        """As long as a file changes from one look to the next it is not read, and one second after the last change it is."""
        for file in (self.path, self.folder / "first.inc"):
            for number in range(5):
                file.write_text(file.read_text() + f"# {number}\n")
                self.clock.advance(LOOK_INTERVAL)
                self.assertEqual([], self.commands)
            self.answer = printed(file.name)
            self.clock.advance(SETTLING_TIME)
            self.assertEqual([file.name], self.repositories())
            self.commands.clear()

    def test_changed_while_read(self) -> None:
        """What pacman-conf made of a file that changed meanwhile is not taken."""
        slow: Deferred[ChildOutcome] = Deferred()
        self.answer = slow
        self.touch()
        self.pass_looks()
        self.touch()
        slow.callback(printed("half"))
        self.assertEqual(["core"], self.repositories())
        self.answer = printed("whole")
        self.pass_looks()
        self.assertEqual((["whole"], []), (self.repositories(), self.warnings))

    def test_no_repository(self) -> None:
        """A configuration without repositories does not take the place of one that has some, and one warning says so, until it has some again."""
        self.answer = ChildOutcome(0, b"[options]\nDBPath = /db/\n", "")
        self.path.write_text("")
        for _ in range(3):
            self.pass_looks()
            self.assertFalse(self.reload())
            self.touch()
        self.assertEqual(["core"], self.repositories())
        self.assertEqual(
            [f"{self.path} names no repository any more: restart pacserve if that is meant; what was read before stays in force"], self.warnings
        )
        self.answer = printed("extra")
        self.touch()
        self.pass_looks()
        self.assertEqual(["extra"], self.repositories())

    def test_never_had_one(self) -> None:
        """A configuration without repositories is one like any other where the one before had none."""
        conf = PacmanConf(str(self.path), self.run_command, self.in_thread, self.clock)
        for output in (b"[options]\nDBPath = /db/\n", b"[options]\nDBPath = /other/\n"):
            self.answer = ChildOutcome(0, output, "")
            self.successResultOf(Deferred.fromCoroutine(conf.load() if output.endswith(b"/db/\n") else conf.reload()))
        self.assertEqual("/other/", conf.current().database_dir)
        conf.stop()


class HangingTests(PacmanConfCase):
    """Files that keep whoever reads them waiting."""

    def test_fifo(self) -> None:
        """A FIFO among the files is not opened, neither by this daemon nor by pacman-conf, and one warning names it; without it all goes on."""
        self.load()
        self.commands.clear()
        self.answer = printed("extra")
        fifo = self.folder / "second.inc"
        os.mkfifo(fifo)
        for _ in range(3):
            self.pass_looks()
            self.assertFalse(self.reload())
        self.assertEqual((["core"], []), (self.repositories(), self.commands))
        (warning,) = self.warnings
        self.assertIn(f"{fifo} is a FIFO", warning)
        fifo.unlink()
        self.pass_looks()
        self.assertEqual(["extra"], self.repositories())

    def test_fifo_at_the_start(self) -> None:
        """A pacman.conf that is a FIFO is a configuration error at once."""
        self.path.unlink()
        os.mkfifo(self.path)
        self.assertIn(f"{self.path} is a FIFO", self.load_error())
        self.assertEqual([], self.commands)

    def test_looks_at_the_same_time(self) -> None:
        """Those that wait for one look get what it saw, also when the first of them begins another look at once."""
        self.load()
        first: Deferred[None] = Deferred()
        second: Deferred[None] = Deferred()
        self.hanging = first
        reloads = [Deferred.fromCoroutine(self.conf.reload()) for _ in range(2)]
        self.hanging = second
        first.callback(None)
        second.callback(None)
        self.assertEqual([self.successResultOf(reload) for reload in reloads], [True, True])
        self.assertEqual(self.warnings, [])

    def test_file_system(self) -> None:
        """While a file system does not answer there is one look at it, what was read before stays in force, and one warning says so."""
        self.load()
        looks, hanging = self.looks, Deferred[None]()
        self.hanging = hanging
        self.clock.pump([LOOK_INTERVAL] * int(3 * LOOK_TIMEOUT))
        reload = Deferred.fromCoroutine(self.conf.reload())
        self.assertNoResult(reload)
        self.clock.advance(LOOK_TIMEOUT)
        self.assertIs(self.successResultOf(reload), False)
        self.assertEqual((["core"], looks), (self.repositories(), self.looks))
        (warning,) = self.warnings
        self.assertIn("does not answer", warning)
        self.answer, self.hanging = printed("extra"), None
        self.touch()
        hanging.callback(None)
        self.assertEqual(looks + 1, self.looks)
        self.pass_looks(3)
        self.assertEqual(["extra"], self.repositories())

    def test_file_system_at_the_start(self) -> None:
        """A file system that does not answer at the start may do so later: it is no error of the configuration."""
        self.hanging = Deferred()
        loading = Deferred.fromCoroutine(self.conf.load())
        self.clock.advance(LOOK_TIMEOUT)
        self.failureResultOf(loading, StartError)

    def test_stopped(self) -> None:
        """Stopping does not wait for the file system, and nothing is logged when that answers at last."""
        self.load()
        hanging = self.hanging = Deferred()
        self.pass_looks()
        self.conf.stop()
        self.assertEqual([], self.clock.getDelayedCalls())
        hanging.callback(None)
        self.assertEqual(([], []), (self.warnings, self.flushLoggedErrors()))


class FailureTests(PacmanConfCase):
    def setUp(self) -> None:
        super().setUp()
        self.load()

    def test_last_good_one(self) -> None:
        """A configuration that can't be read leaves the last good one in place, until it can be read again."""
        self.answer = ChildOutcome(1, b"", "error: bad")
        self.touch()
        self.pass_looks()
        self.assertEqual(["core"], self.repositories())
        self.answer = printed("extra")
        self.touch()
        self.pass_looks()
        self.assertEqual(["extra"], self.repositories())

    def test_gone_for_a_while(self) -> None:
        """A file that goes away and comes back, as with some editors, is read again."""
        text = self.path.read_text()
        self.path.unlink()
        self.pass_looks()
        self.assertEqual(["core"], self.repositories())
        self.answer = printed("extra")
        self.path.write_text(text)
        self.pass_looks()
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
        self.pass_looks()
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
        self.answer = printed("extra")
        self.touch()
        self.pass_looks()
        self.assertEqual(["extra"], self.repositories())


class RealPacmanConfTests(PacmanConfCase):
    async def run_command(self, command: Sequence[str], output: int | None = None) -> ChildOutcome:
        done = subprocess.run(command, check=False, capture_output=True)
        return ChildOutcome(done.returncode, done.stdout, done.stderr.decode())

    def test_real(self) -> None:
        """With the real pacman-conf, a repository in a file that an Include line begins to match appears."""
        self.load()
        (self.folder / "a.inc").write_text("[core]\nServer = http://a.example/$repo\n")
        self.pass_looks()
        self.assertEqual(("http://a.example/core",), self.conf.current().repositories["core"].servers)

    def test_real_error(self) -> None:
        """What the real pacman-conf says of a broken file is one line."""
        self.path.write_text("no section\n")
        message = self.load_error()
        self.assertIn("All directives must belong to a section", message)
        self.assertNotIn("\n", message)
