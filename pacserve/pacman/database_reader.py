"""
A short-lived program that reads one sync database and prints the names and sizes of its package files.

It runs in a process of its own, since libalpm keeps 32 to 50 MB for a large database and does not give them back.  It is the only module that imports
pyalpm.  `python -m pacserve.pacman.database_reader DBPATH REPO` prints one line `FILENAME TAB SIZE TAB SHA256` for each package, sizes
in bytes, the digest in hexadecimal or empty.  Its exit status is 69 (EX_UNAVAILABLE of sysexits.h) where pyalpm is not installed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

try:
    import pyalpm
except ImportError:
    sys.exit(69)


def read(database_path: str, repo: str) -> list[str]:
    """
    Returns the lines that are printed for a database.

    Raises:
        ValueError: libalpm can't read it to its end; it gives an empty database then, and says why in its log only.
        pyalpm.error: libalpm can't start.
        OSError: There is no such database, or no place for temporary files.
    """
    Path(database_path, "sync", f"{repo}.db").stat()  # libalpm takes one that is missing for an empty one
    complaints: list[str] = []

    def log(level: int, message: str) -> None:
        if level & pyalpm.LOG_ERROR:
            complaints.append(message.strip())

    # libalpm makes a local database where there is none, or fails where it may not: it gets a place of its own for that.
    with TemporaryDirectory(prefix="pacserve-") as place:
        (Path(place) / "sync").symlink_to(Path(database_path).absolute() / "sync")
        handle = pyalpm.Handle("/", place)
        handle.logcb = log
        database = handle.register_syncdb(repo, 0)  # what pacman has accepted is not verified again
        lines = list(_lines(database.pkgcache))
    if complaints and not lines:  # it also complains of what pacman lives with, such as a name that is stated in two ways
        raise ValueError("; ".join(complaints))
    return lines


def _lines(packages: Iterable[pyalpm.Package]) -> Iterator[str]:
    for package in packages:
        try:
            yield f"{package.filename}\t{package.size}\t{package.sha256sum or ''}\n"
        except UnicodeDecodeError:
            continue  # no package file has such a name


def main() -> int:
    """Prints the lines of a database, and returns the exit status."""
    _, database_path, repo = sys.argv
    try:
        lines = read(database_path, repo)
    except (pyalpm.error, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.writelines(lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
