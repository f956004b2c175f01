"""The checkout and its Python where every user of a host can read them, even if they are below a home of mode 0700."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

_CHECKOUT, _ENVIRONMENT, _PYTHON = Path("/run/pacserve-checkout"), Path("/run/pacserve-environment"), Path("/run/pacserve-python")
# What a host has there, by where it has it.
MOUNTED = {_CHECKOUT: Path(__file__).parents[3], _ENVIRONMENT: Path(sys.prefix), _PYTHON: Path(sys.base_prefix)}


def mounted_python() -> list[str]:
    """Returns the words that start Python on a host from there, with what is installed for the tests and with pacserve."""
    # The environment's own interpreter is a link to where others may not look.
    interpreter = _PYTHON / Path(sys.executable).resolve().relative_to(Path(sys.base_prefix).resolve())
    installed = _ENVIRONMENT / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    # One that is linked to its libpython looks for it where it was built, and would find the one of the system instead, or none.
    libraries = [] if sys.base_prefix == "/usr" else [f"LD_LIBRARY_PATH={_PYTHON}/lib"]
    return ["env", *libraries, f"PYTHONPATH={_CHECKOUT}:{installed}", str(interpreter)]
