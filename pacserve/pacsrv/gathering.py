"""Gathers the facts that the doctor judges, from this machine and from other hosts."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from pacserve.errors import reason_of
from pacserve.pacsrv.answering import decoded
from pacserve.pacsrv.asking import ANSWER_TIMEOUT, Daemon, SilentError
from pacserve.pacsrv.clocks import ask_clocks
from pacserve.pacsrv.configuration import ConfigurationFiles, Resolved, Section, parse_resolved, read_lines, read_sections
from pacserve.pacsrv.facts import Facts, Folder
from pacserve.pacsrv.folders import free_space, look_at
from pacserve.pacsrv.gathering_apt import gather_apt, gather_apt_here
from pacserve.pacsrv.pacman import output_of, pacman_version
from pacserve.pacsrv.process import User, listener
from pacserve.pacsrv.words import DEFAULT_CONFIGURATION
from pacserve.report.status import Status


def gather(daemon: Daemon, files: ConfigurationFiles, environment: Mapping[str, str], wall: Callable[[], float]) -> Facts:
    """Returns everything that the checks judge; takes some seconds where other hosts do not answer."""
    silence, status, no_status = _ask(daemon)
    configuration = DEFAULT_CONFIGURATION if status is None else status.host.pacman_conf
    sections, unreadable = _sections(configuration, files)
    printed = output_of(("pacman-conf", "--config", configuration))
    resolved = parse_resolved(printed) if printed is not None else Resolved()
    cache_dirs = resolved.cache_dirs if status is None or not status.host.cache_dirs else status.host.cache_dirs
    user = listener(daemon.port)
    return Facts(
        port=daemon.port,
        now=wall(),
        silence=silence,
        status=status,
        no_status=no_status,
        environment=environment,
        pacman=pacman_version(),
        configuration=configuration,
        sections=sections,
        unreadable=unreadable,
        signature_levels=resolved.signature_levels,
        xfer_command=resolved.xfer_command,
        cache_dirs=tuple(look_at(path, user) if not silence else Folder(path, free=free_space(path)) for path in cache_dirs),
        spool=_spool(status),
        clocks=ask_clocks(status, environment, wall) if status is not None else (),
        apt=gather_apt(daemon, user),
    )


def gather_here(status: Status, files: ConfigurationFiles, wall: Callable[[], float]) -> Facts:
    """
    Returns the facts that a daemon finds out by itself: no host is asked, this one included.

    Args:
        status: The state of the daemon that calls, whose user's rights count.
    """
    host, user = status.host, User(os.geteuid(), frozenset({os.getegid(), *os.getgroups()}))
    sections, unreadable = (None, host.no_pacman) if host.no_pacman else _sections(host.pacman_conf, files)
    printed = None if host.no_pacman else output_of(("pacman-conf", "--config", host.pacman_conf))
    asked_version = any(section.cache_servers for section in sections or ())
    return Facts(
        port=host.port,
        now=wall(),
        status=status,
        pacman=pacman_version() if asked_version else None,
        configuration=host.pacman_conf,
        sections=sections,
        unreadable=unreadable,
        xfer_command="" if printed is None else parse_resolved(printed).xfer_command,
        cache_dirs=tuple(look_at(path, user) for path in host.cache_dirs),
        spool=_spool(status),
        apt=gather_apt_here(),
    )


def _spool(status: Status | None) -> Folder | None:
    if status is None or status.spool is None:
        return None
    return Folder(status.spool.directory, free=free_space(status.spool.directory))


def _ask(daemon: Daemon) -> tuple[str, Status | None, str]:
    """Returns why the daemon is silent, its state, and why it does not tell its state; what does not apply is empty or None."""
    try:
        # No pacman waits for this: on a busy host a late answer is still one.
        daemon.check(ANSWER_TIMEOUT)
    except SilentError as error:
        return str(error), None, ""
    try:
        return "", decoded(daemon.status(), Status), ""
    except SilentError as error:
        return "", None, str(error)


def _sections(configuration: str, files: ConfigurationFiles) -> tuple[tuple[Section, ...] | None, str]:
    """Returns the repositories of pacman.conf, or why they can't be read."""
    try:
        return tuple(read_sections(read_lines(configuration, files), files)), ""
    except OSError as error:
        return None, reason_of(error, configuration)
