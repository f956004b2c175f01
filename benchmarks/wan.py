"""Hosts with mirrors out in the Internet, and what a download from these takes: through pacserve, by pacman, and by aria2."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.lab import Lab
from benchmarks.servers import BenchmarkError
from benchmarks.stock import REPO, Stock
from tests.e2e.lab import PACSERVE, Daemon, Host, Link, Mirror, Site, wait_until
from tests.e2e.lab import Lab as Hosts
from tests.e2e.lab.requirements import PREFIX

ARIA2 = "aria2c"
# Downloads that run at once, of pacman by default and of the others.
_AT_ONCE = 5
# Seconds after which a download will never end.
_TIMEOUT = 300.0
# Seconds between two looks at whether a file is in the spool, and at the memory of a process that will have ended when it has been waited for.
_LOOK_INTERVAL = 0.01
_numbers = itertools.count(1)
# Never shut down: what a thread has started ends with it.
_STARTERS = ThreadPoolExecutor(4)


@dataclass(frozen=True, slots=True)
class Far:
    """
    A mirror that a benchmark wants.

    Attributes:
        directives: More lines of nginx's `server` block.
        wrong: True if its files are of the right size and wrong.
        behind: The place in the list of the mirror whose link it uses, too; None where it has one of its own.
    """

    link: Link
    directives: str = ""
    wrong: bool = False
    behind: int | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """
    What a download took.

    Attributes:
        wall: The seconds from the start of the client to its end.
        first: The seconds from the first request to the first byte of its answer; 0 where it is not known.
        cpu: The CPU seconds of the program that was measured.
        peak: The most memory that it had resident, in MB.
    """

    wall: float
    first: float = 0.0
    cpu: float = 0.0
    peak: float = 0.0


class Wan:
    """
    Hosts of a LAN, and mirrors out in the Internet.

    Attributes:
        lan: Their lab; `mirrors` in the order of the mirrorlist.
    """

    def __init__(self, lab: Lab, stock: Stock, mirrors: Sequence[Far], *, hosts: int = 1) -> None:
        number = next(_numbers)
        self._stock, self._wanted = stock, mirrors
        self.lan = Hosts(lab.folder / f"wan{number}", f"{PREFIX}-{os.getpid()}-w{number}", stock.key.home, hosts=hosts)
        self._daemons: dict[Host, Daemon] = {}

    def __enter__(self) -> Self:
        self.lan.__enter__()
        try:
            self._add_mirrors()
        except BaseException:
            self.lan.down()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.lan.down()
        shutil.rmtree(self.lan.dir)

    def _add_mirrors(self) -> None:
        for far in self._wanted:
            root = self._stock.wrong if far.wrong else self._stock.root
            behind = None if far.behind is None else self.lan.mirrors[far.behind]
            self.lan.add_mirror(far.link, Site(80, root, far.directives), behind=behind)
        for host in self.lan.hosts:
            host.configure([PACSERVE, *(mirror.server for mirror in self.mirrors)])

    @property
    def mirrors(self) -> list[Mirror]:
        """The mirrors in the order of the mirrorlist."""
        return self.lan.mirrors

    def start_daemons(self, *options: str) -> list[Daemon]:
        """Starts pacserve on all hosts, and fetches the databases."""
        arguments = ("--misses", "fetch", "--hits", "auto", *options)
        daemons = _STARTERS.map(lambda host: Daemon(host, *arguments, "--spool", str(host.dir / "spool")), self.lan.hosts)
        self._daemons = dict(zip(self.lan.hosts, daemons, strict=True))
        for host in self.lan.hosts:
            host.pacman("-Sy")
        return list(self._daemons.values())

    def through_pacserve(self, names: Sequence[str], *, meanwhile: Callable[[], None] | None = None, after: float = 0.0) -> Taken:
        """
        Downloads files through the daemon of the first host, as many at once as pacman does.

        Args:
            meanwhile: Called so many seconds `after` the start.

        Raises:
            BenchmarkError: One did not arrive.
        """
        host = self.lan.hosts[0]
        daemon = self._daemons[host]
        timer = None if meanwhile is None else threading.Timer(after, meanwhile)
        _forget_peak(daemon)
        before = daemon.cpu()
        if timer is not None:
            timer.start()
        wall, output = self._run(host, self._asking(names), "curl")
        if timer is not None:
            timer.join()
        answers = [line.split() for line in output.splitlines()]
        sizes = sorted(self._stock.package(name).size for name in names)
        if sorted(int(size) for _, size, _ in answers) != sizes:
            raise BenchmarkError(f"{answers} instead of {sizes} bytes: {daemon.text()[-2000:]}")
        return Taken(wall, min(float(first) for _, _, first in answers), daemon.cpu() - before, _peak(daemon.process.pid))

    def until_spooled(self, name: str) -> float:
        """Returns the seconds until the daemon of the first host has a file, which is asked for again as long as it has not."""
        host = self.lan.hosts[0]
        spooled = host.dir / "spool" / "pkg" / self._stock.package(name).filename
        began = time.monotonic()
        while not spooled.exists():
            client = host.spawn(self._asking([name]))
            while client.poll() is None and not spooled.exists():
                time.sleep(_LOOK_INTERVAL)
            client.wait()
            if time.monotonic() - began > _TIMEOUT:
                raise BenchmarkError(f"{name} is not in the spool after {_TIMEOUT:.0f} s: {self._daemons[host].text()[-2000:]}")
        return time.monotonic() - began

    def _asking(self, names: Sequence[str]) -> list[str]:
        """Returns the command that asks a host's own daemon for files, and writes status, size and time of the first byte of each."""
        command = [
            "curl",
            "-s",
            "--no-progress-meter",
            "-Z",
            "--parallel-max",
            str(_AT_ONCE),
            "-w",
            "%{http_code} %{size_download} %{time_starttransfer}\\n",
        ]
        for name in names:
            command += ["-o", "/dev/null", f"http://127.0.0.1:15678/request/{REPO}/x86_64/{self._stock.package(name).filename}"]
        return command

    def by_pacman(self, name: str) -> float:
        """Returns the seconds that real pacman takes to download a package and to check it, through the daemon of the first host."""
        host = self.lan.hosts[0]
        began = time.monotonic()
        host.pacman("-Sw", name)
        return time.monotonic() - began

    def by_aria2(self, names: Sequence[str]) -> Taken:
        """Downloads files with aria2 from all mirrors at once: one connection to each for a file, as many files at once as pacman does."""
        host = self.lan.hosts[0]
        folder = host.dir / "aria2"
        folder.mkdir(exist_ok=True)
        files = [self._stock.package(name).filename for name in names]
        urls = ["\t".join(f"http://{mirror.public_ip}/{REPO}/os/x86_64/{file}" for mirror in self.mirrors) + "\n" for file in files]
        (folder / "urls").write_text("".join(urls), "utf-8")
        options = ["--no-conf", "-q", f"-j{_AT_ONCE}", f"-s{len(self.mirrors)}", "-x1", "-k1M", "--file-allocation=none", f"-d{folder}"]
        taken = self._measured(host, [ARIA2, *options, f"-i{folder / 'urls'}"])
        for file in files:
            if (folder / file).stat().st_size != self._stock.package(names[0]).size:
                raise BenchmarkError(f"aria2 did not fetch {file}")
        shutil.rmtree(folder)
        return taken

    def _measured(self, host: Host, command: Sequence[str]) -> Taken:
        """Runs a program on a host to its end."""
        peaks = [0.0]
        began = time.monotonic()
        process = host.spawn(command)
        ending = threading.Event()

        def watch() -> None:
            while not ending.wait(_LOOK_INTERVAL):
                peaks.append(_peak(process.pid))

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.monotonic() - began
        finally:
            ending.set()
            thread.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise BenchmarkError(f"{command[0]} ended with status {process.returncode}")
        return Taken(wall, cpu=usage.ru_utime + usage.ru_stime, peak=max(peaks))

    def _run(self, host: Host, command: Sequence[str], name: str) -> tuple[float, str]:
        """Runs a client to its end, and returns the seconds and its output."""
        log = host.dir / "log" / f"{name}.out"
        log.unlink(missing_ok=True)
        began = time.monotonic()
        client = host.spawn(command, log=log)
        try:
            client.wait(_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise BenchmarkError(f"{name} was not done after {_TIMEOUT:.0f} s: {self._daemons[host].text()[-2000:]}") from None
        return time.monotonic() - began, log.read_text("utf-8", "replace")

    def together(self, name: str, pauses: Sequence[float] = ()) -> list[float]:
        """
        Downloads one file through the daemons of all hosts, and returns the seconds that each took.

        Args:
            pauses: The seconds between the beginnings of the first hosts; the others begin together with the last of these.
        """
        logs = {host: host.dir / "log" / "together.out" for host in self.lan.hosts}
        command = [word.replace("%{time_starttransfer}", "%{time_total}") for word in self._asking([name])]
        clients = []
        for number, host in enumerate(self.lan.hosts):
            clients.append(host.spawn(command, log=logs[host]))
            time.sleep(pauses[number] if number < len(pauses) else 0)
        deadline = time.monotonic() + _TIMEOUT
        for client in clients:
            try:
                client.wait(max(1.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise BenchmarkError(f"{name} had not arrived everywhere after {_TIMEOUT:.0f} s") from None
        answers = [log.read_text("utf-8").split() for log in logs.values()]
        size = self._stock.package(name).size
        if any(answer[:2] != ["200", str(size)] for answer in answers):
            raise BenchmarkError(f"{answers} instead of {size} bytes")
        return [float(taken) for _, _, taken in answers]

    def sent(self) -> int:
        """Returns the bytes of packages that all mirrors sent."""
        return sum(request.sent for mirror in self.mirrors for request in mirror.package_downloads())


def wait_until_known(hosts: Sequence[Host], within: float) -> None:
    """
    Waits until the daemons of hosts use each other.

    Raises:
        TimeoutError: They do not within so many seconds.
    """

    def known(host: Host) -> int:
        return len(json.loads(host.request("/status").body)["peers"])

    wait_until(lambda: all(known(host) == len(hosts) - 1 for host in hosts), "the hosts to know each other", within)


def aria2_version() -> str:
    """Returns the version of aria2; empty where it is not installed."""
    if shutil.which(ARIA2) is None:
        return ""
    output = subprocess.run([ARIA2, "--version"], capture_output=True, text=True, check=True).stdout
    return output.splitlines()[0].split()[-1]


def _forget_peak(daemon: Daemon) -> None:
    """Lets the kernel begin anew with the most memory that a process had, see proc(5)."""
    Path(f"/proc/{daemon.process.pid}/clear_refs").write_text("5", "utf-8")


def _peak(pid: int) -> float:
    """Returns the most memory that a process had resident, in MB; 0 if it has ended."""
    try:
        found = re.search(r"^VmHWM:\s*(\d+)", Path(f"/proc/{pid}/status").read_text("utf-8"), re.MULTILINE)
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return int(found[1]) * 1024 / 1e6 if found else 0.0
