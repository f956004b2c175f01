"""Complete files of a spool that were written by a daemon that did not end as it should: the disk may have zeros where bytes were."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Collection, Sequence
from io import FileIO
from pathlib import Path

from pacserve.packages.files import ExpectedFile
from pacserve.packages.names import shared_file

_UNVERIFIED = ".unverified-"
_READ_BYTES = 1 << 20
# Not through links, and without waiting for the writer of a FIFO.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class UnverifiedFiles:
    """
    Hides files until they are found to be right.

    Args:
        directory: Where they are hidden.
        packages: The folder of the complete files.
        is_owned: False once the folder may be another daemon's.
    """

    def __init__(self, directory: str, packages: str, is_owned: Callable[[], bool]) -> None:
        self._directory = Path(directory)
        self._packages = Path(packages)
        self._is_owned = is_owned

    def hide(self, name: str) -> None:
        """Hides a file until `verify` has found it to be right."""
        with contextlib.suppress(OSError):
            (self._packages / name).rename(self._directory / f"{_UNVERIFIED}{name}")

    def files(self) -> Sequence[Path]:
        """Returns the files that are hidden."""
        return sorted(self._directory.glob(f"{_UNVERIFIED}*"))

    def verify(self, expected: Callable[[str], Collection[ExpectedFile]], *, certain: bool) -> None:
        """
        Gives back their names to the files that have the digests that the databases state.

        All of them are read, so it runs in a thread.

        Args:
            expected: Gives what the databases state of a name.
            certain: True if every database was read, so that a file that none of them states is removed; otherwise it stays hidden for the next time.
        """
        for path in self.files():
            if not self._is_owned():
                return
            name = path.name.removeprefix(_UNVERIFIED)
            with contextlib.suppress(OSError):
                digest = _digest(path)
                if shared_file(name) is not None and any(digest == one.sha256 for one in expected(name)):
                    path.rename(self._packages / name)
                elif certain:
                    path.unlink()


def _digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    with FileIO(os.open(path, _READ), "rb") as file:
        while piece := file.read(_READ_BYTES):
            digest.update(piece)
    return digest.digest()
