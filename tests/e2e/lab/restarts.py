"""Upgrades by real pacman during which the daemon is restarted."""

from __future__ import annotations

import random
import shutil
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.e2e.lab.host import Host
from tests.e2e.lab.service import Service

# Upgrades without a restart, which say how long one takes.
_TRIALS = 3
# The part of an upgrade's time after its beginning in which the restart falls.
_SPREAD = 1.1


@dataclass(frozen=True, slots=True)
class Upgrade:
    """
    An upgrade during which the daemon was restarted.

    Attributes:
        closed: The seconds in which nothing listened on the port.
    """

    status: int
    seconds: float
    closed: float
    output: str


def restarted(service: Service, host: Host, names: Sequence[str], count: int) -> Iterator[Upgrade]:
    """Upgrades a host so many times, each time from nothing and with a restart of its daemon at a random moment."""
    chance = random.Random(count)
    usual = statistics.median(_upgrade(host, names).seconds for _ in range(_TRIALS))
    for _ in range(count):
        yield _upgrade(host, names, service, chance.uniform(0, usual * _SPREAD))


def _upgrade(host: Host, names: Sequence[str], service: Service | None = None, moment: float = 0.0) -> Upgrade:
    """Upgrades a host on which nothing is installed, and restarts its daemon at a moment after the beginning."""
    _forget(host)
    closed: list[float] = []

    def restart() -> None:
        time.sleep(moment)
        if service is not None:
            closed.append(service.restart())

    restarting = threading.Thread(target=restart)
    began = time.monotonic()
    restarting.start()
    done = host.pacman("-Sy", *names, check=False)
    seconds = time.monotonic() - began
    restarting.join()
    return Upgrade(done.returncode, seconds, sum(closed), done.stdout + done.stderr)


def _forget(host: Host) -> None:
    """Makes the host one on which nothing is installed, and of which neither pacman nor the daemon has kept a file."""
    for folder in (host.root, host.dir / "db" / "local", *host.pkg.iterdir()):
        if folder.is_dir():
            shutil.rmtree(folder)
        else:
            folder.unlink(missing_ok=True)
    host.root.mkdir()
    spooled = host.dir / "spool" / "pkg"
    for path in spooled.iterdir() if spooled.exists() else ():
        path.unlink(missing_ok=True)
