"""The process that listens on a port of this host, as far as the kernel tells (proc(5))."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_LISTENING = "0A"  # TCP_LISTEN of the kernel's tcp_states.h
_IDS = re.compile(r"^(Uid|Gid|Groups):\t(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class User:
    """The effective user of a process, with all its groups."""

    uid: int
    groups: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Socket:
    inode: str
    uid: int


def listener(port: int, proc: Path = Path("/proc")) -> User | None:
    """
    Returns the user of the process that listens on a TCP port; None where that can't be found out.

    root finds the process itself.  Other users see only the owner of the socket.  Where that is root, the service manager may have made the socket
    for a daemon of another user, so the user counts as not known.
    """
    sockets = list(_sockets(port, proc))
    wanted = {f"socket:[{socket.inode}]" for socket in sockets}
    for process in proc.glob("[1-9]*"):
        if process.name != "1" and wanted and _holds(process, wanted):
            found = _user(process)
            if found is not None:
                return found
    owners = {socket.uid for socket in sockets} - {0}
    return _known_user(owners.pop()) if len(owners) == 1 else None


def _sockets(port: int, proc: Path) -> Iterator[_Socket]:
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / name).read_text(encoding="ascii", errors="replace").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if len(fields) > 9 and fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield _Socket(fields[9], int(fields[7]))


def _holds(process: Path, wanted: set[str]) -> bool:
    try:
        return any(os.readlink(link) in wanted for link in (process / "fd").iterdir())  # noqa: PTH115
    except OSError:  # the process belongs to another user, or has ended
        return False


def _user(process: Path) -> User | None:
    try:
        ids = {match[1]: [int(word) for word in match[2].split()] for match in _IDS.finditer((process / "status").read_text())}
        return User(ids["Uid"][1], frozenset({ids["Gid"][1], *ids["Groups"]}))
    except (OSError, KeyError, IndexError, ValueError):
        return None


def _known_user(uid: int) -> User | None:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return None
    return User(uid, frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid)))
