"""The command: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import (
    apt,
    apt_lists,
    attacked,
    burst,
    crowd,
    fetching,
    files,
    growth,
    holdings,
    hostile,
    idle,
    latency,
    leaving,
    mirrors,
    redirects,
    restarts,
    slow_mirror,
    together,
    traffic,
    watched,
    weight,
)
from benchmarks.lab import Lab
from benchmarks.report import Result, as_json, closing, shown, table
from benchmarks.servers import BenchmarkError, SkippedError

BENCHMARKS: dict[str, Callable[[Lab], Iterator[Result]]] = {
    redirects.NAME: redirects.measure,
    files.LARGE: files.measure_large,
    files.SMALL: files.measure_small,
    fetching.NAME: fetching.measure,
    slow_mirror.NAME: slow_mirror.measure,
    latency.NAME: latency.measure,
    latency.MISS: latency.measure_miss,
    attacked.NAME: attacked.measure,
    burst.BURST: burst.measure_burst,
    burst.NOT_FOUND: burst.measure_not_found,
    idle.NAME: idle.measure,
    crowd.NAME: crowd.measure,
    holdings.NAME: holdings.measure,
    leaving.NAME: leaving.measure,
    hostile.NAME: hostile.measure,
    traffic.NAME: traffic.measure,
    together.NAME: together.measure,
    together.BUSY: together.measure_busy,
    mirrors.NAME: mirrors.measure,
    apt.NAME: apt.measure,
    restarts.NAME: restarts.measure,
    watched.NAME: watched.measure,
    weight.MEMORY: weight.measure_memory,
    weight.START: weight.measure_start,
    apt_lists.NAME: apt_lists.measure,
    growth.NAME: growth.measure,
}
# Benchmarks that take minutes, and run only if they are named.
_LONG = frozenset({apt.NAME, growth.NAME, hostile.NAME, mirrors.NAME, restarts.NAME, slow_mirror.NAME, together.NAME, together.BUSY})
# Seconds after which no further benchmark begins that was not named, so that all of them take less than 8 minutes on a slow machine, too.
_BUDGET = 360.0
# Load average of the last minute from which on figures are not to be trusted.
_BUSY_LOAD = 0.7
_PROGRAMS = ("nginx", "wrk", "taskset", "pacman-conf")


def main() -> int:
    """
    Runs the chosen benchmarks and prints each figure when it is measured, and all of them in a table at the end.

    Everything happens on 127.0.0.1 and in a temporary folder, and every process is ended, also on Ctrl-C.

    Returns:
        The exit status: 0 whether or not aims were met, 1 when something could not be measured.
    """
    options = _options()
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        sys.stderr.write(f"benchmarks: these programs are missing: {', '.join(missing)}\n")
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    busy = os.getloadavg()[0]
    if busy > _BUSY_LOAD:
        sys.stderr.write(f"The machine is busy with other work (load {busy:.1f}): the figures will mean little, and rates less than CPU times.\n")
    took: dict[str, float] = {}
    results: list[Result] = []
    failed = 0
    chosen = options.name or [name for name in BENCHMARKS if name not in _LONG]
    for number, name in enumerate(chosen, 1):
        if not options.name and sum(took.values()) > _BUDGET:
            break
        sys.stderr.write(f"{name} ({number} of {len(chosen)}) ...\n")
        started = time.monotonic()
        try:
            with tempfile.TemporaryDirectory(prefix="pacserve-bench-") as folder, Lab(Path(folder), quick=options.quick) as lab:
                results.extend(shown(BENCHMARKS[name](lab), sys.stdout))
        except BenchmarkError as error:
            sys.stderr.write(f"benchmarks: {name}: {error}\n")
            failed = 1
        except SkippedError as error:
            sys.stderr.write(f"benchmarks: {name} was skipped: {error}\n")
        except KeyboardInterrupt:
            return 128 + signal.SIGINT
        took[name] = time.monotonic() - started
    print(table(results), end="")
    print(closing(took, [] if options.name else [name for name in BENCHMARKS if name not in took]))
    if options.json is not None:
        options.json.write_text(as_json(results), "utf-8")
    return failed


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures pacserve against nginx, on loopback.")
    default = f"default: all but {', '.join(sorted(_LONG))}"
    parser.add_argument("name", nargs="*", choices=[*BENCHMARKS, []], help=f"what to measure ({default}): {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="rough figures: one short repetition, fewer peers")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the unrounded figures to this file as well")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
