"""This machine, as far as a setup looks at it and changes it besides the files of pacman."""

from __future__ import annotations

import os
import subprocess
import sys
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pacserve
from pacserve.pacsrv.pacman import output_of
from pacserve.pacsrv.setup.apt import FOLDER, AptState, File
from pacserve.pacsrv.setup.record import APT_CONFIGURATION, APT_SCRIPT, OPTION_FILES, RECORD, Record, decode, encode

# Where iptables and nft are; sudo and su may leave them out of PATH.
_SYSTEM_PROGRAMS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
# Below the share folder of an installation, and below contrib/ in a checkout.
_SCRIPT = "iptables/pacserve-firewall"


class Machine(Protocol):
    """Runs the programs of a machine, and keeps the record of a setup."""

    @property
    @abstractmethod
    def root(self) -> bool:
        """True if this process has the rights of root."""

    @abstractmethod
    def may_replace(self, path: str) -> bool:
        """Returns whether the user may put another file in the place of one."""

    @abstractmethod
    def output(self, command: Sequence[str]) -> str | None:
        """Returns the standard output of a command; None where the command fails."""

    @abstractmethod
    def run(self, command: Sequence[str]) -> int:
        """Runs a command, whose output the user sees, and returns its exit status."""

    @abstractmethod
    def firewall_script(self) -> str | None:
        """Returns the path of pacserve-firewall; None where it is not found."""

    @abstractmethod
    def read_apt(self) -> AptState:
        """Returns how apt and the options of the daemon are configured."""

    @abstractmethod
    def read_record(self) -> Record:
        """Returns the record of earlier setups; an empty one where there is none."""

    @abstractmethod
    def write_record(self, record: Record) -> None:
        """
        Keeps a record; an empty one leaves no file behind.

        Raises:
            OSError: It can't be kept.
        """


class LocalMachine(Machine):
    """
    The machine that this process runs on.

    Args:
        record: The path of the record.
    """

    def __init__(self, record: str = RECORD) -> None:
        self._record = Path(record)
        os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), *_SYSTEM_PROGRAMS])

    @property
    def root(self) -> bool:
        return os.geteuid() == 0

    def may_replace(self, path: str) -> bool:
        return self.root or os.access(Path(path).parent, os.W_OK)

    def output(self, command: Sequence[str]) -> str | None:
        return output_of(command)

    def run(self, command: Sequence[str]) -> int:
        try:
            return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode  # noqa: S603
        except OSError:
            return 127  # as sh(1) has it for a program that is not there

    def firewall_script(self) -> str | None:
        return next((str(path) for path in installed_places(sys.argv[0], _SCRIPT) if os.access(path, os.X_OK)), None)

    def read_apt(self) -> AptState:
        return read_apt_state(sys.argv[0])

    def read_record(self) -> Record:
        try:
            return decode(self._record.read_text("utf-8"))
        except (OSError, ValueError):
            return Record()

    def write_record(self, record: Record) -> None:
        folder = self._record.parent
        if record == Record():
            self._record.unlink(missing_ok=True)
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
            return
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        new = self._record.with_suffix(".new")
        new.write_text(encode(record), "utf-8")
        new.replace(self._record)


def read_apt_state(program: str) -> AptState:
    """
    Returns how apt and the options of the daemon are configured.

    Args:
        program: The path by which this program was started.
    """
    files = {path: file for path in (APT_CONFIGURATION, APT_SCRIPT, *OPTION_FILES) if (file := _file(Path(path))) is not None}
    installed: dict[str, str] = {}
    for target in (APT_CONFIGURATION, APT_SCRIPT):
        places = installed_places(program, f"apt/{Path(target).name}")
        found = next((file for file in map(_file, places) if file is not None), None)
        if found is None:
            return AptState(Path(FOLDER).is_dir(), files)
        installed[target] = found.text
    return AptState(Path(FOLDER).is_dir(), files, installed)


def _file(path: Path) -> File | None:
    try:
        return File(path.read_text("utf-8", "surrogateescape"), os.access(path, os.X_OK))
    except OSError:
        return None


def installed_places(program: str, name: str) -> list[Path]:
    """
    Returns where a file of pacserve may be: in the share folder beside the bin folder of pacsrv, in those of the system, and in a checkout.

    Args:
        program: The path by which pacsrv was started.
        name: The file below these folders, such as `iptables/pacserve-firewall`.
    """
    own = [*Path(program).absolute().parents[1:2], *Path(program).resolve().parents[1:2]]  # `python -c` has no folder above its own
    prefixes = [*own, Path("/usr/local"), Path("/usr")]
    installed = [prefix / "share/pacserve" / name for prefix in prefixes]
    return [*installed, Path(pacserve.__file__).parents[1] / "contrib" / name]
