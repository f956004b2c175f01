"""Reads the sources of this host's own apt, and looks whether the files in which they stand have changed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pacserve.apt.passwords import parse_machines
from pacserve.apt.sources import FORMAT, Sources, mirror_file, parse_mirrors, parse_places, parse_targets, sources_of
from pacserve.errors import FetchError
from pacserve.packages.children import ChildOutcome, NotInstalledError, Run
from pacserve.packages.kept_files import Stamp, stamp_of

# What apt says of its places: the name here, and that of apt.conf(5) with the letter of a folder or a file.
_PLACES = {
    "LISTS": "Dir::State::lists/d",
    "STATUS": "Dir::State::status/f",
    "SOURCES": "Dir::Etc::sourcelist/f",
    "SOURCE_PARTS": "Dir::Etc::sourceparts/d",
    "CONFIGURATION": "Dir::Etc::main/f",
    "CONFIGURATION_PARTS": "Dir::Etc::parts/d",
    "PASSWORDS": "Dir::Etc::netrc/f",
    "PASSWORD_PARTS": "Dir::Etc::netrcparts/d",
}
_SOURCE_SUFFIXES = (".list", ".sources")
# Files that are looked at in one folder, and bytes of a list of mirrors that are read.
_FILES_LIMIT = 1000
_BYTES_LIMIT = 1 << 20
# A FIFO is not waited for.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class SourceFiles:
    """
    Asks apt for its sources.

    Args:
        more: URLs of bases that no source names.
        is_here: Returns whether an authority names this daemon.

    Attributes:
        trouble: Why some of the sources are not known, and what to do; empty where nothing is wrong.
    """

    def __init__(self, run: Run, more: Sequence[str], is_here: Callable[[str], bool]) -> None:
        self._run = run
        self._more = more
        self._is_here = is_here
        self._places: dict[str, str] = {}
        self._seen: dict[str, Stamp | None] = {}
        self._mirror_files: dict[str, Stamp | None] = {}
        self.trouble = ""

    def without_apt(self) -> Sources:
        """Returns what is known without asking apt."""
        return sources_of((), self._more, lambda repository: None, self._is_here)

    def changed(self) -> bool:
        """Returns whether apt may say something else than when it was asked last; some 0.1 ms."""
        return self._look() != self._seen or any(stamp_of(path) != stamp for path, stamp in self._mirror_files.items())

    async def read(self) -> Sources:
        """
        Returns the sources; those of a host without apt are what `more` names.

        Raises:
            FetchError: apt can't read its configuration, or does not answer.
        """
        try:
            places = await self._ask("apt-config", "shell", *(word for pair in _PLACES.items() for word in pair))
            try:
                self._places = parse_places(places.output)
            except ValueError as error:
                raise FetchError(f"apt-config printed something else than its configuration: {error}") from error
            self._seen, self._mirror_files = self._look(), {}  # before apt looks: a change from now on is noticed
            # Of sources that were never updated it knows no release; without them, their first update would be refused.
            targets = await self._ask("apt-get", "indextargets", "--no-release-info", "--format", FORMAT)
        except NotInstalledError:
            return self.without_apt()
        self.trouble = self._trouble()
        return sources_of(parse_targets(targets.output), self._more, self._mirrors, self._is_here, self._machines())

    async def _ask(self, *command: str) -> ChildOutcome:
        outcome = await self._run(command)
        if outcome.status != 0:
            reason = outcome.complaint.partition("\n")[0] or f"exit status {outcome.status}"
            raise FetchError(f"{command[0]} {command[1]}: {reason}")
        return outcome

    def _mirrors(self, repository: str) -> list[str] | None:
        path = mirror_file(repository, f"{self._places.get('LISTS', '').rstrip('/')}/auxfiles/")
        if path is None:
            return None
        self._mirror_files[path] = stamp_of(path)
        return parse_mirrors(_content(path))

    def _machines(self) -> frozenset[str] | None:
        """Returns the hosts for which there are passwords; None where a file of them can't be read, as is usual."""
        file, folder = self._places.get("PASSWORDS"), self._places.get("PASSWORD_PARTS")
        there = [path for path in (file, folder, *_files(folder)) if path is not None and os.path.lexists(path)]
        if not all(os.access(path, os.R_OK) for path in there):
            return None
        return frozenset(host for path in there for host in parse_machines(_content(path)))

    def _look(self) -> dict[str, Stamp | None]:
        """Returns the versions of the files that decide what apt says; a new file in one of its folders is a new entry."""
        places = self._places
        seen = {path: stamp_of(path) for path in (places.get("SOURCES"), places.get("CONFIGURATION"), places.get("PASSWORDS")) if path is not None}
        if "STATUS" in places:  # the architectures for which this host has packages (dpkg(1), --add-architecture)
            architectures = str(Path(places["STATUS"]).with_name("arch"))
            seen[architectures] = stamp_of(architectures)
        for folder in (places.get("SOURCE_PARTS"), places.get("CONFIGURATION_PARTS"), places.get("PASSWORD_PARTS")):
            seen.update((path, stamp_of(path)) for path in _files(folder))
        return seen

    def _trouble(self) -> str:
        """Returns which source can't be read here: apt leaves it out without an error."""
        parts = [path for path in _files(self._places.get("SOURCE_PARTS")) if path.endswith(_SOURCE_SUFFIXES)]
        for path in (self._places.get("SOURCES"), self._places.get("SOURCE_PARTS"), *parts):
            if path is not None and os.path.lexists(path) and not os.access(path, os.R_OK):
                return f"{path} can't be read, so apt is refused what it names: let the user of pacserve read it, or name its URLs with --apt-mirror"
        return ""


def _files(folder: str | None) -> Iterator[str]:
    if folder is not None:
        try:
            with os.scandir(folder) as entries:
                for _, entry in zip(range(_FILES_LIMIT), entries, strict=False):
                    yield entry.path
        except OSError:
            return


def _content(path: str) -> bytes:
    """Returns the beginning of a file; nothing where there is none that can be read."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError:
        return b""
    try:
        return os.read(descriptor, _BYTES_LIMIT) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(descriptor)
