"""Answers pacsrv's own commands."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TextIO, TypeVar

from pacserve.pacsrv.asking import Daemon, Reply, SilentError
from pacserve.pacsrv.layout import Screen, has_colours
from pacserve.pacsrv.options import Question
from pacserve.pacsrv.presentation import show_status, show_why
from pacserve.pacsrv.text import printable
from pacserve.report.status import Status
from pacserve.report.status_json import decode
from pacserve.report.why import Why

T = TypeVar("T")

# ECMA-48: to the upper left; clear to the end of the line; clear to the end of the screen; the cursor hidden and shown.
_HOME, _CLEAR_LINE, _CLEAR_BELOW, _HIDE, _SHOW = "\x1b[H", "\x1b[K", "\x1b[J", "\x1b[?25l", "\x1b[?25h"
_CLEAR_SCREEN = "\x1b[2J"


@dataclass(frozen=True, slots=True)
class Console:
    """
    The terminal, file or pipe that answers are written to.

    Attributes:
        wall: Returns the seconds since the epoch.
        sleep: Waits for a number of seconds.
    """

    out: TextIO
    err: TextIO
    environment: Mapping[str, str]
    wall: Callable[[], float]
    sleep: Callable[[float], object]

    @property
    def terminal(self) -> bool:
        """True if the output is a terminal."""
        return self.out.isatty()

    def screen(self) -> Screen:
        """Returns what the terminal can show now; its size may change."""
        columns = shutil.get_terminal_size().columns if self.terminal else None
        return Screen(columns, has_colours(self.environment, terminal=self.terminal))

    def write(self, text: str) -> None:
        """Shows a text at once; characters that its encoding lacks become `?`."""
        encoding = self.out.encoding or "utf-8"
        self.out.write(text.encode(encoding, "replace").decode(encoding))
        self.out.flush()

    def complain(self, text: str) -> None:
        """Shows a line on stderr."""
        self.err.write(f"pacsrv: {printable(text)}\n")
        self.err.flush()


def show(question: Question, daemon: Daemon, console: Console) -> int:
    """
    Answers `status` and `why`.

    Returns:
        The exit status: 0, or 1 when the daemon can't be asked or knows no such file.
    """
    answer = _why if question.command == "why" else _status
    if question.watch is None:
        return answer(question, daemon, console, "")
    redraw = console.terminal and not question.json
    try:
        if redraw:
            console.write(_HIDE + _CLEAR_SCREEN)
        while True:  # goes on while the daemon does not answer, as during a restart
            _status(question, daemon, console, _HOME if redraw else "")
            console.sleep(question.watch)
    except KeyboardInterrupt:
        return 0
    finally:
        if redraw:
            console.write(_SHOW)


def _status(question: Question, daemon: Daemon, console: Console, before: str) -> int:
    try:
        reply = daemon.status()
        status = decoded(reply, Status)
    except SilentError as error:
        return _silent(daemon, console, error, before)
    if question.json:
        console.write(reply.body.decode("utf-8", "replace").rstrip("\n") + "\n")
        return 0
    lines = show_status(status, console.wall(), console.screen())
    console.write(_redrawn(lines, before) if before else "\n".join(lines) + "\n")
    return 0


def _redrawn(lines: list[str], before: str) -> str:
    """Returns the lines that fit the height of the terminal, drawn over the ones before."""
    fitting = lines[: max(1, shutil.get_terminal_size().lines - 1)]
    return before + "".join(f"{line}{_CLEAR_LINE}\n" for line in fitting) + _CLEAR_BELOW


def _why(question: Question, daemon: Daemon, console: Console, _: str) -> int:
    try:
        reply = daemon.why(question.subject)
        if reply.status == 404:
            console.complain(_unknown(question.subject, daemon))
            return 1
        why = decoded(reply, Why)
    except SilentError as error:
        return _silent(daemon, console, error, "")
    if question.json:
        console.write(reply.body.decode("utf-8", "replace").rstrip("\n") + "\n")
        return 0
    console.write("\n".join(show_why(why, console.wall(), console.screen())) + "\n")
    return 0


def _unknown(subject: str, daemon: Daemon) -> str:
    """Returns why a file is not known, by the package systems that the host has, as far as the daemon tells."""
    try:
        status = decoded(daemon.status(), Status)
    except SilentError:
        missing, apt = "", False
    else:
        missing, apt = status.host.no_pacman, status.apt is not None
    if apt and missing:
        return f"no list of apt has {subject}; if its source was added lately, run apt update first"
    if apt:
        return f"no database, no cache and no list of apt has {subject}; if its repository was added lately, run pacsrv -Sy or apt update first"
    if missing:
        return f"no pacman here: {missing}; so no database has {subject}"
    return f"no database and no cache has {subject}; if its repository was added lately, run pacsrv -Sy first"


def _silent(daemon: Daemon, console: Console, error: SilentError, before: str) -> int:
    text = f"pacserve does not answer on localhost:{daemon.port} ({error}); pacsrv doctor says more"
    if before:
        console.write(_redrawn([console.screen().fitted(text)], before))
    else:
        console.complain(text)
    return 1


def decoded(reply: Reply, kind: type[T]) -> T:
    """
    Returns what a reply of the daemon says.

    Raises:
        SilentError: The reply is an error, or is not understood.
    """
    if reply.status == 403:
        raise SilentError("it refuses to answer this host")
    if reply.status != 200:
        raise SilentError(f"it answered {reply.status}: its version differs from pacsrv's")
    try:
        return decode(reply.body, kind)
    except (ValueError, RecursionError):
        raise SilentError("its answer is not understood: its version differs from pacsrv's") from None
