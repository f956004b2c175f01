"""Keeps what pacman.conf says, and notices when it says something else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from pacserve.complaints import Complaints
from pacserve.errors import ConfigurationError, FetchError, StartError
from pacserve.packages.children import NotInstalledError, Run
from pacserve.pacman.configuration import ConfigurationSource, PacmanConfiguration, parse_configuration, without_pacman
from pacserve.pacman.configuration_files import SeenFiles, Stamp, look_at
from pacserve.waiting import Waiters

# Seconds between two looks at the files, and between two readings when nothing seems to have changed (a file system may keep its times to itself).
LOOK_INTERVAL = 1.0
READ_INTERVAL = 60.0
# Seconds for which no file must have changed: an editor, or a program that writes a new mirrorlist, may be in the middle of it.
SETTLING_TIME = 1.0
# Seconds that the files get to be looked at; only those of a file system that does not answer take longer than a moment.
LOOK_TIMEOUT = 10.0

InThread = Callable[[Callable[[], SeenFiles]], Awaitable[SeenFiles]]


@dataclass(slots=True)
class _Look:
    """
    One look at the files.

    Attributes:
        seen: What was seen, when it has ended well.
        ended: Those that wait for the end.
    """

    seen: SeenFiles | None = None
    ended: Waiters = field(default_factory=Waiters)


class _Looks:
    """
    Looks at the files in a thread, one look at a time: a file system that does not answer costs one thread, however long that lasts.

    Args:
        in_thread: Runs a look where it may wait.
    """

    def __init__(self, path: str, in_thread: InThread, clock: IReactorTime, complaints: Complaints) -> None:
        self._path = path
        self._in_thread = in_thread
        self._clock = clock
        self._complaints = complaints
        self._running: _Look | None = None

    async def look(self) -> SeenFiles:
        """
        Returns the files as they are now.

        Raises:
            ConfigurationError: There was no answer in time.
        """
        look = self._running
        if look is None:
            look = self._running = _Look()
            self._complaints.hear(Deferred.fromCoroutine(self._look(look)), "looking at pacman.conf")
        if self._running is look and not await look.ended.wait_for(LOOK_TIMEOUT, self._clock):
            raise ConfigurationError(f"{self._path}, or a file that it includes, does not answer: see whether its file system can be reached")
        if look.seen is None:
            raise ConfigurationError(f"{self._path} could not be looked at")
        return look.seen

    async def _look(self, look: _Look) -> None:
        try:
            look.seen = await self._in_thread(lambda: look_at(self._path))
        finally:
            self._running = None
            look.ended.wake()


class PacmanConf(ConfigurationSource):
    """
    pacman.conf, read through `pacman-conf`.

    The files are looked at once a second, and read when they have changed and have been left alone for `SETTLING_TIME`.  A failure after the first
    reading leaves the last good configuration in place, and so does a configuration that names no repository any more: it was most likely cut off.
    `current` returns the same object until the configuration was read again with another outcome.

    Args:
        path: The configuration file.
        in_thread: Runs what may wait for a file system.
        required: True if the daemon must not run without it; otherwise a host without the file, or without `pacman-conf`, is one without pacman,
            until both are there.
    """

    _log = Logger()

    def __init__(self, path: str, run: Run, in_thread: InThread, clock: IReactorTime, *, required: bool = True) -> None:
        self._path = path
        self._required = required
        self._run = run
        self._clock = clock
        self._configuration: PacmanConfiguration | None = None
        self._complaints = Complaints(self._log)
        self._looks = _Looks(path, in_thread, clock, self._complaints)
        self._stamps: Mapping[str, Stamp] = {}
        self._last_seen: Mapping[str, Stamp] = {}
        self._changed_at = 0.0
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
            StartError: Its file system does not answer now.
        """
        try:
            seen = await self._looks.look()
        except ConfigurationError as error:
            raise StartError(str(error)) from error
        self._take(await self._read(seen))
        if self.current().missing:
            self._log.info(
                "no pacman here: {reason}; /request is answered with 404 and package files of peers are not used, all else works",
                reason=self.current().missing,
            )
        self._timer = self._clock.callLater(LOOK_INTERVAL, self._look)

    async def reload(self) -> bool:
        """
        Reads it again now, whether or not it was just changed.

        Returns:
            True if it could be read; otherwise the reason has been logged.
        """
        try:
            seen = await self._looks.look()
            configuration = await self._read(seen)
            if (await self._looks.look()).stamps != seen.stamps:
                self._log.debug("pacman.conf changed while it was read, and is read again when it is left alone")
                return False
            self._take(configuration)
        except ConfigurationError as error:
            self._complain(error)
            return False
        self._complaint = ""
        return True

    def _complain(self, error: ConfigurationError) -> None:
        """Logs an error, unless it was the last."""
        if str(error) == self._complaint:
            return
        self._complaint = str(error)
        if self.current().missing:
            self._log.warn("{error}; this host stays without pacman", error=error)
        else:
            self._log.warn("{error}; what was read before stays in force", error=error)

    def stop(self) -> None:
        """Stops looking at the files."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if self._reading is not None:
            self._reading.cancel()

    def _look(self) -> None:
        self._timer = self._clock.callLater(LOOK_INTERVAL, self._look)  # first, so that no error below ends the looks
        if self._reading is None:
            reading = Deferred.fromCoroutine(self._again())
            if not reading.called:
                self._reading = reading
            self._complaints.hear(reading, "reading pacman.conf")

    async def _again(self) -> None:
        """Reads it where it has changed, or was not read for long."""
        try:
            if await self._is_due():
                await self.reload()
        except ConfigurationError as error:
            self._complain(error)
        finally:
            self._reading = None

    async def _is_due(self) -> bool:
        seen, now = await self._looks.look(), self._clock.seconds()
        if seen.stamps != self._last_seen:
            self._last_seen, self._changed_at = seen.stamps, now
        if seen.stamps == self._stamps:
            return not 0 <= now - self._read_at < READ_INTERVAL
        return not 0 <= now - self._changed_at < SETTLING_TIME

    async def _read(self, seen: SeenFiles) -> PacmanConfiguration:
        """
        Returns what pacman-conf says of files that were looked at just now.

        Raises:
            ConfigurationError: They can't be read; the message says why and what to do.
        """
        self._read_at = self._clock.seconds()
        self._stamps = seen.stamps  # of before the reading: a file that changes meanwhile is read once more
        if seen.absent and self._may_be_absent():
            return without_pacman(f"there is no {self._path}")
        if seen.trouble:
            raise ConfigurationError(seen.trouble)
        try:
            outcome = await self._run(("pacman-conf", "--config", self._path))
        except FetchError as error:
            if isinstance(error, NotInstalledError) and self._may_be_absent():
                return without_pacman(str(error))
            raise ConfigurationError(f"{error}; it comes with pacman (Debian: the package pacman-package-manager)") from error
        if outcome.status != 0:
            reason = " ".join(outcome.complaint.split()) or f"exit status {outcome.status}"
            raise ConfigurationError(f"pacman-conf can't read {self._path}: {reason}")
        try:
            return parse_configuration(outcome.output.decode("utf-8", "surrogateescape"))
        except ValueError as error:
            raise ConfigurationError(f"{self._path}: {error}") from error

    def _take(self, configuration: PacmanConfiguration) -> None:
        """
        Lets a configuration take the place of the one before.

        Raises:
            ConfigurationError: It has no repositories, and the one before had some.
        """
        before = self._configuration
        if before is not None and before.repositories and not configuration.repositories:
            raise ConfigurationError(f"{self._path} names no repository any more: restart pacserve if that is meant")
        if configuration != before:
            if before is not None and before.missing and not configuration.missing:
                self._log.info("pacman is here now: {path} was read", path=self._path)
            self._configuration = configuration

    def _may_be_absent(self) -> bool:
        """Returns whether pacman may be missing: never once it was there, since its files are replaced while it upgrades itself."""
        return not self._required and (self._configuration is None or bool(self._configuration.missing))
