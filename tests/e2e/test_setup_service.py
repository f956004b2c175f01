"""pacsrv setup and its undo under a systemd that was really booted, in a container of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, require

# Seconds: a boot takes five on a machine that is not busy.
BOOT = 120
UNITS = "pacserve.service pacserve.socket"
# Where the container sees this checkout: /tmp is another one there.
CHECKOUT = "/mnt/checkout"
PACSRV = f"PYTHONPATH={CHECKOUT} PYTHONPYCACHEPREFIX=/run {{python}} -m pacserve.cli.pacsrv setup --skip configuration --skip firewall"

# The real units need a daemon that is installed; what setup does with them does not depend on what they start.
SERVICE = "[Service]\nExecStart=sleep infinity\n[Install]\nWantedBy=multi-user.target\nAlso=pacserve.socket\n"
SOCKET = "[Socket]\nListenStream=127.0.0.1:15678\n[Install]\nWantedBy=sockets.target\n"
PROBE = "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/sh /probe.sh\n"
TARGET = "[Unit]\nRequires=sysinit.target\nWants=probe.service\nAfter=sysinit.target probe.service\n"
SCRIPT = """
exec > /probe.log 2>&1
state() { echo "$1:" $(systemctl is-enabled pacserve.service) $(systemctl is-active pacserve.service) $(systemctl is-active pacserve.socket); }
state before
PACSRV --yes; echo "status $?"; state setup
PACSRV | sed 's/^/again: /'
PACSRV --undo --yes; echo "status $?"; state undo
systemctl start pacserve.service
PACSRV --yes; PACSRV --undo --yes; state user
systemctl stop pacserve.socket pacserve.service
systemctl mask pacserve.service
PACSRV | sed 's/^/masked: /'
ls /var/lib/pacsrv
systemctl poweroff --force
"""
OPTIONS = "--register=no --keep-unit systemd.unit=probe.target"
# An overlay of the whole machine, with all that is written in memory; it goes with the mount namespace.
BOOTING = """set -e
mount -t tmpfs tmpfs {dir}; mkdir {dir}/upper {dir}/work {dir}/root
mount -t overlay overlay -o lowerdir=/,upperdir={dir}/upper,workdir={dir}/work {dir}/root
mkdir -p {dir}/root{checkout} {dir}/root/usr/lib/systemd/system
cp {files}/probe.sh {dir}/root/
cp {files}/*.service {files}/*.socket {files}/*.target {dir}/root/usr/lib/systemd/system/
systemd-nspawn --quiet --directory={dir}/root --bind-ro={source}:{checkout} --boot --private-network {options} || :
cat {dir}/root/probe.log
"""


@pytest.mark.long
def test_service(tmp_path: Path) -> None:
    """Setup enables and starts the service, a second one does nothing, and undo takes back no more than that."""
    require("" if shutil.which("systemd-nspawn") else "systemd-nspawn is not there: install systemd-container")
    python = str(Path(sys.executable)).replace(str(ROOT), CHECKOUT)
    files, directory = tmp_path / "files", tmp_path / "container"
    files.mkdir()
    directory.mkdir()
    texts = {"pacserve.service": SERVICE, "pacserve.socket": SOCKET, "probe.service": PROBE, "probe.target": TARGET}
    for name, text in texts.items():
        (files / name).write_text(text)
    (files / "probe.sh").write_text(SCRIPT.replace("PACSRV", PACSRV.format(python=python)))
    script = BOOTING.format(dir=directory, files=files, source=ROOT, checkout=CHECKOUT, options=OPTIONS)
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=BOOT, check=False)
    said = done.stdout[done.stdout.find("before:") :]
    require("" if said.startswith("before:") else f"systemd does not boot in a container here: {done.stderr.strip()[-300:]}")
    lines = said.splitlines()
    states = {line.partition(":")[0]: line.partition(": ")[2] for line in lines if line.count(" ") == 3}
    assert states["before"] == "disabled inactive inactive", said
    assert states["setup"] == "enabled active inactive"
    assert states["undo"] == "disabled inactive inactive"
    assert states["user"] == "disabled active inactive", "what the user started is the user's"
    assert lines.count("status 0") == 2
    assert "again: Nothing to do." in lines
    assert any(line.startswith("masked: ") and "unmask" in line for line in lines)
    assert any("/var/lib/pacsrv" in line and "No such file" in line for line in lines), "no record is left"
