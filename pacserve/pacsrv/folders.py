"""Folders of this machine, as a given user sees them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from pacserve.errors import reason_of
from pacserve.pacsrv.facts import Folder
from pacserve.pacsrv.process import User

# Files that are examined in one folder, so that a huge one does not hold the doctor up.
_FILES_LIMIT = 20_000
# The bits of a file mode for others (chmod(2)); those of owner and group are shifted.
_READ, _ENTER = 4, 1


def _is_package(name: str) -> bool:
    return ".pkg.tar" in name and not name.endswith(".part")


def look_at(path: str, user: User | None, wanted: Callable[[str], bool] = _is_package) -> Folder:
    """
    Examines a folder, as a package cache: whether a user can read all files in it that are wanted, and how much space is left.

    Access control lists are ignored, and so is what a service manager hides from the daemon.

    Args:
        user: The user who is to read it; None where the user is not known.
        wanted: Returns whether a file of that name is to be read; by default packages and signatures are.
    """
    free = free_space(path)
    try:
        if not Path(path).is_dir():
            return Folder(path, missing=True, free=free)
        if user is None:
            return Folder(path, doubt="the user that pacserve runs as could not be found out", free=free)
        problem = _path_problem(Path(path), user) or _unreadable_files(path, user, wanted)
    except PermissionError:
        return Folder(path, doubt="you may not look into it", free=free)
    except OSError as error:
        return Folder(path, problem=reason_of(error, path), free=free)
    return Folder(path, problem=problem, free=free)


def free_space(path: str) -> int | None:
    """Returns the bytes that an ordinary user may write in a folder, or in the nearest one above that exists."""
    for folder in (Path(path), *Path(path).parents):
        try:
            found = os.statvfs(folder)
        except OSError:
            continue
        return found.f_bavail * found.f_frsize
    return None


def _may(user: User, found: os.stat_result, right: int) -> bool:
    if user.uid == 0:
        return True
    shift = 6 if found.st_uid == user.uid else 3 if found.st_gid in user.groups else 0
    return bool(found.st_mode >> shift & right)


def _path_problem(path: Path, user: User) -> str:
    """Returns which folder on the path the user can't enter, or that the last one can't be listed; empty where all is permitted."""
    real = path.resolve()
    for folder in (*reversed(real.parents), real):
        found = folder.stat()
        if not _may(user, found, _ENTER):
            return f"pacserve's user may not enter {folder} (mode {stat.S_IMODE(found.st_mode):04o})"
    return "" if _may(user, real.stat(), _READ) else f"pacserve's user may not list it (mode {stat.S_IMODE(real.stat().st_mode):04o})"


def _unreadable_files(path: str, user: User, wanted: Callable[[str], bool]) -> str:
    files = list(_files(path, wanted))
    unreadable = [name for name, found in files if not _may(user, found, _READ)]
    if not unreadable:
        return ""
    return f"pacserve's user may not read {len(unreadable):,} of {len(files):,} files, such as {min(unreadable)}"


def _files(path: str, wanted: Callable[[str], bool]) -> Iterator[tuple[str, os.stat_result]]:
    """Yields the names of the files that are wanted with their stat results, up to `_FILES_LIMIT` of them."""
    count = 0
    with os.scandir(path) as entries:
        for entry in entries:
            if not wanted(entry.name) or not entry.is_file(follow_symlinks=False):
                continue
            count += 1
            if count > _FILES_LIMIT:
                return
            try:
                yield entry.name, entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # it has just been removed
                continue
