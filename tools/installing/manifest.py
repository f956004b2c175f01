"""The list of what was installed, kept beside it.  Rules without input or output."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tools.installing.errors import InstallError

_HEADER = "# Written by 'make install' of pacserve, and read by 'make uninstall'."


@dataclass(frozen=True, slots=True)
class Manifest:
    """
    What an installation put where, as the installed system names it.

    Attributes:
        files: Files and links.
        configuration: Files that the user may change, with the SHA-256 of the bytes that were installed.
        trees: Folders that are pacserve's with all that is in them, as those of its Python package.
        folders: Folders that were not there before.
    """

    files: frozenset[PurePosixPath] = frozenset()
    configuration: dict[PurePosixPath, str] = field(default_factory=dict)
    trees: frozenset[PurePosixPath] = frozenset()
    folders: frozenset[PurePosixPath] = frozenset()

    def text(self) -> str:
        """Returns the form that `read_manifest` reads."""
        lines = [f"file {path}" for path in sorted(self.files)]
        lines += [f"config {digest} {path}" for path, digest in sorted(self.configuration.items())]
        lines += [f"tree {path}" for path in sorted(self.trees)]
        lines += [f"folder {path}" for path in sorted(self.folders)]
        return "\n".join([_HEADER, *lines, ""])


def read_manifest(text: str) -> Manifest:
    """
    Returns what `Manifest.text` wrote.

    Raises:
        InstallError: It is something else.
    """
    files: set[PurePosixPath] = set()
    configuration: dict[PurePosixPath, str] = {}
    trees: set[PurePosixPath] = set()
    folders: set[PurePosixPath] = set()
    for line in text.splitlines():
        match line.split(" ", 1):
            case ["file", path]:
                files.add(PurePosixPath(path))
            case ["config", rest]:
                digest, _, path = rest.partition(" ")
                configuration[PurePosixPath(path)] = digest
            case ["tree", path]:
                trees.add(PurePosixPath(path))
            case ["folder", path]:
                folders.add(PurePosixPath(path))
            case _ if not line.startswith("#"):
                raise InstallError(f"this line of the list of installed files is not understood: {line!r}")
    if not all(path.is_absolute() and ".." not in path.parts for path in (*files, *configuration, *trees, *folders)):
        raise InstallError("the list of installed files has a path that is not absolute")
    return Manifest(frozenset(files), configuration, frozenset(trees), frozenset(folders))
