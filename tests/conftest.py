"""What all tests share: how many run at once, and that none fails because the machine is busy."""

from __future__ import annotations

import os

import hypothesis
import pytest

# End-to-end tests wait most of the time: for a stalled source to count as stalled, for bytes behind a limit, for a file to be settled.
_TESTS_PER_CORE = 2

# How long one example takes says more of the machine than of the code: a busy one must not fail a test.
hypothesis.settings.register_profile("pacserve", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("pacserve")


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist nobody asks
def pytest_xdist_auto_num_workers() -> int:
    """Returns the number of processes for `-n auto`, which is what `make test` says."""
    return _TESTS_PER_CORE * len(os.sched_getaffinity(0))
