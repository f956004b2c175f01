"""A throw-away root in which real pacman installs packages, with a database of its own; nothing outside of it is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

# For the lines that a package prints, which pacman has a shell say below the root; kill(1) and the targets for systemd-analyze.
_PROGRAMS = ("sh", "cat", "kill")
_TARGETS = ("basic", "multi-user", "network", "shutdown", "sockets", "sysinit")


class ArchRoot:
    """
    A root with no more than a shell.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        for folder in ("etc", "tmp", "usr/bin", "usr/lib/systemd/system", "var/lib/pacman", "var/log"):
            (path / folder).mkdir(parents=True)
        (path / "bin").symlink_to("usr/bin")
        for program in _PROGRAMS:
            self._bring(program)
        for target in _TARGETS:
            (path / f"usr/lib/systemd/system/{target}.target").write_text(f"[Unit]\nDescription={target}\n")
        (path / "etc/pacman.conf").write_text("[options]\nArchitecture = x86_64\nSigLevel = Never\n")
        self.remember()

    def _bring(self, program: str) -> None:
        """Copies a program and the libraries that it needs."""
        found = shutil.which(program)
        assert found, f"{program} is not there"
        shutil.copy(found, self.path / "usr/bin" / program)
        listed = subprocess.run(["ldd", found], check=True, capture_output=True, text=True).stdout
        for library in (word for word in listed.split() if word.startswith("/")):
            place = self.path / library[1:]
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, place)

    def pacman(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs pacman to its end, with all of its files below the root."""
        options = ("--config", str(self.path / "etc/pacman.conf"), "--root", str(self.path), "--dbpath", str(self.path / "var/lib/pacman"))
        others = ("--logfile", str(self.path / "var/log/pacman.log"), "--cachedir", str(self.path / "var/cache/pacman"), "--noconfirm")
        return subprocess.run(
            ["pacman", *arguments, *options, *others], capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"], "LC_ALL": "C"}
        )

    def remember(self) -> None:
        """Makes `added` and `added_folders` count from now on."""
        self._files, self._folders = self._found()

    def added(self) -> set[str]:
        """The files and links that came since then, by their paths below the root; without those that pacman itself keeps."""
        return self._found()[0] - self._files

    def added_folders(self) -> set[str]:
        """The folders that came since then."""
        return self._found()[1] - self._folders

    def _found(self) -> tuple[set[str], set[str]]:
        files, folders = set[str](), set[str]()
        for path in self.path.rglob("*"):
            name = str(path.relative_to(self.path))
            if not name.startswith("var/"):
                (folders if path.is_dir() and not path.is_symlink() else files).add(name)
        return files, folders
