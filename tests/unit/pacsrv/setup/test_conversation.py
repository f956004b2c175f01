"""Tests for `pacserve.pacsrv.setup.conversation`."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.answering import Console
from pacserve.pacsrv.options import SetupCall
from pacserve.pacsrv.setup.apt import File
from pacserve.pacsrv.setup.conversation import Conversation
from pacserve.pacsrv.setup.firewall import LIST_IPTABLES
from pacserve.pacsrv.setup.lines import MARK
from pacserve.pacsrv.setup.places import Texts
from pacserve.pacsrv.setup.planning import Change, Planner
from pacserve.pacsrv.setup.record import APT_CONFIGURATION, APT_SCRIPT, OPTION_FILES, Record
from pacserve.pacsrv.setup.service import SHOW
from pacserve.pacsrv.setup.writing import WritingError
from tests.fakes.configuration import FakeFiles
from tests.fakes.machine import FakeMachine
from tests.unit.pacsrv.setup.test_apt import BOTH, OPTIONS, state
from tests.unit.pacsrv.setup.test_service import shown

MAIN, LIST = "/etc/pacman.conf", "/etc/pacman.d/mirrorlist"
ENABLE = ("systemctl", "enable", "--now", "pacserve.service")
RESTART = ("systemctl", "restart", "pacserve.service")
OPEN_FIREWALL = ("/script", "add")


class _Denied(FakeFiles):
    """Files that this user may not read."""

    def read(self, path: str) -> str:
        raise PermissionError(13, "Permission denied")


class ConversationCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.texts = {MAIN: f"[core]\nInclude = {LIST}\n", LIST: "Server = http://a/\x1b[31m\n"}
        self.machine = FakeMachine({SHOW: shown(), LIST_IPTABLES: "-P INPUT DROP\n"})
        self.refusal = ""
        self.denied = False

    def replace(self, changes: Sequence[Change]) -> None:
        """Writes files into memory."""
        if self.refusal:
            raise WritingError(self.refusal)
        files = dict(self.machine.apt.files)
        for change in changes:
            files.pop(change.path, None)
            if change.after is not None and change.path in {APT_CONFIGURATION, APT_SCRIPT, *OPTION_FILES}:
                files[change.path] = File(change.after, change.executable)
        self.machine.apt = dataclasses.replace(self.machine.apt, files=files)
        self.texts.update({change.path: change.after or "" for change in changes})

    def run_setup(self, *answers: str, **options: Any) -> tuple[int, str]:
        """The exit status and all that was shown."""
        call = SetupCall(options.pop("port", 15678), **options)
        shown = io.StringIO()
        console = Console(shown, shown, {}, lambda: 0.0, lambda _: None)
        planner = Planner(
            call.configuration, Texts(_Denied({}) if self.denied else FakeFiles(self.texts), lambda path: path), call.port, lambda: True
        )
        lines = iter(answers)
        status = Conversation(call, planner, self.machine, console, lambda: next(lines, ""), self.replace).run()
        self.assertIsNone(next(lines, None), "a question was not asked")
        return status, shown.getvalue()


class SetupTests(ConversationCase):
    def test_all(self) -> None:
        """Each change is shown, asked for and made; a second run has nothing to do."""
        status, text = self.run_setup("\n", "y\n", "YES\n")
        self.assertEqual(status, 0, text)
        self.assertIn(f"+{MARK}\n", text)
        self.assertIn(MARK, self.texts[LIST])
        self.assertNotIn("\x1b", text)
        self.assertEqual(self.machine.ran, [ENABLE, OPEN_FIREWALL])
        self.assertEqual(self.machine.record, Record(enabled=True, started=True, firewall=("",)))
        self.machine.outputs = {SHOW: shown(enabled="enabled", active="active"), LIST_IPTABLES: "-P INPUT DROP\n-A INPUT -j pacserve\n"}
        self.assertEqual(self.run_setup()[0], 0)
        self.assertIn("Nothing to do", self.run_setup()[1])

    def test_shown_before(self) -> None:
        """The diff stands before the question."""
        text = self.run_setup("n\n", "n\n", "n\n")[1]
        self.assertLess(text.index(MARK), text.index("Write "))

    def test_declined(self) -> None:
        """What the user does not want is left as it is, the rest is done; status 1 says that something is missing."""
        before = dict(self.texts)
        status, _ = self.run_setup("n\n", "y\n", "no\n")
        self.assertEqual((status, self.texts), (1, before))
        self.assertEqual(self.machine.ran, [ENABLE])
        self.assertEqual(self.machine.record, Record(enabled=True, started=True))

    def test_nobody_there(self) -> None:
        """The end of the input is no, and says what scripts need."""
        before = dict(self.texts)
        status, text = self.run_setup()
        self.assertEqual((status, self.texts, self.machine.ran), (1, before, []))
        self.assertIn("--yes", text)

    def test_yes(self) -> None:
        """--yes asks nothing, and does what is not skipped."""
        status, _ = self.run_setup(agreed=True, skipped=frozenset({"firewall"}))
        self.assertEqual((status, self.machine.ran), (0, [ENABLE]))
        self.assertIn(MARK, self.texts[LIST])

    def test_skipped(self) -> None:
        """A part that is skipped is not looked at: without pacman.conf the service can be started."""
        self.texts = {}
        status, _ = self.run_setup("y\n", skipped=frozenset({"configuration", "firewall"}))
        self.assertEqual((status, self.machine.ran), (0, [ENABLE]))

    def test_dry_run(self) -> None:
        """--dry-run shows all, asks nothing and changes nothing, with and without the rights of root."""
        before = dict(self.texts)
        for root in (True, False):
            self.machine = FakeMachine(self.machine.outputs, root=root)
            status, text = self.run_setup(dry=True)
            self.assertEqual((status, self.texts, self.machine.ran), (0, before, []))
            self.assertIn(f"+{MARK}\n", text)
            self.assertIn(f"Would write {LIST}.", text)
            self.assertIn("systemctl enable --now", text)

    def test_without_rights(self) -> None:
        """A user who may not do it sees the changes, and the words with which root makes them."""
        self.machine = FakeMachine({SHOW: shown()}, root=False)
        before = dict(self.texts)
        status, text = self.run_setup(port=15680, skipped=frozenset({"firewall"}), agreed=True)
        self.assertEqual((status, self.texts, self.machine.ran), (1, before, []))
        self.assertIn(f"+{MARK}\n", text)
        self.assertIn("sudo pacsrv --port 15680 setup --yes --skip firewall\n", text)
        self.assertIn("Nothing to do", self.run_setup(undo=True)[1])
        self.assertIn("Only root can see", self.run_setup()[1])

    def test_own_files(self) -> None:
        """Files of the user need no root."""
        self.texts = {"/home/me/pacman.conf": "[core]\nServer = http://a/\n"}
        self.machine = FakeMachine({}, root=False)
        self.assertEqual(self.run_setup("y\n", configuration="/home/me/pacman.conf")[0], 0)
        self.assertIn(MARK, self.texts["/home/me/pacman.conf"])

    def test_unreadable(self) -> None:
        """Without pacman.conf nothing is done, and it is said how to go on."""
        self.texts = {}
        status, text = self.run_setup(agreed=True)
        self.assertEqual((status, self.machine.ran), (1, []))
        self.assertIn("/etc/pacman.conf can't be read: no such file or directory", text)
        self.assertIn("--config FILE", text)

    def test_unreadable_for_the_user(self) -> None:
        """A file that this user may not read sends to root."""
        self.machine = FakeMachine({}, root=False)
        self.denied = True
        text = self.run_setup()[1]
        self.assertIn("/etc/pacman.conf can't be read: permission denied; root may: sudo pacsrv setup\n", text)

    def test_not_written(self) -> None:
        """Where a file can't be written, that is said, and nothing else is done."""
        self.refusal = "x can't be written: read-only file system; nothing was changed"
        status, text = self.run_setup("y\n")
        self.assertEqual((status, self.machine.ran), (1, []))
        self.assertIn(self.refusal, text)

    def test_failed_command(self) -> None:
        """A command that fails is named, and the steps after it are not tried; a part of it may have been done, so it is recorded."""
        self.machine.failing = {ENABLE}
        status, text = self.run_setup("y\n", "y\n")
        self.assertEqual((status, self.machine.ran), (1, [ENABLE]))
        self.assertIn("systemctl enable --now pacserve.service failed (exit status 1)", text)
        self.assertTrue(self.machine.record.enabled)

    def test_no_record(self) -> None:
        """What could not be taken back is not done."""
        self.machine.full = True
        status, text = self.run_setup("y\n", "y\n")
        self.assertEqual((status, self.machine.ran), (1, []))
        self.assertIn("no space left", text)

    def test_for_the_user(self) -> None:
        """Where setup can do nothing more but the user can, it does not say that nothing is to do."""
        self.texts[LIST] = "Server = http://localhost:15678/request/$repo/$arch\nServer = http://a/\n"
        self.machine = FakeMachine({SHOW: shown("masked")})
        self.assertIn("Nothing else to do.\n", self.run_setup()[1])
        self.machine = FakeMachine({SHOW: shown(enabled="enabled", active="active")})
        self.assertIn("Nothing to do.\n", self.run_setup()[1])

    def test_no_mirror(self) -> None:
        """Where no repository has a mirror, and where one needs the user, that is said."""
        self.texts = {MAIN: "[core]\nServer = http://localhost:15678/request/$repo/$arch\n"}
        text = self.run_setup("n\n", "n\n")[1]
        self.assertIn("No repository of /etc/pacman.conf has an http or https mirror", text)
        self.assertIn("Look at core yourself", text)


