"""Checks the host of a daemon, by those checks of `pacsrv doctor` that ask no other host: here both programs meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pacserve.report.status import FindingStatus, Status


def examine(status: Status, wall: Callable[[], float]) -> Sequence[FindingStatus]:
    """
    Returns the troubles of the host that a daemon runs on.  It reads files and runs `pacman-conf`, so it belongs into a thread.

    Args:
        status: The state of the daemon.
        wall: Returns the seconds since the epoch.
    """
    # Imported with the first call, which comes when the daemon answers already.
    from pacserve.pacsrv.doctor import DAEMON_CHECKS, troubles
    from pacserve.pacsrv.doctor import examine as run_checks
    from pacserve.pacsrv.gathering import gather_here
    from pacserve.pacsrv.pacman import LocalFiles

    return troubles(run_checks(gather_here(status, LocalFiles(regular_only=True), wall), DAEMON_CHECKS))
