"""The check that every end-to-end test ends with."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.e2e.lab import Lab, Program, command
from tests.e2e.lab.logs import Logs

PLANTED = """
import sys, gc
from twisted.internet import defer
from pacserve.app import daemon
prepare = daemon.Daemon._prepare
async def unheard(self):
    defer.fail(ZeroDivisionError("planted"))
    gc.collect()
    await prepare(self)
daemon.Daemon._prepare = unheard
from pacserve.cli.pacserve import main
sys.exit(main())
"""


def test_found(tmp_path: Path) -> None:
    """A traceback and an unhandled error are found with the lines around them, each once, and nothing is found in other lines."""
    log = tmp_path / "h1" / "log" / "pacserve.log"
    log.parent.mkdir(parents=True)
    logs = Logs()
    log.write_text("[info] GET /package/a: 200\n[warn] the disk is full\n")
    assert logs.defects([tmp_path]) == []
    with log.open("a") as file:
        file.write("[critical] GET /package/b failed\nTraceback (most recent call last):\nbuiltins.ZeroDivisionError: 1\n")
    (found,) = logs.defects([tmp_path])
    assert "GET /package/b failed" in found
    assert "ZeroDivisionError" in found
    assert logs.defects([tmp_path]) == []
    with log.open("a") as file:
        file.write("[critical] Unhandled error in Deferred\n")
    assert len(logs.defects([tmp_path])) == 1


def test_planted(lab: Lab) -> None:
    """An error of a real daemon that nobody hears fails its test."""
    host, _ = lab.hosts
    words = command()
    daemon = Program(host, [sys.executable, "-c", PLANTED, *words[words.index("pacserve") + 1 :]], host.dir / "log" / "pacserve.log", 15678)
    daemon.wait_for("planted", 10)
    assert any("ZeroDivisionError" in defect for defect in Logs().defects([lab.dir]))
    daemon.log.write_text("")  # or this test would fail by the check that it is about
