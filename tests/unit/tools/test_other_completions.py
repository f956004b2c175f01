"""contrib/completion/ in zsh and fish."""

import shutil
import subprocess
import tempfile
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from tools.manual.files import ROOT, daemon, wrapper

FOLDER = ROOT / "contrib/completion"


@skipUnless(shutil.which("zsh"), "zsh is not there")
class ZshTests(SynchronousTestCase):
    def test_syntax(self) -> None:
        """zsh reads both files."""
        for name in ("_pacserve", "_pacsrv"):
            done = subprocess.run(["zsh", "-n", str(FOLDER / name)], check=False, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_found(self) -> None:
        """zsh finds both by the first line, as completions of their commands."""
        script = "autoload -U compinit; fpath=($1 $fpath); compinit -D -u; print $_comps[pacserve] $_comps[pacsrv]"
        done = subprocess.run(["zsh", "-f", "-c", script, "zsh", str(FOLDER)], check=False, capture_output=True, text=True)
        self.assertEqual((done.stdout, done.stderr), ("_pacserve _pacsrv\n", ""))

    def called(self, *words: str) -> str:
        """What the completion of pacsrv calls of zsh's own when Tab is pressed in the last of the words, and with which words."""
        script = """
        _arguments() { print -r arguments $words[1] at $CURRENT: ${${@:#-S}%%[[]*} }
        _describe() { print -r describe $@[-1]: ${(P)@[-1]%%:*} }
        _message() { print -r message $1 }
        _stand_in() { print -r $service: $words at $CURRENT }
        typeset -A _comps=(pacman _stand_in)
        complete() { . $file }
        file=$1; shift; words=("$@"); CURRENT=$#; service=pacsrv; complete
        """
        done = subprocess.run(["zsh", "-f", "-c", script, "zsh", str(FOLDER / "_pacsrv"), *words], check=False, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_commands(self) -> None:
        """pacsrv's own commands are offered as the first word, behind --port as well, and each has its own options."""
        commands = " ".join(command.name for command in wrapper().commands)
        for words in ((), ("--port", "1"), ("--port=1",)):
            self.assertEqual(self.called("pacsrv", *words, ""), f"describe commands: {commands}\n")
        self.assertEqual(self.called("pacsrv", "--port", ""), "message PORT\n")
        self.assertTrue(self.called("pacsrv", "--port", "1", "status", "").startswith("arguments status at 2: "))
        self.assertIn("--watch", self.called("pacsrv", "status", "-"))

    def test_pacman(self) -> None:
        """Everything else is completed as pacman's, as if pacman had been typed."""
        self.assertEqual(self.called("pacsrv", "--port", "1", "-S", "zl"), "pacman: pacman -S zl at 3\n")
        self.assertEqual(self.called("pacsrv", "--"), "pacman: pacman -- at 2\ndescribe own: --port --help --version\n")


@skipUnless(shutil.which("fish"), "fish is not there")
class FishTests(SynchronousTestCase):
    def offered(self, line: str) -> list[str]:
        """What fish offers at the end of a command line."""
        script = "source $argv[1]; complete -C $argv[2]"
        fish = ["fish", "--no-config", "-c", script, str(FOLDER / f"{line.split(maxsplit=1)[0]}.fish"), line]
        with tempfile.TemporaryDirectory() as home:  # fish writes there
            done = subprocess.run(fish, check=False, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "HOME": home})
        self.assertEqual(done.stderr, "")
        return [found.partition("\t")[0] for found in done.stdout.splitlines()]

    def test_options(self) -> None:
        """Every option is offered, and choices behind theirs."""
        names = {name for option in daemon().options for name in option.names if name.startswith("--")}
        self.assertEqual(set(self.offered("pacserve --")), names)
        self.assertEqual(self.offered("pacserve --misses f"), ["fetch"])

    def test_commands(self) -> None:
        """pacsrv's own commands are offered as the first word, behind --port as well, and nowhere else; each with its options."""
        commands = {command.name for command in wrapper().commands}
        for line in ("pacsrv ", "pacsrv --port 1 ", "pacsrv --port=1 "):
            self.assertTrue(commands.issubset(self.offered(line)), line)
        self.assertNotIn("status", self.offered("pacsrv -S stat"))
        for command in wrapper().commands:
            names = {name for option in command.options for name in option.names}
            self.assertTrue(names.issubset(self.offered(f"pacsrv {command.name} --")))
