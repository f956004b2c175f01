"""Installs pacserve, or takes it away: `python -m tools.installing install|uninstall`; called by make."""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

from tools.installing.errors import InstallError
from tools.installing.files import Places, placed
from tools.installing.package import install_private, install_system
from tools.installing.tree import Tree, uninstall

# Folders that the service does not see: ProtectHome= of its unit.
_HOMES = ("/home", "/root", "/run/user")
# There while systemd runs, see sd_booted(3).
_SYSTEMD = Path("/run/systemd/system")
_NEXT = """\
pacserve is installed. What comes next, as root:
  {first}
  pacsrv doctor     # says what is still missing"""
_SETUP = "pacsrv setup{options}      # shows what it would change, and asks first: starts the service, opens the firewall, {purpose}"
_START = "systemctl enable --now pacserve"


def say(text: str) -> None:
    print(text, flush=True)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make install")
    parser.add_argument("action", choices=("install", "uninstall"))
    parser.add_argument("--destdir", default="")
    parser.add_argument("--prefix", default="/usr/local", type=PurePosixPath)
    parser.add_argument("--sysconfdir", default="/etc", type=PurePosixPath)
    parser.add_argument("--layout", default="", choices=("", "system", "private", "shared"))
    parser.add_argument("--pacman", default="yes", choices=("yes", "no"))
    parser.add_argument("--apt", default="", choices=("", "yes", "no"))
    named = parser.parse_args(arguments)
    try:
        if not (named.prefix.is_absolute() and named.sysconfdir.is_absolute()):
            raise InstallError("PREFIX and SYSCONFDIR must be absolute")
        places = Places(named.prefix, named.sysconfdir, str(Path(named.destdir).resolve()) if named.destdir else "")
        # The umask of whoever installs must not hide the files from those who run them.
        os.umask(0o022)
        if named.action == "install":
            # A packager says it; this machine has apt, or has not.
            apt = named.apt == "yes" or (not named.apt and not places.destdir and places.real(places.apt).is_dir())
            _install(places, named.layout or ("system" if places.destdir else "private"), pacman=named.pacman == "yes", apt=apt)
        else:
            _uninstall(places)
    except InstallError as error:
        print(f"Stopped: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(
            f"Stopped: no permission to write {error.filename}. Become root, or name a folder to install into: make install DESTDIR=...",
            file=sys.stderr,
        )
        return 1
    except OSError as error:
        print(f"Stopped: {error.filename or 'a file'}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _install(places: Places, layout: str, *, pacman: bool, apt: bool) -> None:
    base = Path(sys.base_prefix).resolve()
    if not places.destdir and any(base.is_relative_to(home) for home in _HOMES):
        raise InstallError(
            f"the Python of {base} is in a home folder, which the service can't read; name another: make install PYTHON=/usr/bin/python3"
        )
    if places.destdir:
        Path(places.destdir).mkdir(parents=True, exist_ok=True)
    for folder in (places.commands, places.units, places.shared, places.sysconfdir / "conf.d"):
        _check_writable(places.real(folder))
    tree = Tree(places, say)
    if layout == "system":
        install_system(tree, places)
    else:
        say(f"Installing pacserve and what it needs into {places.prefix}/lib/pacserve; this takes a minute.")
        install_private(tree, places, pacman=pacman, shared=layout == "shared")
    for file in placed(places, apt=apt):
        tree.put(file)
    tree.finish()
    if not places.destdir:
        _systemctl("daemon-reload")
        say(_NEXT.format(first=_first(pacman=pacman, apt=apt)))


def _first(*, pacman: bool, apt: bool) -> str:
    """Returns the command that comes after the installation."""
    purposes = (["puts pacserve before the mirrors"] if pacman else []) + (["has apt ask pacserve"] if apt else [])
    return _SETUP.format(options=" --apt" if apt else "", purpose=", ".join(purposes)) if purposes else _START


def _check_writable(folder: Path) -> None:
    """Sees at once whether a folder may be made or written to: a build that can't be installed takes a minute."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(there))


def _uninstall(places: Places) -> None:
    if not places.destdir and places.real(places.units / "pacserve.service").exists():
        _systemctl("disable", *(["--now"] if _SYSTEMD.is_dir() else []), "pacserve.service", "pacserve.socket")
    if not uninstall(places, say):
        raise InstallError(f"there is no {places.real(places.manifest)}: nothing was installed there by make install")
    if not places.destdir:
        _systemctl("daemon-reload")
        say("pacserve is removed. Its downloads and history stay: /var/cache/private/pacserve and /var/lib/private/pacserve.")


def _systemctl(*arguments: str) -> None:
    """Tells systemd, where it is installed; units are disabled also while it does not run."""
    if shutil.which("systemctl") and (_SYSTEMD.is_dir() or arguments[0] != "daemon-reload"):
        subprocess.run(["systemctl", "--quiet", *arguments], check=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
