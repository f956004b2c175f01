"""
The Python package of an installation, in one of three layouts.

As `system` it becomes a part of the Python that runs this, without what it needs: a distribution's package names that.  As `private` it gets an
environment of its own with all that it needs, since distributions refuse changes of their Python by anything but their packages (PEP 668).  As
`shared` it gets an environment with what this Python lacks.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import site
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from tools.installing.errors import InstallError
from tools.installing.files import ROOT, Places
from tools.installing.tree import Tree

COMMANDS = ("pacserve", "pacsrv")
# All that a wheel is made from; anything else in the checkout, as what earlier builds left, stays out of it.
_SOURCES = ("LICENSE", "README.md", "pyproject.toml", "setup.cfg", "pacserve")
_TOOLS = ("build", "installer", "setuptools", "wheel")
_WITHOUT_PACMAN = "requirements-without-pacman.txt"


def modules_folder(prefix: PurePosixPath) -> PurePosixPath:
    """
    Returns the folder below the prefix where this Python looks for modules; the usual one where it looks for none there.

    `python -m installer` and `pip --root` ask Python's own scheme instead, and Debian's puts /usr/local below any prefix.
    """
    usual = PurePosixPath(prefix, f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages")
    lib = prefix / "lib"
    return next((folder for folder in map(PurePosixPath, site.getsitepackages()) if lib in folder.parents), usual)


def install_system(tree: Tree, places: Places) -> None:
    """Installs the package for this Python, without what it needs.  Uses no network where Python has the tools for it."""
    folder = modules_folder(places.prefix)
    with _sources() as sources, _with_tools() as python:
        wheel = _wheel(python, sources)
        tree.folder(folder)
        tree.folder(places.commands)
        for old in _modules(places.real(folder)):
            shutil.rmtree(old)
        placement = ["--destdir", places.destdir, "--modules", str(folder), "--commands", str(places.commands), "--interpreter", sys.executable]
        _run([python, "-m", "tools.installing.wheel", *placement, str(wheel)])
    for name in COMMANDS:
        tree.claim_file(places.commands / name)
    for module in _modules(places.real(folder)):
        tree.claim_tree(folder / module.name)


def install_private(tree: Tree, places: Places, *, pacman: bool, shared: bool) -> None:
    """
    Installs the package with all that it needs into PREFIX/lib/pacserve, and links its commands into PREFIX/bin.

    A former environment is in use until the new one is complete.

    Args:
        tree: The installation.
        places: Its folders.
        pacman: False for a host without pacman: neither pyalpm nor a compiler is needed then, and what the distribution has is used.
        shared: True where libraries of this Python that are new enough are used, and only the others are installed.
    """
    home = places.prefix / "lib/pacserve"
    stage = Path(tempfile.mkdtemp(prefix=".pacserve-", dir=tree.folder(home.parent)))
    try:
        stage.chmod(0o755)
        _run([sys.executable, "-m", "venv", *(["--system-site-packages"] if shared or not pacman else []), str(stage)])
        pip = [
            str(stage / "bin/python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-compile",
            "--no-warn-script-location",
        ]
        with _sources() as sources:
            # pip fetches tools of its own for a build.
            package = _wheel(sys.executable, sources) if _has_tools() else sources
            if pacman:
                _run([*pip, str(package)])
            else:
                _run([*pip, "--requirement", str(ROOT / _WITHOUT_PACMAN)])
                _run([*pip, "--no-deps", str(package)])
        _run([str(stage / "bin/python"), "-m", "pip", "uninstall", "--quiet", "--disable-pip-version-check", "--yes", "pip"])
        _settle(stage, home)
        _exchange(stage, places.real(home))
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        raise
    tree.claim_tree(home)
    for name in COMMANDS:
        tree.link(places.commands / name, home / "bin" / name)


def _exchange(new: Path, place: Path) -> None:
    """Puts a folder in the place of another one, which is there until then, and is removed."""
    old = Path(f"{new}-old")
    if place.exists():
        place.rename(old)
    new.rename(place)
    if old.exists():
        shutil.rmtree(old)


def _settle(stage: Path, home: PurePosixPath) -> None:
    """Makes an environment work under another path: the one that it has is in its scripts, and would be in its compiled modules."""
    for script in (stage / "bin").iterdir():
        if script.is_symlink():
            continue
        if script.name.lower().startswith("activate"):
            script.unlink()  # it is nobody's environment to work in
        else:
            script.write_bytes(script.read_bytes().replace(str(stage).encode(), str(home).encode()))
    configuration = stage / "pyvenv.cfg"
    configuration.write_text(configuration.read_text("utf-8").replace(str(stage), str(home)), "utf-8")
    # The service may not write there, and -f: what came with the environment was compiled under the path that it had.
    _run([str(stage / "bin/python"), "-m", "compileall", "-q", "-f", "-s", str(stage), "-p", str(home), str(stage / "lib")])


def _modules(folder: Path) -> Iterator[Path]:
    """Yields the package and what describes it, where they are installed."""
    if folder.is_dir():
        yield from (
            path
            for path in sorted(folder.iterdir())
            if path.name == "pacserve" or (path.name.startswith("pacserve-") and path.suffix == ".dist-info")
        )


@contextmanager
def _sources() -> Iterator[Path]:
    """Gives a copy of all that a wheel is made from, so that a build as root leaves nothing in the checkout."""
    with tempfile.TemporaryDirectory(prefix="pacserve-build-") as folder:
        for name in _SOURCES:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, Path(folder, name), ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, folder)
        yield Path(folder)


def _wheel(python: str, sources: Path) -> Path:
    """Returns the wheel that is built from the sources, by a Python that has the tools."""
    _run([python, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(sources / "dist"), str(sources)])
    (wheel,) = (sources / "dist").iterdir()
    return wheel


def _has_tools() -> bool:
    return all(importlib.util.find_spec(name) for name in _TOOLS)


@contextmanager
def _with_tools() -> Iterator[str]:
    """Gives a Python of this version that can build and install wheels: this one, or that of a new environment, which needs a network."""
    if _has_tools():
        yield sys.executable
        return
    missing = ", ".join(name for name in _TOOLS if not importlib.util.find_spec(name))
    sys.stderr.write(f"This Python has no {missing}; they are fetched for this build alone.\n")
    with tempfile.TemporaryDirectory(prefix="pacserve-tools-") as folder:
        python = str(Path(folder, "bin/python"))
        _run([sys.executable, "-m", "venv", folder])
        _run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *_TOOLS])
        yield python


def _run(command: list[str]) -> None:
    """Runs a command in the checkout, and shows what it says only if it fails."""
    # Bytes from elsewhere must not get into what is built, and no compiled module into the checkout.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
    )
    if done.returncode != 0:
        sys.stderr.write(done.stdout)
        raise InstallError(f"this failed with status {done.returncode}: {' '.join(command)}")