class UndoTests(ConversationCase):
    def test_all(self) -> None:
        """All is taken back, the lines first, so that pacman does not ask a service that has stopped."""
        before = dict(self.texts)
        self.run_setup("\n", "\n", "\n")
        self.machine.ran.clear()
        self.machine.outputs[SHOW] = shown(enabled="enabled", active="active")
        status, text = self.run_setup("\n", "\n", "\n", undo=True)
        self.assertEqual((status, self.texts), (0, before))
        stop = ("systemctl", "stop", "pacserve.socket", "pacserve.service")
        self.assertEqual(self.machine.ran, [("/script", "remove"), stop, ("systemctl", "disable", "pacserve.service")])
        self.assertEqual(self.machine.record, Record())
        self.assertIn(f"-{MARK}\n", text)

    def test_of_the_user(self) -> None:
        """What the user did without setup is not touched."""
        self.texts[LIST] = "Server = http://localhost:15678/request/$repo/$arch\n" + self.texts[LIST]
        self.machine.outputs[SHOW] = shown(enabled="enabled", active="active")
        self.assertEqual(self.run_setup(undo=True)[0], 0)
        self.assertEqual(self.machine.ran, [])

    def test_taken_back_by_others(self) -> None:
        """What the user took back before the undo, and does again after it, is the user's."""
        self.machine.record = Record(enabled=True, started=True)
        self.run_setup(undo=True)
        self.assertEqual(self.machine.record, Record())

    def test_part(self) -> None:
        """An undo of one part forgets this part alone."""
        self.machine.record = Record(enabled=True, started=True, firewall=("",))
        self.machine.outputs[SHOW] = shown(enabled="enabled", active="active")
        self.run_setup("y\n", undo=True, skipped=frozenset({"firewall"}))
        self.assertEqual(self.machine.record, Record(firewall=("",)))

    def test_failed_command(self) -> None:
        """What could not be taken back stays recorded."""
        self.machine.record = Record(enabled=True)
        self.machine.outputs[SHOW] = shown(enabled="enabled")
        self.machine.failing = {("systemctl", "disable", "pacserve.service")}
        self.assertEqual(self.run_setup("y\n", undo=True)[0], 1)
        self.assertEqual(self.machine.record, Record(enabled=True))


