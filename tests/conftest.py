"""What all tests share: how many run at once."""

from __future__ import annotations

import os

import pytest

# End-to-end tests wait most of the time: for a stalled source to count as stalled, for bytes behind a limit, for a file to be settled.
_TESTS_PER_CORE = 2


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist nobody asks
def pytest_xdist_auto_num_workers() -> int:
    """Returns the number of processes for `-n auto`, which is what `make test` says."""
    return _TESTS_PER_CORE * len(os.sched_getaffinity(0))
