"""contrib/completion/*.bash in a real bash."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from tools.manual.files import ROOT, daemon, wrapper

_ASK = """\
compopt() { :; }  # bash refuses it where nobody pressed Tab
. "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
%s
"$(complete -p "$1" | sed 's/.* -F //; s/ .*//')" "$1" "${!#}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%%s\\n' "${COMPREPLY[@]}"
"""
_PACMAN = '_stand_in() { COMPREPLY=("asked: ${COMP_WORDS[*]} at $COMP_CWORD"); }; complete -F _stand_in pacman'


def offered(*words: str, folder: str = "/", before: str = "") -> list[str]:
    """What bash offers for the last of the words."""
    script = str(ROOT / f"contrib/completion/{words[0]}.bash")
    bash = ["bash", "--norc", "--noprofile", "-c", _ASK % before, "bash", script, *words]
    done = subprocess.run(bash, check=True, capture_output=True, text=True, cwd=folder, env={"PATH": "/usr/bin:/bin"})
    assert not done.stderr, done.stderr
    return [line for line in done.stdout.splitlines() if line]


@skipUnless(shutil.which("bash"), "bash is not there")
class PacserveTests(SynchronousTestCase):
    def test_options(self) -> None:
        """Every option is offered where one may stand, and only those that begin as what is typed."""
        names = sorted(name for option in daemon().options for name in option.names)
        self.assertEqual(sorted(offered("pacserve", "")), names)
        self.assertEqual(offered("pacserve", "--port", "1", "--multicast-i"), ["--multicast-interval"])

    def test_choices(self) -> None:
        """Choices are offered behind their option, also where = separates the two."""
        self.assertEqual(offered("pacserve", "--misses", ""), ["auto", "redirect", "fetch"])
        self.assertEqual(offered("pacserve", "--misses", "f"), ["fetch"])
        self.assertEqual(offered("pacserve", "--misses", "="), ["auto", "redirect", "fetch"])
        self.assertEqual(offered("pacserve", "--misses", "=", "f"), ["fetch"])

    def test_paths(self) -> None:
        """Files are offered for a file, folders for a folder, blanks in their names included."""
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "a folder").mkdir()
            (Path(folder) / "a file").touch()
            self.assertEqual(sorted(offered("pacserve", "--pacman-conf", "a", folder=folder)), ["a file", "a folder"])
            self.assertEqual(offered("pacserve", "--cache-dir", "a", folder=folder), ["a folder"])

    def test_values(self) -> None:
        """Interfaces are those of this machine; where nothing can be guessed, no option is offered in its place."""
        self.assertIn("lo", offered("pacserve", "--interface", ""))
        self.assertEqual(offered("pacserve", "--port", ""), [])


@skipUnless(shutil.which("bash"), "bash is not there")
class PacsrvTests(SynchronousTestCase):
    def test_commands(self) -> None:
        """Its own commands are offered first, behind --port as well."""
        commands = [command.name for command in wrapper().commands]
        for words in ([], ["--port", "1"], ["--port", "=", "1"]):
            self.assertEqual(offered("pacsrv", *words, "", before=_PACMAN), commands)
        self.assertEqual(offered("pacsrv", "--port", "", before=_PACMAN), [])

    def test_options_of_commands(self) -> None:
        """Each command has its own options."""
        for command in wrapper().commands:
            names = [name for option in command.options for name in option.names]
            self.assertEqual(offered("pacsrv", "--port", "1", command.name, "-", before=_PACMAN), names)

    def test_pacman(self) -> None:
        """Everything else is completed as pacman's, as if pacman had been typed."""
        self.assertEqual(offered("pacsrv", "-S", "zl", before=_PACMAN), ["asked: pacman -S zl at 2"])
        self.assertEqual(offered("pacsrv", "--port", "=", "1", "-S", "zl", before=_PACMAN), ["asked: pacman -S zl at 2"])

    def test_own_options(self) -> None:
        """Where the first option may stand, those of both are offered."""
        self.assertEqual(offered("pacsrv", "--v", before=_PACMAN), ["asked: pacman --v at 1", "--version"])

    def test_without_pacman_completion(self) -> None:
        """Without pacman's completion nothing is offered, and nothing is said."""
        self.assertEqual(offered("pacsrv", "-S", "zl"), [])

    @skipUnless(Path("/usr/share/bash-completion/completions/pacman").exists(), "pacman's completion is not there")
    @skipUnless(Path("/usr/share/bash-completion/bash_completion").exists(), "bash-completion is not there")
    def test_real_pacman(self) -> None:
        """pacman's own completion is found, and offers what it offers for pacman."""
        self.assertIn("--sysupgrade", offered("pacsrv", "-S", "--sys", before=". /usr/share/bash-completion/bash_completion"))