class AptTests(ConversationCase):
    """A Debian with the package: the service runs, and there is no pacman."""

    def setUp(self) -> None:
        super().setUp()
        self.texts = {}
        self.machine = FakeMachine({SHOW: shown(enabled="enabled", active="active")})
        self.machine.apt = self.before = state({OPTION_FILES[0]: File(OPTIONS)})

    def test_there_and_back(self) -> None:
        """One question for the files and one for the service; then there is nothing to do, and undo takes all back."""
        status, text = self.run_setup("\n", "\n", apt=True)
        self.assertEqual(status, 0, text)
        self.assertIn('+PACSERVE_ARGS="--multicast --apt"\n', text)
        self.assertIn(f"Write {APT_SCRIPT} and {APT_CONFIGURATION} and {OPTION_FILES[0]}? ", text)
        self.assertNotIn("pacman", text)
        self.assertEqual(self.machine.ran, [RESTART])
        self.assertEqual({path: self.machine.apt.files[path] for path in BOTH}, BOTH)
        self.machine.outputs[APT_SCRIPT,] = "http://127.0.0.1:9988\n"
        self.assertEqual(self.run_setup(apt=True), (0, "Nothing to do.\n"))
        status, text = self.run_setup("\n", "\n", undo=True)
        self.assertIn(f"Write {OPTION_FILES[0]}, and remove {APT_CONFIGURATION} and {APT_SCRIPT}? ", text)
        self.assertEqual((self.machine.apt, self.machine.record, self.machine.ran), (self.before, Record(), [RESTART, RESTART]))
        self.assertEqual(self.run_setup(undo=True), (0, "Nothing to do.\n"))

    def test_recorded_before(self) -> None:
        """What is written is recorded before, so that undo takes it back even where the writing was broken off; an undo is recorded after it."""
        self.refusal = "x can't be written"
        self.assertEqual(self.run_setup("\n", apt=True)[0], 1)
        self.assertEqual(self.machine.record, Record(apt=True, created=(APT_SCRIPT, APT_CONFIGURATION)))
        self.assertEqual(self.machine.ran, [])
        self.refusal = ""
        self.run_setup("\n", "\n", apt=True)
        self.refusal = "x can't be written"
        self.assertEqual(self.run_setup("\n", undo=True)[0], 1)
        self.assertTrue(self.machine.record.apt)
        self.refusal = ""
        self.machine.full = True
        self.assertIn("no space left", self.run_setup("\n", undo=True)[1])

    def test_broken_off(self) -> None:
        """Where an earlier setup did not come to restart the daemon, this one does."""
        self.run_setup("\n", "n\n", apt=True)
        self.machine.outputs[APT_SCRIPT,] = ""
        self.assertEqual(self.run_setup("\n", apt=True)[0], 0)
        self.assertEqual(self.machine.ran, [RESTART])

    def test_dry_run(self) -> None:
        """All is shown, and nothing is done."""
        status, text = self.run_setup(apt=True, dry=True)
        self.assertEqual((status, self.machine.apt, self.machine.ran, self.machine.record), (0, self.before, [], Record()))
        self.assertIn("--- /dev/null\n+++ /etc/apt/pacserve-proxy\n", text)
        self.assertIn("Would write /etc/apt/pacserve-proxy and ", text)
        self.assertIn("Would restart pacserve", text)

    def test_not_executable(self) -> None:
        """A script of the right text that can't be started is mended, and that is shown."""
        files = {**BOTH, APT_SCRIPT: File(BOTH[APT_SCRIPT].text), OPTION_FILES[0]: File("PACSERVE_ARGS=--apt\n")}
        self.machine.apt = state(files)
        self.assertIn(f"{APT_SCRIPT} is made executable\n", self.run_setup("\n", apt=True)[1])
        self.assertTrue(self.machine.apt.files[APT_SCRIPT].executable)

    def test_beside_pacman(self) -> None:
        """On a host with both, both are set up."""
        self.texts = {MAIN: f"[core]\nInclude = {LIST}\n", LIST: "Server = http://a/\n"}
        self.assertEqual(self.run_setup("\n", "\n", "\n", apt=True)[0], 0)
        self.assertIn(MARK, self.texts[LIST])
        self.assertIn(APT_SCRIPT, self.machine.apt.files)

    def test_skipped(self) -> None:
        """apt can be left out of an undo, and pacman out of a setup."""
        self.texts = {MAIN: f"[core]\nInclude = {LIST}\n", LIST: "Server = http://a/\n"}
        self.run_setup("\n", "\n", apt=True, skipped=frozenset({"configuration"}))
        self.assertNotIn(MARK, self.texts[LIST])
        self.assertEqual(self.run_setup(undo=True, skipped=frozenset({"apt"})), (0, "Nothing to do.\n"))

    def test_no_apt(self) -> None:
        """On a host without apt nothing is done."""
        self.machine.apt = dataclasses.replace(self.before, present=False)
        status, text = self.run_setup(apt=True)
        self.assertEqual((status, self.machine.ran), (1, []))
        self.assertIn("there is no apt here: /etc/apt/apt.conf.d is missing", text)

    def test_without_the_option(self) -> None:
        """Who forgot --apt on a host without pacman is told; a pacman.conf that is named must be there."""
        self.assertIn("Without pacman: pacsrv setup --apt, or ", self.run_setup()[1])
        status, text = self.run_setup(apt=True, configuration="/other/pacman.conf")
        self.assertEqual(status, 1)
        self.assertIn("/other/pacman.conf can't be read", text)

    def test_words(self) -> None:
        """A user without rights is told the words with which root does it."""
        self.machine = FakeMachine({SHOW: shown()}, root=False)
        self.machine.apt = self.before
        self.assertIn("sudo pacsrv setup --apt --skip firewall\n", self.run_setup(apt=True, skipped=frozenset({"firewall"}))[1])

    def test_left_to_the_user(self) -> None:
        """Options that setup does not understand are the user's to change."""
        self.machine.apt = state({**BOTH, OPTION_FILES[0]: File("PACSERVE_ARGS='a' 'b'\n")})
        status, text = self.run_setup(apt=True)
        self.assertEqual(status, 0)
        self.assertIn("add --apt to PACSERVE_ARGS in /etc/default/pacserve yourself", text)
        self.assertIn("Nothing else to do.\n", text)
