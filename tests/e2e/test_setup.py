"""pacsrv setup and its undo, with real pacman, real file systems and the kernel's firewall."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from tests.e2e.lab import MIRROR, PORT, Daemon, Depot, Host, Lab, small_packages
from tests.e2e.test_pacsrv import PACSRV, pacsrv

NAMES = small_packages()[:3]
FILES_ONLY = ("--yes", "--skip", "service", "--skip", "firewall")
FIREWALL_ONLY = ("--yes", "--skip", "service", "--skip", "configuration")


def odd(host: Host) -> dict[str, bytes]:
    """Writes a configuration as people have them, without a word of pacserve that would do, and returns its files."""
    folder = host.path("/etc/pacman.d")
    folder.mkdir(exist_ok=True)
    (folder / "mirrors.real").write_text(f"## mirrors\n#Server = http://far.example/$repo\nServer = {MIRROR}")
    (folder / "mirrors.real").chmod(0o640)
    os.chown(folder / "mirrors.real", 0, 7)
    (folder / "mirrorlist").unlink(missing_ok=True)
    (folder / "mirrorlist").symlink_to("mirrors.real")
    (folder / "repos.d").mkdir(exist_ok=True)
    (folder / "repos.d" / "extra.conf").write_text(f"[extra]\r\nServer = {MIRROR}\r\nServer = http://127.0.0.1:{PORT}/request/$repo/$arch\r\n")
    text = host.configuration((), ["core"]) + "Include = /etc/pacman.d/mirrorlist\n"
    text += "#[testing]\n#Include = /etc/pacman.d/mirrorlist\nInclude = /etc/pacman.d/repos.d/*.conf"
    host.write_configuration(text)
    return contents(host)


def contents(host: Host) -> dict[str, bytes]:
    """The bytes of all files of the configuration, by path."""
    folder = host.path("/etc/pacman.d")
    paths = [host.path("/etc/pacman.conf"), *folder.rglob("*")]
    return {str(path): path.read_bytes() for path in paths if path.is_file()}


def wrong(host: Host) -> list[str]:
    """What the doctor finds wrong, or doubtful in pacman.conf."""
    found = json.loads(pacsrv(host, "doctor", "--json", check=False).stdout)["findings"]
    return [one["text"] for one in found if one["level"] == "wrong" or (one["check"] == "pacman.conf" and one["level"] != "ok")]


def test_setup_and_undo(lab: Lab, depot: Depot) -> None:
    """After a setup the doctor has nothing to say and pacman comes through pacserve; undo gives back every byte, and pacman comes from the mirror."""
    host, _ = lab.hosts
    before = odd(host)
    depot.settled()
    daemon = Daemon(host, "--cache-dir", str(depot.folder()))
    assert wrong(host)
    shown = pacsrv(host, "setup", "--dry-run", *FILES_ONLY).stdout
    assert contents(host) == before
    assert "+Server = http://localhost:15678/request/$repo/$arch\n" in shown
    pacsrv(host, "setup", *FILES_ONLY)
    assert wrong(host) == []
    mirrorlist = host.path("/etc/pacman.d/mirrorlist")
    assert str(mirrorlist.readlink()) == "mirrors.real"
    found = mirrorlist.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o640, 7)
    after = contents(host)
    assert after.keys() == before.keys()
    assert "Nothing to do" in pacsrv(host, "setup", *FILES_ONLY).stdout
    assert contents(host) == after
    host.pacman("-Sy", *NAMES)
    assert lab.mirror.package_downloads() == []
    assert daemon.requests("core.db")
    assert daemon.requests("extra.db")
    pacsrv(host, "setup", "--undo", *FILES_ONLY)
    assert contents(host) == before
    count = len(daemon.requests("core.db"))
    host.pacman("-Syy")
    assert len(daemon.requests("core.db")) == count
    daemon.stop()


def refused(host: Host) -> str:
    """The line with which a setup says why it did nothing."""
    before = contents(host)
    done = pacsrv(host, "setup", *FILES_ONLY, check=False)
    assert done.returncode == 1
    assert contents(host) == before
    assert "Traceback" not in done.stderr
    return done.stderr


def test_disks(lab: Lab) -> None:
    """Where one of the files is on a file system that is full or read-only, none is changed, and nothing is left beside them."""
    host, _ = lab.hosts
    odd(host)
    mirrors = str(host.dir / "full")
    Path(mirrors).mkdir()
    host.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", mirrors])
    host.run(["sh", "-c", f"cp /etc/pacman.d/mirrors.real {mirrors}/list; dd if=/dev/zero of={mirrors}/filler 2>/dev/null || :"])
    host.path("/etc/pacman.d/mirrorlist").unlink()
    host.path("/etc/pacman.d/mirrorlist").symlink_to(f"{mirrors}/list")
    assert f"{mirrors}/list can't be written: no space left on device; nothing was changed" in refused(host)
    assert host.run(["ls", "-A", mirrors]).stdout.split() == ["filler", "list"]
    host.run(["mount", "-o", "remount,ro", mirrors])
    assert "read-only file system; nothing was changed" in refused(host)
    host.run(["umount", mirrors])
    assert f"{mirrors}/list can't be read: no such file" in refused(host)
    host.path("/etc/pacman.conf").unlink()
    assert "/etc/pacman.conf can't be read: no such file" in refused(host)


def test_ordinary_user(lab: Lab) -> None:
    """A user without rights sees the changes, and how root makes them."""
    host, _ = lab.hosts
    before = odd(host)
    host.path("/etc/pacman.d/mirrors.real").chmod(0o644)
    done = host.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", *PACSRV, "setup", *FILES_ONLY], check=False)
    assert done.returncode == 1
    assert "+Server = http://localhost:15678/request/$repo/$arch\n" in done.stdout
    assert "sudo pacsrv setup --yes" in done.stderr
    assert contents(host) == before


def test_firewall(lab: Lab) -> None:
    """A firewall that drops is opened, after which another host gets an answer; undo leaves the rules as they were, and so does a second one."""
    host, other = lab.hosts
    daemon = Daemon(host)
    asking = ["curl", "-s", "--noproxy", "*", "-m", "2", "-o", "/dev/null", "-w", "%{http_code}", f"http://{host.ip}:{PORT}/info"]
    assert "Nothing to do" in pacsrv(host, "setup", *FIREWALL_ONLY).stdout
    for tables in ("iptables", "ip6tables"):
        host.run([tables, "-A", "INPUT", "-i", "lo", "-j", "ACCEPT"])
        host.run([tables, "-P", "INPUT", "DROP"])
    before = rules(host)
    assert other.run(asking, check=False).stdout == "000"
    pacsrv(host, "setup", *FIREWALL_ONLY)
    assert other.run(asking, check=False).stdout == "200"
    opened = rules(host)
    assert "Nothing to do" in pacsrv(host, "setup", *FIREWALL_ONLY).stdout
    assert rules(host) == opened
    for _ in range(2):
        pacsrv(host, "setup", "--undo", *FIREWALL_ONLY)
        assert rules(host) == before
    assert not host.path("/var/lib/pacsrv").exists()
    daemon.stop()


def rules(host: Host) -> str:
    """All rules of the firewall."""
    return host.run(["iptables", "-S"]).stdout + host.run(["ip6tables", "-S"]).stdout
