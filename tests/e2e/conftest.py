"""What the end-to-end tests share: packages built once, a LAN for each test, and the logs of its daemons when it fails."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.lab import Depot, Lab, Site
from tests.e2e.lab.apt_lab import AptLab
from tests.e2e.lab.logs import Logs
from tests.e2e.lab.requirements import PREFIX, missing, remove_leftovers, trial
from tests.e2e.lab.turns import Turns

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# The last version whose readers refuse a list with a name of another package system: tests of today's beside it take it from the history.
EARLIER = "cdd1523"
LABS = pytest.StashKey[list[Lab]]()
LOGS = Logs()
MakeLab = Callable[..., Lab]
MakeAptLab = Callable[..., AptLab]
_NUMBERS = itertools.count(1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if HERE in item.path.parents]
    for item in ours:
        item.add_marker("e2e")
        if is_of_pacman7(item):
            item.add_marker("long")
    if config.getoption("--pacman7", default=None) is None:
        unwanted = [item for item in ours if is_of_pacman7(item)]
        config.hook.pytest_deselected(items=unwanted)
        items[:] = [item for item in items if item not in unwanted]
    if config.getoption("--apt3", default=None) is not None:
        unwanted = [item for item in items if "make_apt_lab" not in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=unwanted)
        items[:] = [item for item in items if item not in unwanted]
    if not _history_reaches_back():  # a tarball, or a clone of the last few commits
        unwanted = [item for item in ours if item.path.name == "test_versions.py"]
        config.hook.pytest_deselected(items=unwanted)
        items[:] = [item for item in items if item not in unwanted]
    # Unit tests first: what is wrong is known sooner, and they take the cores that the others are measured on.  Those that are to be alone come last,
    # or all other processes would wait for them.
    items.sort(key=lambda item: (HERE in item.path.parents, item.get_closest_marker("alone") is not None))


def is_of_pacman7(item: pytest.Item) -> bool:
    """Returns whether a test needs the Debian 13 folder, which takes minutes to make."""
    return item.path.name == "test_pacman7.py" or item.name == "test_pacman7"


def _history_reaches_back() -> bool:
    done = subprocess.run(["git", "-C", str(ROOT), "cat-file", "-e", f"{EARLIER}^{{commit}}"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    require(missing() or _unable())


@cache
def _unable() -> str:
    """Returns why this machine can't have labs, in words, or removes those of runs that were killed and returns nothing."""
    with tempfile.TemporaryDirectory() as folder:
        reason = trial(Path(folder) / "trial")
    if not reason:
        remove_leftovers()
    return reason


def require(reason: str) -> None:
    """Skips a test that can't run here, or fails it where that must not be."""
    if not reason:
        return
    if os.environ.get("PACSERVE_REQUIRE_E2E") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections += _logs_of(item)
    return report


def _logs_of(item: pytest.Item) -> list[tuple[str, str]]:
    """Returns the ends of all logs of the labs of a test, with their names."""
    logs = [(lab, log) for lab in _labs_of(item) for pattern in ("h*/log/*.log", "wan/*.log", "m*/*.log") for log in lab.dir.glob(pattern)]
    return [(str(log.relative_to(lab.dir)), log.read_text(errors="replace")[-20_000:]) for lab, log in logs]


def _labs_of(item: pytest.Item) -> list[Lab]:
    module = item.getparent(pytest.Module)
    return [*item.stash.get(LABS, []), *(module.stash.get(LABS, []) if module else [])]


@pytest.fixture(scope="session")
def turns(tmp_path_factory: pytest.TempPathFactory) -> Turns:
    """Which tests of this run may run at once."""
    return Turns(shared_folder(tmp_path_factory))


@pytest.fixture(autouse=True)
def turn(request: pytest.FixtureRequest, turns: Turns) -> Iterator[None]:
    """Lets a test marked `alone` run while no other end-to-end test does."""
    with turns.taken(alone=request.node.get_closest_marker("alone") is not None):
        yield


@pytest.fixture(autouse=True)
def no_defects(request: pytest.FixtureRequest, turn: None, tmp_path: Path) -> Iterator[None]:
    """
    Fails each test after which the log of a daemon has a traceback or an error that was not handled.

    By then the lab has been taken down, but its folder, which is removed when the test has passed, must be there.
    """
    yield
    defects = LOGS.defects(lab.dir for lab in _labs_of(request.node))
    if defects:
        for name, text in _logs_of(request.node):
            request.node.add_report_section("teardown", name, text)
        pytest.fail("\n\n".join(defects), pytrace=False)


@pytest.fixture(scope="session")
def depot(tmp_path_factory: pytest.TempPathFactory) -> Depot:
    """The packages of this test run, built by the first of the processes that it is shared between."""
    directory = tmp_path_factory.mktemp("depot")
    directory.chmod(0o755)
    return Depot(directory, shared_folder(tmp_path_factory) / "stock")


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all processes of a test run have in common."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def _labs(node: pytest.Item | pytest.Collector, depot: Depot, directory: Path) -> Iterator[MakeLab]:
    """Gives what makes labs, each with prefix and folder of its own, and removes them in the end."""
    labs = node.stash.setdefault(LABS, [])

    def make(hosts: int = 2, sites: tuple[Site, ...] = (), **options: Any) -> Lab:
        number = next(_NUMBERS)
        lab = Lab(
            directory / f"lab{number}", f"{PREFIX}-{os.getpid()}-{number}", depot.keyring, sites or (Site(80, depot.signed),), hosts=hosts, **options
        )
        labs.append(lab)
        return lab.__enter__()

    try:
        yield make
    finally:
        for lab in labs:
            lab.down()


@pytest.fixture
def make_lab(depot: Depot, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[MakeLab]:
    """Makes LANs for one test."""
    yield from _labs(request.node, depot, tmp_path)


@pytest.fixture(scope="module")
def shared_lab(depot: Depot, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A LAN of two hosts for the tests of a module that leave it as they found it."""
    for make in _labs(request.node, depot, tmp_path_factory.mktemp("shared")):
        yield make()


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    """A LAN of two hosts with a mirror whose databases carry the signatures."""
    return make_lab()


@pytest.fixture
def make_apt_lab(make_lab: MakeLab, depot: Depot, tmp_path: Path, request: pytest.FixtureRequest) -> MakeAptLab:
    """Makes LANs of hosts with apt for one test: this machine's, or that of the Debian folder that `--apt3` names."""
    require("" if shutil.which("apt-get") and shutil.which("dpkg") else "tests of apt need apt-get and dpkg")
    debian = request.config.getoption("--apt3", default=None)

    def make(hosts: int = 1, architectures: Sequence[str] = (), *, pacman: bool = False, directives: str = "", **options: Any) -> AptLab:
        root = tmp_path / f"www{next(_NUMBERS)}"
        root.mkdir()
        if pacman:
            (root / "core").symlink_to(depot.signed / "core")
        lab = make_lab(hosts=hosts, sites=(Site(80, root, directives),), **options)
        return AptLab(lab, root, depot.key, None if debian is None else Path(debian), architectures)

    return make
