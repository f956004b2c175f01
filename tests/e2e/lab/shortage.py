"""Hosts whose CPU is short: control groups that confine what runs on a host to a part of one core."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
# Microseconds of the period for which CPU time is given out: the kernel's own default, which is what services and containers are confined by.
_PERIOD_US = 100_000
# Seconds until the last process of a group has gone that was killed.
_REMOVAL_TIMEOUT = 5.0


class CPUQuota:
    """
    A control group whose processes get a part of one core between them, by cgroup v2 (`cpu.max`) or v1 (`cpu.cfs_quota_us`).

    Args:
        name: No other group has it.
        share: Of one core: a quarter of a second each second is 0.25.

    Raises:
        OSError: This machine lets nobody make groups.
    """

    def __init__(self, name: str, share: float) -> None:
        hierarchy = _hierarchy()
        self._path = hierarchy / name
        self._path.mkdir()
        quota = int(share * _PERIOD_US)
        if hierarchy == _ROOT:
            (self._path / "cpu.max").write_text(f"{quota} {_PERIOD_US}")
        else:
            (self._path / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
            (self._path / "cpu.cfs_quota_us").write_text(str(quota))

    def take(self, pid: int) -> None:
        """Confines a process, and what it starts from now on."""
        (self._path / "cgroup.procs").write_text(str(pid))

    def remove(self) -> None:
        """Removes the group, once its last process has gone."""
        deadline = time.monotonic() + _REMOVAL_TIMEOUT
        while (self._path / "cgroup.procs").read_text() and time.monotonic() < deadline:
            time.sleep(0.02)
        self._path.rmdir()


def why_not() -> str:
    """Returns why no CPU can be made short here, in words; empty where it can."""
    try:
        CPUQuota(f"pacserve-trial-{os.getpid()}", 0.25).remove()
    except OSError as error:
        return f"a short CPU needs a writable cgroup hierarchy with the cpu controller: {error}"
    return ""


def remove_groups(prefix: str) -> None:
    """Removes the groups of test runs that were killed: their names begin with the prefix and the run's process id."""
    for path in [*_ROOT.glob(f"{prefix}-*"), *(_ROOT / "cpu").glob(f"{prefix}-*")]:
        owner = re.match(rf"{prefix}-(\d+)-", path.name)
        if owner and not Path(f"/proc/{owner[1]}").exists() and not (path / "cgroup.procs").read_text():
            path.rmdir()


def _hierarchy() -> Path:
    """Returns the folder in which groups are made."""
    if not (_ROOT / "cgroup.controllers").exists():
        return _ROOT / "cpu"
    (_ROOT / "cgroup.subtree_control").write_text("+cpu")
    return _ROOT
