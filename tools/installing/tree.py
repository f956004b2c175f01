"""Writes files below DESTDIR and keeps a list of them, and takes away what such a list names."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from tools.installing.files import Placed, Places
from tools.installing.manifest import Manifest, read_manifest


class Tree:
    """The installation that is being made.  Whatever was there before under the same names is replaced in one step."""

    def __init__(self, places: Places, say: Callable[[str], None]) -> None:
        self._places = places
        self._say = say
        self._before = installed(places)
        self._files: set[PurePosixPath] = set()
        self._configuration: dict[PurePosixPath, str] = {}
        self._trees: set[PurePosixPath] = set()
        self._folders: set[PurePosixPath] = set(self._before.folders)

    def folder(self, path: PurePosixPath) -> Path:
        """Makes the folder and those above it, and returns its real path."""
        missing = []
        while not self._places.real(path).is_dir() and path != path.parent:
            missing.append(path)
            path = path.parent
        for folder in reversed(missing):
            self._places.real(folder).mkdir(0o755)
            self._folders.add(folder)
        return self._places.real(missing[0] if missing else path)

    def put(self, file: Placed) -> None:
        """Installs a file.  A configuration that the user has changed, or has written before pacserve came, stays as it is."""
        data = file.content()
        if not file.configuration:
            self._write(file.target, data, file.mode)
            self._files.add(file.target)
            return
        there = _digest(self._places.real(file.target))
        ours = hashlib.sha256(data).hexdigest()
        if there in (None, ours, self._before.configuration.get(file.target)):
            self._write(file.target, data, file.mode)
            self._configuration[file.target] = ours
        else:
            self._say(f"{file.target} was changed and stays as it is; what is new is in {file.source}.")
            # As the digest of what it was installed with: as long as it differs from that it is the user's.
            self._configuration[file.target] = self._before.configuration.get(file.target, ours)

    def link(self, path: PurePosixPath, target: PurePosixPath) -> None:
        """Makes a symbolic link."""
        temporary = self.folder(path.parent) / f".{path.name}.pacserve-new"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target)
        temporary.replace(self._places.real(path))
        self._files.add(path)

    def claim_file(self, path: PurePosixPath) -> None:
        """Takes a file that something else has written into the list."""
        self._files.add(path)

    def claim_tree(self, path: PurePosixPath) -> None:
        """Takes a folder with all that is in it into the list."""
        self._trees.add(path)

    def finish(self) -> None:
        """Takes away what an earlier installation had and this one does not, and writes the list."""
        self.folder(self._places.manifest.parent)
        manifest = Manifest(frozenset({*self._files, self._places.manifest}), self._configuration, frozenset(self._trees), frozenset(self._folders))
        stale = Manifest(
            self._before.files - manifest.files,
            {path: digest for path, digest in self._before.configuration.items() if path not in manifest.configuration},
            self._before.trees - manifest.trees,
        )
        _remove(self._places, stale, self._say)
        self._write(self._places.manifest, manifest.text().encode(), 0o644)

    def _write(self, path: PurePosixPath, data: bytes, mode: int) -> None:
        temporary = self.folder(path.parent) / f".{path.name}.pacserve-new"
        temporary.write_bytes(data)
        temporary.chmod(mode)
        temporary.replace(self._places.real(path))


def installed(places: Places) -> Manifest:
    """Returns the list of what is installed there; an empty one where nothing is."""
    try:
        return read_manifest(places.real(places.manifest).read_text("utf-8"))
    except FileNotFoundError:
        return Manifest()


def uninstall(places: Places, say: Callable[[str], None]) -> bool:
    """Takes away what is installed there, but for configuration that the user has changed.  Returns False where nothing is installed."""
    manifest = installed(places)
    if places.manifest not in manifest.files:
        return False
    _remove(places, replace(manifest, files=manifest.files - {places.manifest}), say)
    places.real(places.manifest).unlink()  # last, so that what was stopped half-way can be done again
    for folder in sorted(manifest.folders, key=lambda path: len(path.parts), reverse=True):
        try:
            places.real(folder).rmdir()
        except OSError:
            continue  # something else is in it
    return True


def _remove(places: Places, manifest: Manifest, say: Callable[[str], None]) -> None:
    for path in manifest.files:
        places.real(path).unlink(missing_ok=True)
    for path in manifest.trees:
        if places.real(path).is_dir():
            shutil.rmtree(places.real(path))
    changed = [path for path, digest in manifest.configuration.items() if _digest(places.real(path)) not in (digest, None)]
    for path in changed:
        say(f"{path} was changed and stays.")
    # A file goes before those that it names, and keeps them where it stays: apt fails while its configuration names a script that is not there.
    left = [path for path in manifest.configuration if path not in changed and _digest(places.real(path)) is not None]
    for path in sorted(left, key=lambda path: _named(places, path, left)):
        if _named(places, path, changed):
            say(f"{path} stays: it is named in a file that stays.")
        else:
            places.real(path).unlink()


def _named(places: Places, path: PurePosixPath, files: Iterable[PurePosixPath]) -> bool:
    """Returns whether one of these files, as far as they are there, names a path."""
    texts = (places.real(file).read_bytes() for file in files if file != path and places.real(file).is_file())
    return any(str(path).encode() in text for text in texts)


def _digest(path: Path) -> str | None:
    """Returns the SHA-256 of a file; None where there is none."""
    if not os.path.lexists(path):
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "not a file"
