"""The configuration of apt in contrib/apt/ under a real apt, whose own configuration and state are folders of the test."""

from __future__ import annotations

import email.utils
import hashlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pacserve.app.apt_notice import AptNotice
from tests.e2e.conftest import require
from tests.unit.contrib.test_apt import APT, NOTICE

# Seconds in which apt is done when it waits for nobody; for a proxy that is down it waits for seven.
AT_ONCE = 4.0
CONFIGURATION = """\
Dir::Etc "{folder}/etc";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::parts "{folder}/etc/apt.conf.d";
Dir::State "{folder}/state";
Dir::State::status "/dev/null";
Dir::Cache "{folder}/cache";
Dir::Log "{folder}";
APT::Sandbox::User "root";
APT::Architecture "amd64";
Acquire::Languages "none";
"""


class Mirror:
    """
    A mirror with an empty repository, or a proxy that answers for it.

    Attributes:
        asked: The targets of the requests.
        url: Its own.
    """

    def __init__(self, address: str) -> None:
        self.asked: list[str] = []
        packages = b""
        release = f"Date: {email.utils.formatdate(usegmt=True)}\nSHA256:\n {hashlib.sha256(packages).hexdigest()} {len(packages)} Packages\n".encode()
        asked = self.asked

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                asked.append(self.path)
                body = {"Release": release, "Packages": packages}.get(self.path.rpartition("/")[2])
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the standard library
                pass

        self._server = ThreadingHTTPServer((address, 0), Answer)
        self.url = f"http://{address}:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Answers no more."""
        self._server.shutdown()
        self._server.server_close()


class Apt:
    """An apt with pacserve's configuration, a source at `mirror`, and a `proxy` in the place of pacserve."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mirror, self.proxy = Mirror("127.0.0.3"), Mirror("127.0.0.1")
        for name in ("etc/apt.conf.d", "state/lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True)
        (folder / "apt.conf").write_text(CONFIGURATION.format(folder=folder))
        (folder / "etc/sources.list").write_text(f"deb [trusted=yes] {self.mirror.url} ./\n")
        self.script, self.file = folder / "etc/pacserve-proxy", folder / "etc/apt.conf.d/30pacserve"
        self.file.write_text((APT / "30pacserve").read_text().replace("/etc/apt/pacserve-proxy", str(self.script)))
        self.script.write_text((APT / "pacserve-proxy").read_text().replace(NOTICE, str(folder / "run/apt")))
        self.script.chmod(0o755)
        self.notice = AptNotice(None, folder / "run")

    def update(self, **environment: str) -> int:
        """The exit status of apt-get update, which has nothing to complain of where that is 0, and is done at once."""
        self.mirror.asked.clear()
        self.proxy.asked.clear()
        begin = time.monotonic()
        env = {"PATH": os.environ["PATH"], "APT_CONFIG": str(self.folder / "apt.conf"), "LC_ALL": "C", **environment}
        done = subprocess.run(["apt-get", "update", "--error-on=any"], env=env, capture_output=True, text=True, timeout=60, check=False)
        assert time.monotonic() - begin < AT_ONCE, done.stdout
        assert done.returncode or not done.stderr, done.stderr
        return done.returncode

    def way(self) -> str:
        """Where the requests of the last update went."""
        assert not (self.mirror.asked and self.proxy.asked)
        return "direct" if self.mirror.asked else "proxy" if self.proxy.asked else "nowhere"


@pytest.fixture
def apt(tmp_path: Path) -> Iterator[Apt]:
    require("" if shutil.which("apt-get") else "apt is not there")
    found = Apt(tmp_path)
    yield found
    found.mirror.close()
    found.proxy.close()


def test_there_and_gone(apt: Apt) -> None:
    """apt goes direct without a daemon, asks it while it is there, and goes direct at once when it has stopped or was killed."""
    assert (apt.update(), apt.way()) == (0, "direct")
    apt.notice.publish(apt.proxy.url)
    assert (apt.update(), apt.way()) == (0, "proxy")
    assert apt.proxy.asked[0].startswith(apt.mirror.url)
    apt.notice.withdraw()
    assert (apt.update(), apt.way()) == (0, "direct")
    with subprocess.Popen(["sleep", "60"]) as daemon:
        started = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(") ")[2].split()[19]
        (apt.folder / "run/apt").write_text(f"{apt.proxy.url} {daemon.pid} {started}\n*\n")
        assert (apt.update(), apt.way()) == (0, "proxy")
        daemon.kill()
    assert (apt.update(), apt.way()) == (0, "direct")


def test_other_hosts(apt: Apt) -> None:
    """A host that belongs to no source of the daemon is asked as without pacserve."""
    apt.notice.publish(apt.proxy.url, ["deb.debian.org"])
    assert (apt.update(), apt.way()) == (0, "direct")
    apt.notice.publish(apt.proxy.url, ["deb.debian.org", apt.mirror.url.removeprefix("http://")])
    assert (apt.update(), apt.way()) == (0, "proxy")


def test_proxy_of_the_network(apt: Apt) -> None:
    """Without a daemon apt asks the proxy that it would ask without pacserve's configuration."""
    assert (apt.update(http_proxy=apt.proxy.url), apt.way()) == (0, "proxy")
    (apt.file.parent / "20proxy").write_text(f'Acquire::http::Proxy "{apt.proxy.url}";\n')
    assert (apt.update(), apt.way()) == (0, "proxy")


def test_garbage(apt: Apt) -> None:
    """Whatever the file of the daemon says, apt works."""
    apt.notice.publish(apt.proxy.url)
    for data in (b"", b"\n", b"http://192.0.2.1:80 1 1\n", os.urandom(4096), b"http://127.0.0.1:9988 " * 10000):
        (apt.folder / "run/apt").write_bytes(data)
        assert (apt.update(), apt.way()) == (0, "direct")


def test_half(apt: Apt) -> None:
    """The script alone does no harm; without it apt fails, so that it comes first and goes last."""
    text = apt.file.read_text()
    apt.file.unlink()
    assert (apt.update(), apt.way()) == (0, "direct")
    # What a setup and dpkg leave beside it for a moment, or for longer.
    for name in (".30pacserve.pacsrv-new-x", "30pacserve.dpkg-bak", "30pacserve.dpkg-tmp", ".30pacserve.pacserve-new"):
        (apt.file.parent / name).write_text('Acquire::http::Proxy-Auto-Detect "/nowhere";\n')
    assert (apt.update(), apt.way()) == (0, "direct")
    apt.file.write_text(text)
    apt.script.unlink()
    assert apt.update() == 100
