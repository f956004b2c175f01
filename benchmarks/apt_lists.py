"""The lists of apt: the time until a child has scanned one, and the memory and time that lookups cost."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from io import FileIO
from pathlib import Path

from benchmarks.lab import Lab
from benchmarks.report import Aim, Result
from pacserve.apt.index import Index, key_of

NAME = "apt-lists"
# Packages of Debian 12 main, and the lists of two releases for two architectures.
_PACKAGES = 63_440
_LISTS = 4
_LOOKUPS = 10_000
# Bytes of a package in such a list besides the fields that are read.
_DESCRIPTION = "\n".join([f" {'a line of a description ' * 3}"] * 6)


def measure(lab: Lab) -> Iterator[Result]:
    """Measures the scan of large lists, the size of an index, and what 10,000 lookups in all of them cost in this process."""
    lists = [_write(lab.path(f"list{number}") / "Packages", number) for number in range(1 if lab.quick else _LISTS)]
    lab.settle()
    taken, indexes = [], []
    for path in lists:
        index = path.with_suffix(".index")
        began = time.perf_counter()
        with index.open("wb") as output:
            subprocess.run([sys.executable, "-P", "-m", "pacserve.apt.scanning", str(path)], check=True, stdout=output)
        taken.append(time.perf_counter() - began)
        indexes.append(index)
    yield Result(NAME, f"a list of {_PACKAGES:,} packages scanned in a child", statistics.median(taken), "s", aim=Aim(2.5, least=False))
    yield Result(NAME, "its index", max(index.stat().st_size for index in indexes) / 1e6, "MB", aim=Aim(5.0, least=False))
    before = _resident()
    known = [Index(FileIO(index)) for index in indexes]
    times = []
    for lookup in range(_LOOKUPS):
        number = lookup * 7919 % _PACKAGES
        within, name = _path(number, lookup % len(known)), _name(number, lookup % len(known))
        began = time.perf_counter()
        key = key_of(within.encode())
        found = [one.find(key, name) for one in known]
        times.append(time.perf_counter() - began)
        if not any(found):
            raise AssertionError(f"{path} was not found")
    grown = _resident() - before
    for one in known:
        one.close()
    yield Result(NAME, f"a lookup in {len(known)} lists", statistics.median(times) * 1e6, "us", aim=Aim(50.0, least=False))
    yield Result(NAME, f"memory for {len(known)} lists, after {_LOOKUPS:,} lookups", grown, "MB", aim=Aim(12.0, least=False))


def _name(number: int, listed: int) -> str:
    return f"package{number}_1.{listed}.{number}-1_amd64.deb"


def _path(number: int, listed: int) -> str:
    return f"pool/main/p/package{number % 999}/{_name(number, listed)}"


def _write(path: Path, listed: int) -> Path:
    """Writes a list in the form of Debian's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for number in range(_PACKAGES):
            name = _path(number, listed)
            file.write(f"Package: package{number}\nVersion: 1.{listed}.{number}-1\nArchitecture: amd64\nDescription: a package\n{_DESCRIPTION}\n")
            file.write(f"Filename: {name}\nSize: {number + 1}\nSHA256: {sha256(name.encode()).hexdigest()}\n\n")
    return path


def _resident() -> float:
    """Returns the resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
