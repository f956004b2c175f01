"""Tells apt's configuration (contrib/apt/) where this daemon answers, by a file that is there as long as it does."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from twisted.logger import Logger

from pacserve.complaints import Complaints
from pacserve.errors import reason_of

# A name or an address; nothing that the script could take for more than one line, or for all hosts.
_HOST = re.compile(r"[A-Za-z0-9._-]+(?::[0-9]+)?|\[[0-9A-Fa-f:.]+\](?::[0-9]+)?")

# Where the script of contrib/apt/ looks.
_FOLDER = Path("/run/pacserve")
_NAME = "apt"


class AptNotice:
    """
    Keeps the file `apt` in the runtime folder: the URL, the number of this process, when it was started, and the hosts for which it answers.

    For any other host apt goes on as without pacserve: programs have apt fetch files that belong to no source, as installers of fonts do, and
    pacserve refuses these.
    Without it apt does without pacserve, so a file that can't be written is logged, and the daemon runs all the same.

    Args:
        runtime: The value of `RUNTIME_DIRECTORY` (systemd.exec(5)); None where no service manager has made a folder.
        default: The folder that is used then, and made where this user may.
        process: What the kernel tells of this process (proc(5)).
    """

    _log = Logger()

    def __init__(self, runtime: str | None, default: Path = _FOLDER, process: Path = Path("/proc/self/stat")) -> None:
        # Of several folders the first is meant: the unit of contrib/systemd/ has only that one.
        named = (runtime or "").partition(":")[0]
        self._folder = Path(named) if named else default
        self._made_by_us = not named
        self._process = process
        self._complaints = Complaints(self._log)
        self._written = b""

    def publish(self, url: str, hosts: Iterable[str] | None = None) -> None:
        """
        Writes the file, which may be the one of an earlier daemon until then; again where something of it has changed.

        Args:
            url: `http://127.0.0.1:PORT` or `http://[::1]:PORT`; apt is told of no other.
            hosts: Those of the http sources, with the port where it is not 80, as `deb.debian.org` or `mirror.example:8080`; None for all.
        """
        known = ["*"] if hosts is None else sorted({host for host in hosts if _HOST.fullmatch(host)})
        try:
            data = "".join(f"{line}\n" for line in (f"{url} {os.getpid()} {_started(self._process)}", *known)).encode("ascii")
            if data == self._written:
                return
            if self._made_by_us:
                self._make_folder()
            self._replace(data)
        except (OSError, ValueError) as error:
            reason = reason_of(error) if isinstance(error, OSError) else "/proc is not that of Linux"
            self._complaints.about(
                "notice",
                f"apt can't be told where pacserve answers, and does without it: {reason}; run pacserve as its service, "
                f"or write 'Acquire::http::Proxy \"{url}\";' into a file in /etc/apt/apt.conf.d",
            )
        else:
            self._written = data
            self._complaints.about("notice", "")

    def withdraw(self) -> None:
        """Removes the file, unless it is another daemon's by now."""
        path = self._folder / _NAME
        with contextlib.suppress(OSError):
            if self._written and path.read_bytes() == self._written:
                path.unlink()
        self._written = b""

    def _make_folder(self) -> None:
        if not self._folder.is_dir():
            self._folder.mkdir()
            self._folder.chmod(0o755)  # whatever the umask is, apt's user looks into it

    def _replace(self, data: bytes) -> None:
        """Puts the file into its place in one step: apt may ask at any moment."""
        new = self._folder / f".{_NAME}.new"
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o644)  # the umask of the service hides files
            file.write(data)
        new.replace(self._folder / _NAME)


def _started(process: Path) -> int:
    """
    Returns when a process was started, in the kernel's clock ticks: field 22.

    Raises:
        ValueError: The file is not as proc(5) has it.
    """
    # The second field, the name in parentheses, may have spaces and parentheses.
    fields = process.read_text("utf-8", "replace").rpartition(") ")[2].split()
    if len(fields) < 20:
        raise ValueError("too few fields")
    return int(fields[19])
