"""Decides which lines of which files `pacsrv setup` changes, and which ones `--undo` changes back.  Rules only."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pacserve.pacsrv.server_lines import USABLE_SCHEMES, meant_for_this_host, mistake_in, pacserve_port, pacserve_serves, scheme_of
from pacserve.pacsrv.setup.lines import changed, restored, split
from pacserve.pacsrv.setup.places import Place, Repository, Texts, UnreadableError, read_configuration

# Where Arch Linux keeps its mirrors; undone also where pacman.conf does not include it any more.
MIRRORLIST = "/etc/pacman.d/mirrorlist"


@dataclass(frozen=True, slots=True)
class Change:
    """
    A file with another text.

    Attributes:
        path: Without links.
        before: None where there is no file yet.
        after: None where the file is removed.
        executable: True for a script.
    """

    path: str
    before: str | None
    after: str | None
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """
    The changes of configuration files.

    Attributes:
        served: The repositories whose files pacserve can have from mirrors.
        left: The repositories with a fault that no change of pacserve's lines mends, such as one that has no mirror besides pacserve.
    """

    changes: tuple[Change, ...]
    served: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


# The numbers of repositories that are wrong, and of those that ask pacserve more often than is of use.
_Faults = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Edit:
    """The place before which pacserve's line is added, None for nowhere, and the lines that are disabled."""

    addition: Place | None
    disabled: tuple[Place, ...]

    def applied(self, texts: Texts, port: int) -> Texts:
        places = (*self.disabled, *((self.addition,) if self.addition is not None else ()))
        edits = {}
        for path in {place.path for place in places}:
            additions = [self.addition.number] if self.addition is not None and self.addition.path == path else []
            edits[path] = changed(texts.text(path), additions, [place.number for place in self.disabled if place.path == path], port)
        return texts.with_edits(edits)


class Planner:
    """
    Plans the changes for one configuration.

    Args:
        path: pacman.conf.
        port: The port on which pacserve listens.
        knows_cache_server: Returns whether this pacman knows CacheServer; called only where the answer matters.
    """

    def __init__(self, path: str, texts: Texts, port: int, knows_cache_server: Callable[[], bool]) -> None:
        self._path = path
        self._texts = texts
        self._port = port
        self._knows_cache_server = knows_cache_server

    def setup(self) -> Plan:
        """
        Returns the changes after which pacserve is the first Server of every repository that it can help with.

        They are made to the files as they would be after `undo`, so a second setup plans nothing, and one with another port replaces the first.

        Raises:
            UnreadableError: A file can't be read.
        """
        texts = self._restored(())
        while True:
            better = self._improved(texts)
            if better is None:
                break
            texts = better
        repositories = self._repositories(texts)
        served = tuple(one.name for one in repositories if pacserve_serves(self._mirrors(one)))
        left = tuple(one.name for one in repositories if self._faults_of(one) != (0, 0) or (self._ours(one) and not self._mirrors(one)))
        return Plan(_changes(texts), tuple(dict.fromkeys(served)), tuple(dict.fromkeys(left)))

    def undo(self) -> Plan:
        """
        Returns the changes that take back those of setup.

        Raises:
            UnreadableError: A file can't be read.
        """
        return Plan(_changes(self._restored((MIRRORLIST,))))

    def _restored(self, more: Sequence[str]) -> Texts:
        files = read_configuration(self._path, self._texts).files
        for path in map(self._texts.real, more):
            try:
                self._texts.original(path)
            except UnreadableError:
                continue  # a host may have no such file
            files.append(path)
        return self._texts.with_edits({path: restored(self._texts.text(path)) for path in files})

    def _improved(self, texts: Texts) -> Texts | None:
        """Returns the texts after the edit that mends the first repository that can be mended; None where there is none."""
        repositories = self._repositories(texts)
        before = self._faults(repositories)
        for repository in repositories:
            if self._faults_of(repository) == (0, 0):
                continue
            candidates = [edit.applied(texts, self._port) for edit in self._edits(repository)]
            # An edit of a file that several repositories include may mend them all, or mend one and do harm to another.
            best = min(candidates, key=lambda candidate: self._faults(self._repositories(candidate)), default=None)
            if best is not None and self._faults(self._repositories(best)) < before:
                return best
        return None

    def _edits(self, repository: Repository) -> Iterator[_Edit]:
        """Yields the edits that may mend a repository; of several that do as well, the first is the one to make."""
        servers = repository.servers
        well = pacserve_port(servers[0].value) == self._port and _usable(self._mirrors(repository))
        misplaced = tuple(one.place for one in servers[1 if well else 0 :] if meant_for_this_host(one.value, self._port))
        if pacserve_serves(self._mirrors(repository)) and not well:
            for disabled in (misplaced, ()):
                first = servers[0].place
                # At the top of a mirrorlist, all repositories that include it have it, and mirrors that are added later stand behind it.
                yield _Edit(first if first.path == repository.place.path else Place(first.path, 0), disabled)
                yield _Edit(next(one.place for one in repository.directives if one.key != "CacheServer"), disabled)
        if misplaced:
            yield _Edit(None, misplaced)

    def _repositories(self, texts: Texts) -> list[Repository]:
        return read_configuration(self._path, texts).repositories

    def _mirrors(self, repository: Repository) -> list[str]:
        return [one.value for one in repository.servers if not meant_for_this_host(one.value, self._port)]

    def _ours(self, repository: Repository) -> list[str]:
        return [one.value for one in repository.servers if meant_for_this_host(one.value, self._port)]

    def _faults(self, repositories: Sequence[Repository]) -> _Faults:
        faults = [self._faults_of(one) for one in repositories]
        return sum(wrong for wrong, _ in faults), sum(twice for _, twice in faults)

    def _faults_of(self, repository: Repository) -> _Faults:
        """Judges a repository as `pacserve.pacsrv.checks.servers` does."""
        mirrors = self._mirrors(repository)
        ours = self._ours(repository)
        if not mirrors or not (ours or pacserve_serves(mirrors)):
            return 0, 0  # without a mirror there is nothing that another line could mend
        if not _usable(mirrors):
            return 1, 0
        if not ours and self._is_cache_server(repository):
            return 0, 0
        first = pacserve_port(repository.servers[0].value) == self._port
        lost = any(mistake_in(one, self._port) or pacserve_port(one) != self._port for one in ours)
        return int(not first or lost), int(len(ours) > 1 or self._is_cache_server(repository))

    def _is_cache_server(self, repository: Repository) -> bool:
        named = any(one.key == "CacheServer" and pacserve_port(one.value) == self._port for one in repository.directives)
        return named and self._knows_cache_server()


def _usable(mirrors: Sequence[str]) -> bool:
    """Returns whether pacserve can have files from any of these mirrors."""
    return any(scheme_of(mirror) in USABLE_SCHEMES for mirror in mirrors)


def _changes(texts: Texts) -> tuple[Change, ...]:
    found = (Change(path, texts.original(path), after) for path, after in texts.edits.items())
    return tuple(change for change in found if change.before != change.after)


def diff(change: Change) -> list[str]:
    """Returns the lines of a unified diff, without line ends."""
    before, after = (_bare(text or "") for text in (change.before, change.after))
    old, new = ("/dev/null" if text is None else change.path for text in (change.before, change.after))
    return list(difflib.unified_diff(before, after, old, new, lineterm=""))


def _bare(text: str) -> list[str]:
    return [line.removesuffix("\n").removesuffix("\r") for line in split(text)]
