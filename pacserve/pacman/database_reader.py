"""
A short-lived program that reads one sync database and writes what it states of its packages to stdout, as a table of `pacserve.pacman.tables`.

It runs in a process of its own, since libalpm keeps 32 to 50 MB for a large database and does not give them back.  It is the only module that imports
pyalpm.  It is called as `python -m pacserve.pacman.database_reader DBPATH REPO`.  Its exit status is 69 (EX_UNAVAILABLE of sysexits.h) where pyalpm
is not installed.
"""

from __future__ import annotations

import binascii
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

try:
    import pyalpm
except ImportError:
    sys.exit(69)

from pacserve.errors import plain_reason
from pacserve.packages.files import SIGNATURE_LIMIT
from pacserve.packages.kept_files import Stamp
from pacserve.packages.names import package_file
from pacserve.pacman import tables
from pacserve.pacman.tables import StatedPackage

# Bytes of a package file; no file system takes a larger one.
_SIZE_LIMIT = 10**15
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


def read(database_path: str, repo: str) -> tuple[Stamp, list[StatedPackage]]:
    """
    Returns the packages of a database, and which version of it that is.

    Raises:
        ValueError: libalpm can't read it to its end; it gives an empty database then, and says why in its log only.
        pyalpm.error: libalpm can't start.
        OSError: There is no such database, or no place for temporary files.
    """
    # libalpm takes one that is missing for an empty one.  One that is replaced from now on is read again by the daemon.
    found = Path(database_path, "sync", f"{repo}.db").stat()
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
        packages = list(database.pkgcache)
        known = list(stated(packages))
    if complaints and not packages:  # it also complains of what pacman lives with, such as a name that is stated in two ways
        raise ValueError("; ".join(complaints))
    return (found.st_mtime_ns, found.st_ino, found.st_size), known


def stated(packages: Iterable[pyalpm.Package]) -> Iterator[StatedPackage]:
    """Yields the packages whose files pacserve can know: those with the name of a package file and a size."""
    for package in packages:
        try:
            name, size, digest = package.filename or "", package.size, package.sha256sum or ""
        except UnicodeDecodeError:
            continue  # no package file has such a name
        if 0 < size < _SIZE_LIMIT and package_file(name):  # libalpm gives 0 where the database states no size
            yield StatedPackage(name, size, bytes.fromhex(digest) if _SHA256.match(digest) else None, _signature(package))


def _signature(package: pyalpm.Package) -> bytes | None:
    """Returns the detached signature that a database carries for a package; None where there is none that pacman would take."""
    try:
        signature = binascii.a2b_base64(package.base64_sig or "", strict_mode=True)
    except ValueError:  # it is no base64, or no text at all
        return None
    return signature if 0 < len(signature) <= SIGNATURE_LIMIT else None


def main() -> int:
    """Writes the table of a database, and returns the exit status."""
    _, database_path, repo = sys.argv
    try:
        stamp, packages = read(database_path, repo)
        tables.write(sys.stdout.buffer, stamp, packages)
        sys.stdout.buffer.flush()
    except (pyalpm.error, OSError, ValueError) as error:
        sys.stderr.write(f"{plain_reason(error) if isinstance(error, OSError) else error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
