"""The configuration of apt in contrib/apt/: the file for apt.conf.d, and the script that it names."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

APT = Path(__file__).parents[3] / "contrib/apt"
NOTICE = "/run/pacserve/apt"
URL = "http://127.0.0.1:9988"
PROXY = re.compile(r"http://(?:127\.0\.0\.1|\[::1\]):[0-9]{1,5}\n|")


def started(pid: int) -> str:
    """When a process was started, as the kernel counts."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[19]


class ScriptTests(SynchronousTestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.notice = Path(temporary.name) / "apt"
        self.script = Path(temporary.name) / "pacserve-proxy"
        self.script.write_text((APT / "pacserve-proxy").read_text().replace(NOTICE, str(self.notice)))
        self.script.chmod(0o755)
        self.me = f"{os.getpid()} {started(os.getpid())}"

    def said(self, notice: str | bytes | None = None) -> str:
        """What the script says, with that text in the file of the daemon, which answers for all; it always ends well, and never complains."""
        if notice is not None:
            self.notice.write_bytes(f"{notice}*\n".encode() if isinstance(notice, str) else notice)
        done = subprocess.run([self.script, "http://deb.debian.org/debian/"], capture_output=True, text=True, check=False, timeout=10)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_runs(self) -> None:
        """While the daemon runs it says the URL of the daemon, by either address of this host."""
        for url in (URL, "http://[::1]:15680"):
            self.assertEqual(self.said(f"{url} {self.me}\n"), f"{url}\n")

    def test_absent(self) -> None:
        """Without a daemon it says nothing at all, not even an empty line, of which apt would warn."""
        self.assertEqual(self.said(), "")

    def test_ended(self) -> None:
        """A daemon that was killed is not named, whether its number is free, another program's, or still in the table of the kernel."""
        with subprocess.Popen(["sleep", "60"]) as process:
            notice = f"{URL} {process.pid} {started(process.pid)}\n"
            self.assertEqual(self.said(notice), f"{URL}\n")
            process.kill()
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            self.assertEqual(self.said(notice), "", "nobody has asked for its exit status")
        self.assertEqual(self.said(notice), "")
        self.assertEqual(self.said(f"{URL} {os.getpid()} {int(started(os.getpid())) - 1}\n"), "")

    def test_garbage(self) -> None:
        """Nothing but a URL of this host is ever said."""
        for url in (
            "http://192.0.2.1:9988",
            "https://127.0.0.1:9988",
            "http://127.0.0.1:",
            "http://127.0.0.1:99999999",
            "http://127.0.0.1:1@evil:80",
        ):
            self.assertEqual(self.said(f"{url} {self.me}\n"), "", url)
        for notice in (
            "\n",
            URL,
            f"{URL}\n",
            f"{URL} {self.me}",
            f"{URL} {self.me} more\n",
            f"{URL} ../../1 1\n",
            f"{URL} * *\n",
            f"$(id) {self.me}\n",
        ):
            self.assertEqual(self.said(notice), "", notice)

    @given(
        st.one_of(
            st.binary(), st.lists(st.sampled_from([URL, "ME", " ", "\n", "http://[::1]:", "*", "1", "\0", "`id`", "\\"]), max_size=9).map("".join)
        )
    )
    @settings(max_examples=60, deadline=None)
    def test_foreign_bytes(self, notice: str | bytes) -> None:
        """Any bytes make it say a URL of this host, or nothing."""
        self.assertIsNotNone(PROXY.fullmatch(self.said(notice.replace("ME", self.me) if isinstance(notice, str) else notice)))

    @given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
    @settings(max_examples=60, deadline=None)
    def test_foreign_url(self, url: str) -> None:
        """For any URL it says nothing where the daemon does not answer for that host."""
        self.notice.write_text(f"{URL} {self.me}\ndeb.debian.org\n")
        done = subprocess.run([self.script, f"http://x{url}"], capture_output=True, text=True, check=False, timeout=10)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_no_file(self) -> None:
        """What is no file is not read: apt would wait for ever."""
        os.mkfifo(self.notice)
        self.assertEqual(self.said(), "")

    def test_other_shell(self) -> None:
        """It does not depend on the shell that Debian has."""
        self.notice.write_text(f"{URL} {self.me}\n*\n")
        for shell in ("bash", "busybox"):
            words = [shell, *(["sh"] if shell == "busybox" else []), str(self.script)]
            try:
                done = subprocess.run(words, capture_output=True, text=True, check=False)
            except FileNotFoundError:
                continue
            self.assertEqual((done.stdout, done.stderr), (f"{URL}\n", ""))


class FileTests(SynchronousTestCase):
    def test_names_the_script(self) -> None:
        """It sets one option, which names the script beside apt.conf.d."""
        lines = [line for line in (APT / "30pacserve").read_text().splitlines() if not line.startswith("//")]
        self.assertEqual(lines, ['Acquire::http::Proxy-Auto-Detect "/etc/apt/pacserve-proxy";'])

    def test_executable(self) -> None:
        """The script can be started: apt fails where it can't."""
        self.assertTrue(os.access(APT / "pacserve-proxy", os.X_OK))
        text = (APT / "pacserve-proxy").read_text()
        self.assertIn(f"\nnotice={NOTICE}\n", text)
        self.assertNotIn("/etc/apt", text, "make uninstall keeps what a changed file names")
