"""The pacman of this machine."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence

# Seconds.
_PATIENCE = 10.0
_VERSION = re.compile(r"Pacman v(\d{1,4})\.(\d{1,4})")
_CACHE_SERVER_SINCE = (6, 1)


def pacman_version() -> tuple[int, int] | None:
    """Major and minor version; None where there is no pacman, or it does not say."""
    match = _VERSION.search(output_of(("pacman", "--version")) or "")
    return (int(match[1]), int(match[2])) if match is not None else None


def knows_cache_server(version: tuple[int, int] | None) -> bool:
    """Returns whether a pacman of that version does not ignore CacheServer; of one that is not known it is assumed."""
    return version is None or version >= _CACHE_SERVER_SINCE


def output_of(command: Sequence[str]) -> str | None:
    """What a command prints; None where it fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
