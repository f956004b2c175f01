"""What the lab needs of the machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.e2e.lab.host import DATABASE_DIR, PACKAGE_DIR
from tests.e2e.lab.namespace import remove_networks, sh
from tests.e2e.lab.shortage import remove_groups

_TOOLS = ("gpg", "gpgconf", "ip", "mount", "nft", "nginx", "nsenter", "pacman", "pacman-conf", "setpriv", "ss", "sysctl", "tc", "unshare")
_TRIAL = """set -e; cd "$1"; mkdir upper work
mount -t overlay overlay -o lowerdir=/etc,upperdir=upper,workdir=work /etc; touch /etc/pacserve-trial
mount -t tmpfs tmpfs /run; mount -t sysfs sysfs /sys; sysctl -qw net.ipv4.ip_forward=1
ip link add trial0 type veth peer name trial1; ip link add trial2 type bridge"""
PREFIX = "pacserve-e2e"


@cache
def missing() -> str:
    """What keeps the end-to-end tests from running here, in words; empty when nothing does."""
    if os.geteuid() != 0:
        return "end-to-end tests need root"
    absent = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if absent:
        return f"end-to-end tests need {', '.join(absent)}"
    folders = [folder for folder in (PACKAGE_DIR, DATABASE_DIR) if not Path(folder).is_dir()]
    if folders:
        return f"end-to-end tests need {', '.join(folders)}, which pacman's package brings"
    return ""


def trial(directory: Path) -> str:
    """Why namespaces and mounts can't be made here, in words; empty when they can."""
    directory.mkdir()
    done = subprocess.run(
        ["unshare", "--net", "--mount", "--uts", "--propagation", "private", "--", "sh", "-c", _TRIAL, "sh", str(directory)],
        capture_output=True,
        text=True,
        check=False,
    )
    needed = "namespaces, overlay mounts, a writable /proc/sys/net, veth and bridge"
    return f"end-to-end tests need {needed}: {done.stderr.strip()}" if done.returncode else ""


def remove_leftovers() -> None:
    """Removes the labs of test runs that were killed."""
    known = [line.split()[0] for line in sh("ip netns list", check=False).stdout.splitlines() if line.strip()]
    owners = {name: re.match(rf"{PREFIX}-(\d+)-", name) for name in known}
    remove_networks([name for name, owner in owners.items() if owner and not Path(f"/proc/{owner[1]}").exists()])
    remove_groups(PREFIX)
