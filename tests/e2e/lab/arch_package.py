"""Builds the packages of contrib/arch/ from this checkout: by real makepkg, as an ordinary user, without a network."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
ARCH = ROOT / "contrib/arch"
_URL = "https://github.com/pacserve/pacserve.git"
# The Python of the distribution, as makepkg's user has it.
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_TOOLS = ("bsdtar", "fakeroot", "git", "make", "makepkg")
_MODULES = "build, installer, setuptools, wheel"


@dataclass(frozen=True, slots=True)
class Built:
    """
    A package that makepkg made.

    Attributes:
        path: The package file; below the folder that it is in, src/ has the unpacked source.
        facts: The values of .PKGINFO for each key.
    """

    path: Path
    facts: Mapping[str, Sequence[str]]


def missing() -> str:
    """What keeps makepkg from building here, in words; empty when nothing does."""
    absent = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if absent:
        return f"building for Arch needs {', '.join(absent)}"
    done = subprocess.run(["python3", "-c", f"import {_MODULES}"], env={"PATH": _PATH}, capture_output=True, text=True, check=False)
    return f"building for Arch needs {_MODULES} of the system's Python" if done.returncode else ""


def build_release(folder: Path) -> Built:
    """Builds the package of a release: its source is the sdist of this checkout, which makepkg finds beside the PKGBUILD and need not download."""
    checkout, place = folder / "checkout", folder / "pacserve"
    for name in checked_out():
        copy = checkout / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy, follow_symlinks=False)
    place.mkdir()
    _as_nobody(folder, "python3", "-m", "build", "--sdist", "--no-isolation", "--outdir", str(place), str(checkout))
    return _make_package(place, "pacserve")


def build_newest(folder: Path) -> Built:
    """Builds the package of the last commit: a clone of this checkout takes the place of the repository."""
    place, upstream = folder / "pacserve-git", folder / "pacserve-git/upstream.git"
    place.mkdir()
    git("clone", "--quiet", "--bare", "--depth", "1", f"file://{ROOT}", str(upstream))
    instead = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.file://{upstream}.insteadOf", "GIT_CONFIG_VALUE_0": _URL}
    return _make_package(place, "pacserve-git", **instead)


def checked_out(below: str = ".") -> list[str]:
    """The files of this checkout that git knows or would add."""
    return git("ls-files", "--cached", "--others", "--exclude-standard", below).splitlines()


def git(*words: str) -> str:
    """Runs git in this checkout and returns what it printed."""
    return subprocess.run(["git", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


def _make_package(folder: Path, name: str, **environment: str) -> Built:
    for file in (ARCH / name).iterdir():
        shutil.copy(file, folder)
    # The dependencies have the names of Arch's packages, which this machine need not know; check() needs them.
    _as_nobody(folder, "makepkg", "--nodeps", "--nocheck", "--nocolor", **environment)
    (path,) = folder.glob("*.pkg.tar")
    stated = subprocess.run(["bsdtar", "-xOf", path, ".PKGINFO"], check=True, capture_output=True, text=True).stdout
    facts: dict[str, list[str]] = {}
    for key, separator, value in (line.partition(" = ") for line in stated.splitlines()):
        if separator:
            facts.setdefault(key, []).append(value)
    return Built(path, facts)


def _as_nobody(folder: Path, *words: str, **environment: str) -> None:
    """Runs a program as an ordinary user, in a folder that is made that user's, and fails when it fails."""
    nobody = pwd.getpwnam("nobody")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    switch = ("unshare", "--net", "--", "setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups", "--")
    # A package that is not compressed is made and read faster.
    env = {"PATH": _PATH, "HOME": str(folder), "LC_ALL": "C.UTF-8", "PKGEXT": ".pkg.tar", **environment}
    done = subprocess.run([*switch, *words], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
