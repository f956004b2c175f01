"""Keeps what pacman.conf says, and notices when it says something else."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from pacserve.errors import ConfigurationError, FetchError
from pacserve.packages.children import NotInstalledError, Run
from pacserve.pacman.configuration import ConfigurationSource, PacmanConfiguration, included, parse_configuration, without_pacman

# Seconds between two looks at the files, and between two readings when nothing seems to have changed (a file system may keep its times to itself).
LOOK_INTERVAL = 1.0
READ_INTERVAL = 60.0
# Files that one configuration consists of; an Include that includes itself must come to an end.
_FILES_LIMIT = 1000
# Bytes of one file that are searched for Include lines.
_BYTES_LIMIT = 1 << 20

Stamp = tuple[int, int, int] | None


class PacmanConf(ConfigurationSource):
    """
    pacman.conf, read through `pacman-conf`.

    The files are looked at once a second; a failure after the first reading leaves the last good configuration in place.  `current` returns the same
    object until the configuration was read again with another outcome.

    Args:
        path: The configuration file.
        required: True if the daemon must not run without it; otherwise a host without the file, or without `pacman-conf`, is one without pacman,
            until both are there.
    """

    _log = Logger()

    def __init__(self, path: str, run: Run, clock: IReactorTime, *, required: bool = True) -> None:
        self._path = path
        self._required = required
        self._run = run
        self._clock = clock
        self._configuration: PacmanConfiguration | None = None
        self._stamps: Mapping[str, Stamp] = {}
        self._read_at = 0.0
        self._reading: Deferred[None] | None = None
        self._timer: IDelayedCall | None = None
        self._complaint = ""

    def current(self) -> PacmanConfiguration:
        if self._configuration is None:
            raise ConfigurationError("pacman.conf has not been read yet")
        return self._configuration

    async def load(self) -> None:
        """
        Reads it for the first time, and looks at the files from then on.

        Raises:
            ConfigurationError: It can't be read; the message says why and what to do.
        """
        await self._read()
        if self.current().missing:
            self._log.info(
                "no pacman here: {reason}; /request is answered with 404 and package files of peers are not used, all else works",
                reason=self.current().missing,
            )
        self._timer = self._clock.callLater(LOOK_INTERVAL, self._look)

    async def reload(self) -> bool:
        """
        Reads it again now.

        Returns:
            True if it could be read; otherwise the reason has been logged.
        """
        try:
            await self._read()
        except ConfigurationError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                if self.current().missing:
                    self._log.warn("{error}; this host stays without pacman", error=error)
                else:
                    self._log.warn("{error}; what was read before stays in force", error=error)
            return False
        self._complaint = ""
        return True

    def stop(self) -> None:
        """Stops looking at the files."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if self._reading is not None:
            self._reading.cancel()

    def _look(self) -> None:
        self._timer = self._clock.callLater(LOOK_INTERVAL, self._look)  # first, so that no error below ends the looks
        due = not 0 <= self._clock.seconds() - self._read_at < READ_INTERVAL
        if self._reading is None and (due or self._look_at_files() != self._stamps):
            reading = Deferred.fromCoroutine(self._again())
            if not reading.called:  # the reading of a file that has gone ends at once
                self._reading = reading

    async def _again(self) -> None:
        try:
            await self.reload()
        except CancelledError:
            self._log.debug("nobody waits for pacman.conf any more")
        except Exception:
            self._log.failure("reading pacman.conf")
        finally:
            self._reading = None

    async def _read(self) -> None:
        self._read_at = self._clock.seconds()
        self._stamps = self._look_at_files()  # before it is read: a file that changes meanwhile is read once more
        if self._is_absent():
            self._take_absence(f"there is no {self._path}")
            return
        if self._stamps[self._path] is None:
            raise ConfigurationError(f"{self._path} can't be read: {_why(self._path)}; name pacman's configuration with --pacman-conf FILE")
        try:
            outcome = await self._run(("pacman-conf", "--config", self._path))
        except FetchError as error:
            if isinstance(error, NotInstalledError) and self._may_be_absent():
                self._take_absence(str(error))
                return
            raise ConfigurationError(f"{error}; it comes with pacman (Debian: the package pacman-package-manager)") from error
        if outcome.status != 0:
            reason = " ".join(outcome.complaint.split()) or f"exit status {outcome.status}"
            raise ConfigurationError(f"pacman-conf can't read {self._path}: {reason}")
        try:
            configuration = parse_configuration(outcome.output.decode("utf-8", "surrogateescape"))
        except ValueError as error:
            raise ConfigurationError(f"{self._path}: {error}") from error
        if configuration != self._configuration:
            if self._configuration is not None and self._configuration.missing:
                self._log.info("pacman is here now: {path} was read", path=self._path)
            self._configuration = configuration

    def _is_absent(self) -> bool:
        """Returns whether there is no file, and so no pacman.  A file that is there and can't be read is another matter."""
        return self._may_be_absent() and self._stamps[self._path] is None and not os.path.lexists(self._path)

    def _may_be_absent(self) -> bool:
        """Returns whether pacman may be missing: never once it was there, since its files are replaced while it upgrades itself."""
        return not self._required and (self._configuration is None or bool(self._configuration.missing))

    def _take_absence(self, reason: str) -> None:
        if self._configuration is None or self._configuration.missing != reason:
            self._configuration = without_pacman(reason)

    def _look_at_files(self) -> Mapping[str, Stamp]:
        """
        Returns the stamps of every file that the configuration consists of, and None for those that can't be read.

        A file that an Include line begins to match is a new entry, so that a comparison notices it.
        """
        stamps: dict[str, Stamp] = {}
        waiting = [self._path]
        while waiting and len(stamps) < _FILES_LIMIT:
            name = waiting.pop()
            if name in stamps:
                continue
            try:
                with Path(name).open("rb") as file:
                    text = file.read(_BYTES_LIMIT).decode("utf-8", "surrogateescape")
                found = Path(name).stat()
            except (OSError, ValueError):
                stamps[name] = None
                continue
            stamps[name] = (found.st_mtime_ns, found.st_ino, found.st_size)
            for pattern in included(text):
                waiting.extend(glob.glob(pattern))  # noqa: PTH207
        return stamps


def _why(path: str) -> str:
    try:
        with Path(path).open("rb"):
            return "it changed while it was looked at"
    except OSError as error:
        return (error.strerror or "unknown reason").lower()
