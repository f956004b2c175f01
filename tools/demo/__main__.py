"""The command: `python -m tools.demo [--keep]`."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from tests.e2e.lab import Lab, Site
from tests.e2e.lab.requirements import PREFIX, missing, remove_leftovers, trial
from tools.demo.outcome import summary, table
from tools.demo.repository import Repository
from tools.demo.upgrade import HOSTS, RTT_MS, WAN_MBIT, DemoError, Upgrades
from tools.demo.window import Window

_MEGABYTE = 1_000_000
# The port for the first host's status page; those of the others follow.
_PORT = 15681
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Runs the demo.

    Returns:
        The exit status: 0 if the demo was completed, 1 if it failed, 130 if it was interrupted.
    """
    parser = argparse.ArgumentParser(prog="make demo", description="Three hosts upgrade at the same moment, with and without pacserve.")
    parser.add_argument("--keep", action="store_true", help="leave the hosts running until Ctrl-C, to look at their status pages")
    keep = parser.parse_args(arguments).keep
    if reason := missing():
        return _refused(reason)
    with tempfile.TemporaryDirectory(prefix="pacserve-demo-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # pacman downloads as another user
        if reason := trial(folder / "trial"):
            return _refused(reason)
        for number in _ENDS:
            signal.signal(number, _interrupt)
        try:
            _play(folder, keep=keep)
        except KeyboardInterrupt:
            _say("Interrupted.")
            return EXIT_INTERRUPTED
        except (DemoError, RuntimeError, TimeoutError) as error:
            sys.stderr.write(f"make demo: {error}\n")
            return 1
        finally:
            # A second Ctrl-C must not interrupt the removal of the hosts.
            for number in _ENDS:
                signal.signal(number, signal.SIG_IGN)
    return 0


def _play(folder: Path, *, keep: bool) -> None:
    began = time.monotonic()
    remove_leftovers()
    _say("Making packages ...")
    repository = Repository(folder)
    size = repository.size / _MEGABYTE
    _say(f"A LAN of {HOSTS} hosts, and a mirror behind {WAN_MBIT} Mbit/s and {RTT_MS:.0f} ms: {len(repository.packages)} packages, {size:.1f} MB.")
    prefix = f"{PREFIX}-{os.getpid()}-demo"
    sites = [Site(80, repository.root)]
    with (
        contextlib.ExitStack() as windows,
        Lab(folder / "lan", prefix, repository.keyring, sites, hosts=HOSTS, wan_mbit=WAN_MBIT, rtt_ms=RTT_MS) as lan,
    ):
        upgrades = Upgrades(lan, repository, _say)
        upgrades.start_daemons()
        if keep:
            for host in lan.hosts:
                window = Window(host, _PORT + host.number - 1)
                windows.callback(window.close)
                _say(f"  status page of {host.name}: {window.url}")
        ours = upgrades.with_pacserve()
        theirs = upgrades.without()
        _say(f"\n{table([ours, theirs])}\n{summary(ours, theirs)}")
        _say(f"That took {time.monotonic() - began:.0f} s. The logs of the hosts: {lan.dir}/h*/log" if keep else "Removing the hosts ...")
        if keep:
            with contextlib.suppress(KeyboardInterrupt):
                _say("The hosts and their status pages stay up until Ctrl-C.")
                signal.pause()
            _say("Removing the hosts ...")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    for number in _ENDS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _refused(reason: str) -> int:
    sys.stderr.write(f"make demo: {reason.replace('end-to-end tests need', 'it needs')}\n")
    return 1


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
