"""The lines of README.md for installing by hand, word for word, in a new Debian."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import pacserve
from tests.e2e.conftest import require
from tests.e2e.lab.debian import RELEASES, Debian, checkout, missing
from tools.readme import Block, blocks

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]
# The words of the paragraphs before lines for a reader who installs without make or a package.
WORDS = ("By hand", "without pacman")


def ways() -> list[Block]:
    """The blocks of README.md with a way to install."""
    found = blocks((ROOT / "README.md").read_text(), "Install")
    return [block for block in found if any(words in block.introduction for words in WORDS)]


@pytest.mark.parametrize("way", range(len(ways())))
@pytest.mark.parametrize("version", RELEASES)
def test_by_hand(version: str, way: int, tmp_path: Path) -> None:
    """Each way ends with a pacserve that says its version and a service that answers after a boot; apt works then, and after the removal."""
    require(missing())
    host = Debian(version, tmp_path / "host")
    checkout(host.path / "root/pacserve")
    lines = ways()[way].commands("Debian")
    # The network is there before the machine has booted, systemd after that.
    of_systemd = [line for line in lines if line.startswith("systemctl ")]
    assert lines[-len(of_systemd) :] == tuple(of_systemd)
    for line in lines[: -len(of_systemd)]:
        host.run(line, "/root/pacserve")
    # apt of this host is configured, works, and goes direct: the service does not run in a folder.
    assert "/etc/apt/pacserve-proxy" in host.run("apt-config dump Acquire::http::Proxy-Auto-Detect && apt-get -q=2 update --error-on=any")
    assert host.run("pacserve --version") == f"pacserve {pacserve.__version__}\n"
    with host.booted() as machine:
        for line in of_systemd:
            machine.run(line)
        assert json.loads(machine.answer("/info"))["files"] == {}
        assert "pacserve" in machine.run("pacsrv status")
    host.run("make uninstall", "/root/pacserve")
    host.run("test ! -e /etc/apt/pacserve-proxy && test ! -e /etc/apt/apt.conf.d/30pacserve && apt-get -q=2 update --error-on=any")


def test_ways() -> None:
    """README.md has a way with pacman and one without."""
    assert len(ways()) == len(WORDS)
