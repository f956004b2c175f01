"""What all tests share: how many run at once, and that none fails because the machine is busy."""

from __future__ import annotations

import os
import shutil
import tempfile

import hypothesis
import pytest

# End-to-end tests wait most of the time: for a stalled source to count as stalled, for bytes behind a limit, for a file to be settled.
_TESTS_PER_CORE = 2

# Bytes that the labs of all processes need at most: eight hosts that upgrade at once have a package of 24 MB in their caches, spools and roots.
_ROOM = 2_000_000_000

# How long one example takes says more of the machine than of the code: a busy one must not fail a test.
hypothesis.settings.register_profile("pacserve", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("pacserve")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pacman7", metavar="DIR", nargs="?", const=".pacman7", help="test with pacman 7 of this Debian 13 folder (default: .pacman7)")
    parser.addoption("--apt3", metavar="DIR", nargs="?", const=".debian13", help="test with apt 3 of this Debian 13 folder (default: .debian13)")


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist nobody asks
def pytest_xdist_auto_num_workers() -> int:
    """Returns the number of processes for `-n auto`, which is what `make test` says."""
    return _TESTS_PER_CORE * len(os.sched_getaffinity(0))


def pytest_report_header() -> list[str]:
    """Returns what is said at the start: that there may be too little room for the folders of the tests."""
    folder = tempfile.gettempdir()
    return too_little_room(folder, shutil.disk_usage(folder).free)


def too_little_room(folder: str, free: int) -> list[str]:
    """Returns a line if so many bytes that are free in a folder may be too few."""
    if free >= _ROOM:
        return []
    return [f"room: {free / 1e9:.1f} GB are free in {folder}, tests need up to {_ROOM / 1e9:.1f} GB; TMPDIR=FOLDER names another folder"]
