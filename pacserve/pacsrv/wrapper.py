"""Runs pacman through pacserve."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from pacserve.errors import plain_reason, reason_of
from pacserve.pacsrv.asking import Daemon, SilentError
from pacserve.pacsrv.configuration import ConfigurationFiles, compose
from pacserve.pacsrv.proxies import with_localhost
from pacserve.pacsrv.words import PacmanWords, read_words

# Exit statuses of sh(1): the program can't be run, or does not exist.
_NOT_EXECUTABLE, _NOT_FOUND = 126, 127

# Signals that Python ignores, and that its child would ignore, too.
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
# Exit statuses by which the child in another root reports how it went.
_FAILED, _NO_ROOT, _NO_PROC = 1, 2, 3


def become(program: str, words: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """
    Replaces this process by a program, which starts as it would from a shell.

    Raises:
        OSError: The program can't be run.
    """
    for number in _IGNORED_BY_PYTHON:
        signal.signal(number, signal.SIG_DFL)
    os.execvpe(program, tuple(words), environment)  # noqa: S606


class UnusableError(Exception):
    """pacman can't be run with this command line; the message says why and what to do."""


class _UnreachableError(Exception):
    """pacman can't be given a configuration in the root where it looks for one; the message says why."""


@dataclass(frozen=True, slots=True)
class Wrapper:
    """
    Turns this process into pacman.

    Nothing of pacsrv is left then: the terminal, signals and the exit status are pacman's own.  The configuration lies in memory (memfd_create(2)),
    so it vanishes with the last process that has it open, however that process ends.

    Attributes:
        say: Shows a line on stderr.
        execute: Replaces this process, as `become` does.
        knows_cache_server: Returns whether this pacman knows CacheServer.
    """

    daemon: Daemon
    files: ConfigurationFiles
    environment: Mapping[str, str]
    say: Callable[[str], object]
    knows_cache_server: Callable[[], bool]
    execute: Callable[[str, Sequence[str], Mapping[str, str]], NoReturn] = become

    def run(self, words: Sequence[str]) -> int:
        """
        Runs pacman with a command line; where pacserve does not answer, plain pacman, and one line says so.

        Returns:
            The exit status where pacman could not be run; else this method does not return.
        """
        pacman = read_words(words)
        try:
            if pacman.local:
                return self._pacman(words, self.environment)
            self.daemon.check()
            return self._pacman(pacman.with_configuration(self._configuration(pacman)), with_localhost(self.environment))
        except SilentError as error:
            self.say(f"pacsrv: pacserve does not answer on localhost:{self.daemon.port} ({error}): running plain pacman")
        except _UnreachableError as error:
            self.say(f"pacsrv: {error}: running plain pacman")
        except UnusableError as error:
            self.say(f"pacsrv: {error}")
            return 1
        return self._pacman(words, self.environment)

    def _pacman(self, words: Sequence[str], environment: Mapping[str, str]) -> int:
        try:
            self.execute("pacman", ("pacman", *words), environment)
        except FileNotFoundError:
            self.say("pacsrv: pacman is not installed, or not in PATH")
            return _NOT_FOUND
        except OSError as error:
            self.say(f"pacsrv: pacman can't be run: {plain_reason(error)}")
            return _NOT_EXECUTABLE

    def _configuration(self, pacman: PacmanWords) -> str:
        """Returns the path at which pacman finds the configuration that was composed for it."""
        memory = os.memfd_create("pacman.conf", 0)  # without MFD_CLOEXEC: pacman inherits it
        path = f"/proc/self/fd/{memory}"
        if pacman.sysroot:
            self._compose_inside(pacman, memory, path)
        else:
            self._compose(pacman.configuration, memory)
        if not pacman.sysroot and not Path(path).exists():
            raise _UnreachableError("/proc is not mounted, so pacman can't be given a configuration")
        return path

    def _compose(self, configuration: str, memory: int) -> None:
        try:
            text = compose(configuration, self.files, self.daemon.port, self.knows_cache_server)
        except OSError as error:
            reason = reason_of(error, configuration)
            raise UnusableError(f"{configuration} can't be read: {reason}; name pacman's configuration with --config FILE") from None
        data = text.encode("utf-8", "surrogateescape")
        while data:
            data = data[os.write(memory, data) :]

    def _compose_inside(self, pacman: PacmanWords, memory: int, path: str) -> None:
        """
        Composes in a child that changed its root, as pacman does before it reads pacman.conf, so that links and Includes mean what they will mean
        to pacman.

        The child reports by its exit status, since it shares nothing with this process but the memory.
        """
        child = os.fork()
        if child == 0:
            status = _FAILED
            try:
                status = self._inside(pacman, memory, path)
            finally:
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == _NO_ROOT:
            raise _UnreachableError(f"the root can't be changed to {pacman.sysroot}")
        if status == _NO_PROC:
            raise _UnreachableError(f"/proc is not mounted in {pacman.sysroot}, so pacman can't be given a configuration there")
        if status != 0:
            raise UnusableError(f"{pacman.configuration} in {pacman.sysroot} can't be read; name pacman's configuration with --config FILE")

    def _inside(self, pacman: PacmanWords, memory: int, path: str) -> int:
        try:
            os.chroot(pacman.sysroot)
            os.chdir("/")
        except OSError:
            return _NO_ROOT
        if not Path(path).exists():
            return _NO_PROC
        try:
            self._compose(pacman.configuration, memory)
        except UnusableError:
            return _FAILED
        return 0
