"""The units in contrib/systemd/."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from configparser import ConfigParser
from pathlib import Path
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from pacserve.app.daemon import FAREWELL, GRACE, LAST_ANSWERS
from pacserve.config.settings import DEFAULT_SPOOL, DEFAULT_STATE
from tests.unit.contrib.test_apt import NOTICE

UNITS = Path(__file__).parents[3] / "contrib/systemd"


def unit(name: str) -> ConfigParser:
    """The last value where a key stands several times."""
    parser = ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNITS / name)
    return parser


class UnitTests(SynchronousTestCase):
    """What pacserve needs is granted."""

    @skipUnless(shutil.which("systemd-analyze"), "systemd is not there")
    def test_verify(self) -> None:
        """systemd knows every line of both units."""
        with tempfile.TemporaryDirectory() as folder:
            for name in ("pacserve.service", "pacserve.socket"):
                # The only thing that may differ on this machine.
                text = (UNITS / name).read_text().replace("/usr/bin/pacserve", shutil.which("true") or "/bin/true")
                (Path(folder) / name).write_text(text)
            done = subprocess.run(
                ["systemd-analyze", "--man=no", "verify", "./pacserve.service", "./pacserve.socket"],
                cwd=folder,
                check=False,
                capture_output=True,
                text=True,
            )
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_families(self) -> None:
        """The families that clients, getifaddrs(3) and the notifications need are allowed."""
        families = unit("pacserve.service")["Service"]["RestrictAddressFamilies"].split()
        self.assertEqual(sorted(families), ["AF_INET", "AF_INET6", "AF_NETLINK", "AF_UNIX"])

    def test_callbacks(self) -> None:
        """Memory may become executable: pyOpenSSL fails with MemoryError where it may not, and with it every https mirror."""
        self.assertNotIn("MemoryDenyWriteExecute", unit("pacserve.service")["Service"])

    def test_spool(self) -> None:
        """The only folders that may be written are where downloads and the history are kept by default."""
        service = unit("pacserve.service")["Service"]
        self.assertEqual((service["ProtectSystem"], f"/var/cache/{service['CacheDirectory']}"), ("strict", DEFAULT_SPOOL))
        self.assertEqual(f"/var/lib/{service['StateDirectory']}", DEFAULT_STATE)

    def test_notice(self) -> None:
        """The folder in which apt's configuration looks for the daemon is made, for everybody to look into, and removed when the daemon stops."""
        service = unit("pacserve.service")["Service"]
        self.assertEqual(f"/run/{service['RuntimeDirectory']}/apt", NOTICE)
        self.assertFalse({"RuntimeDirectoryMode", "RuntimeDirectoryPreserve"} & set(service))

    def test_no_restart(self) -> None:
        """Wrong options and a wrong configuration are not tried again and again."""
        service = unit("pacserve.service")["Service"]
        self.assertEqual(service["Restart"], "on-failure")
        self.assertEqual(sorted(service["RestartPreventExitStatus"].split()), ["2", "78"])

    def test_restart(self) -> None:
        """The service brings the socket up, is enabled together with it, and can do without; nothing ends it when the service restarts."""
        service, socket = unit("pacserve.service"), unit("pacserve.socket")
        self.assertEqual((service["Unit"]["Wants"], service["Install"]["Also"]), ("pacserve.socket", "pacserve.socket"))
        self.assertFalse({"PartOf", "BindsTo", "Requires", "StopPropagatedFrom"} & {*service["Unit"], *socket["Unit"]})
        self.assertFalse({"Service", "Accept", "FlushPending"} & set(socket["Socket"]))

    def test_time_to_stop(self) -> None:
        """The service manager waits for as long as the daemon may take to end."""
        seconds = int(unit("pacserve.service")["Service"]["TimeoutStopSec"].removesuffix("s"))
        self.assertGreater(seconds, GRACE + 2 * FAREWELL + LAST_ANSWERS)

    def test_socket(self) -> None:
        """The socket is on pacserve's port, takes both families, and queues as many connections as pacserve's own."""
        socket = unit("pacserve.socket")["Socket"]
        self.assertEqual(socket["ListenStream"], "15678")
        self.assertEqual(socket["BindIPv6Only"], "both")
        self.assertGreaterEqual(int(socket["Backlog"]), 1024)
