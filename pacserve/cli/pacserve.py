"""The command `pacserve`: the daemon."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from pacserve.config.options import parse_options

EXIT_FAILURE = 1
EXIT_CONFIGURATION = 78  # EX_CONFIG of sysexits.h

# Open files.  The usual soft limit of 1,024 is there for programs that use select(2); a LAN that upgrades together needs more.
_OPEN_FILES = 16_384

# Seconds that threads get to end after everything else has.
_THREADS_GRACE = 0.5


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Runs the daemon until it is told to stop.

    Returns:
        The exit status: 0 after SIGTERM or SIGINT, 1 when something it needs can't be had now, 78 when the configuration is wrong.  A wrong command
        line ends with 2.
    """
    settings = parse_options(sys.argv[1:] if arguments is None else arguments)

    # Imported after the command line was read, so that --help need not wait for Twisted.  The sockets come first, since an import of Twisted's
    # endpoints takes the variables that name them out of the environment.
    from twisted.python.systemd import ListenFDs

    inherited = ListenFDs.fromEnvironment().inheritedDescriptors()

    from twisted.internet import reactor as installed
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from pacserve.app.daemon import Daemon, Process
    from pacserve.app.log import begin_logging, line_writer
    from pacserve.cli.examining import examine
    from pacserve.errors import ConfigurationError, StartError
    from pacserve.fetch.hosts import system_resolver

    reactor: Any = installed
    # Twisted takes the wall clock.  A machine without a battery steps it by decades when it reaches a time server, and no timer may notice.
    reactor.seconds = time.monotonic
    reactor.installNameResolver(system_resolver(reactor))
    open_files = _raise_open_files()
    write = line_writer(sys.stderr)
    begin_logging(write, settings.log_level)
    process = Process(
        write=write,
        wall=time.time,
        environment=os.environ,
        open_files=open_files,
        inherited=inherited,
        examine=lambda status: examine(status, time.time),
    )
    daemon = Daemon(reactor, settings, process)
    status = 0

    def failed(failure: Failure) -> None:
        nonlocal status
        error = failure.value
        if isinstance(error, (ConfigurationError, StartError)):
            status = EXIT_CONFIGURATION if isinstance(error, ConfigurationError) else EXIT_FAILURE
            write(f"pacserve: {error}\n")  # not to stderr itself: a reader that has gone must not keep the process from ending
        else:
            status = EXIT_FAILURE
            write(failure.getTraceback())
        leave()

    def leave() -> None:
        if reactor.running:
            # Threads that wait for a name server can't be told to end, and the reactor would wait for them.
            timer = threading.Timer(_THREADS_GRACE, os._exit, (status,))
            timer.daemon = True
            timer.start()
            reactor.stop()

    def stop(*_: object) -> None:
        reactor.callFromThread(end)

    def end() -> None:
        if daemon.stopping:
            leave()  # a user who sends a second signal does not want to wait
            return
        Deferred.fromCoroutine(daemon.stop()).addCallbacks(lambda _: leave(), failed)

    def begin() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(daemon.reload))
        Deferred.fromCoroutine(daemon.start()).addErrback(failed)

    reactor.callWhenRunning(begin)
    reactor.run()
    _lose_unwritten()
    return status


def _lose_unwritten() -> None:
    """Loses log lines that can't be written: Python (3.14) would end with 120 instead of the exit status that the service manager goes by."""
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _raise_open_files() -> int:
    """Raises the limit of open files as far as is useful and allowed; gives the limit that holds."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return _OPEN_FILES if soft == resource.RLIM_INFINITY else soft
