"""What people see of a daemon that works: the page while something is downloaded, and what is still known after a restart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import Daemon, Host, Lab, small_packages, wait_until
from tests.e2e.lab.slowness import limit
from tests.e2e.test_page import browser, until_live
from tools.demo.window import Window

__all__ = ["browser"]

NAMES = small_packages()[:5]


def fetching(host: Host) -> Daemon:
    """A daemon that fetches."""
    return Daemon(host, "--misses", "fetch", "--spool", str(host.dir / "spool"))


def status(host: Host) -> dict[str, dict[str, object]]:
    """What the daemon tells of itself."""
    answer = host.request("/status")
    assert answer.status == 200
    told: dict[str, dict[str, object]] = json.loads(answer.body)
    return told


@pytest.fixture
def slow(make_lab: MakeLab) -> Iterator[Lab]:
    """A LAN behind a thin line."""
    yield make_lab(wan_mbit=30)


def test_live_progress(slow: Lab, browser: Chrome) -> None:
    """While pacman downloads, the page shows it and moves, without being loaded again."""
    host, _ = slow.hosts
    daemon = fetching(host)
    host.pacman("-Sy")
    with closing(Window(host, 0)) as window:
        browser.get(window.url)
        until_live(browser)
        browser.execute_script("window.loadedOnce = true")
        pacman = host.spawn(["pacman", "--noconfirm", "--noprogressbar", "-S", "big"], log=host.dir / "log" / "p.log")
        seen: list[float] = []

        def moved() -> bool:
            bars = browser.find_elements(By.CSS_SELECTOR, "#transfers progress")
            if bars:
                seen.append(float(bars[0].get_attribute("value") or 0))
            return len(set(seen)) >= 4

        wait_until(moved, "the progress to move", 30)
        assert seen == sorted(seen)
        assert pacman.wait(limit(60)) == 0
        wait_until(lambda: "mirror" in browser.find_element(By.ID, "recent").text, "the request to be listed", 10)
        assert browser.execute_script("return window.loadedOnce") is True
        assert [entry["message"] for entry in browser.get_log("browser")] == []
        browser.get("about:blank")
    daemon.stop()


def test_history(lab: Lab) -> None:
    """What was counted is still known after a restart, and after a crash what was counted a minute before it."""
    host, _ = lab.hosts
    daemon = fetching(host)
    host.pacman("-Sy", *NAMES)
    before = status(host)["traffic"]
    assert before["tallies"][2]["requests"] >= len(NAMES)  # type: ignore[index]
    daemon.stop()
    daemon = fetching(host)
    wait_until(lambda: status(host)["traffic"]["tallies"] == before["tallies"], "the history", 10)
    assert status(host)["traffic"]["days"] == before["days"]
    assert status(host)["traffic"]["hours"] == before["hours"]
    daemon.kill()
    daemon = fetching(host)
    wait_until(lambda: status(host)["traffic"]["tallies"] == before["tallies"], "the history", 10)
    daemon.stop()


def test_names(lab: Lab) -> None:
    """Whoever asks for another host gets 421, pacman does not, and --name makes a name known."""
    host, _ = lab.hosts
    daemon = Daemon(host, "--name", "Packages.LAN")
    host.pacman("-Sy", NAMES[0])
    for name, expected in (("evil.example", 421), ("localhost", 200), ("packages.lan:15678", 200), (host.ip, 200)):
        assert host.request("/status", headers={"Host": name}).status == expected
    assert host.request("/info", headers={"Host": "evil.example"}).status == 200
    daemon.stop()


def test_versions_of_the_lan(lab: Lab) -> None:
    """A search names the hosts that hold a version, with the name that each tells, and the newest version: also one that only a peer has."""
    host, other = lab.hosts
    package = NAMES[0]
    (other.pkg / f"{package}-0.9-1-x86_64.pkg.tar.zst").write_bytes(b"an old version")
    daemons = [Daemon(other, "--host-name", "nas"), Daemon(host, "--pacserver", other.ip)]
    host.pacman("-Sy", package)

    def shown() -> str:
        page = host.request(f"/search?q={package}").body.decode()
        return " ".join(re.sub("<[^>]*>", " ", page).split())

    old = f"{package} 0.9-1 older in no database 14 B nas ({other.ip}:15678)"
    wait_until(lambda: old in shown(), "the old version at the peer", 15)
    wait_until(lambda: re.search(rf"{package} 1\.0\.0-1 newest core [\d.]+ KiB this host {package} 0\.9", shown()), "the new version here", 15)
    for daemon in daemons:
        daemon.stop()
