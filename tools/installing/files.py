"""The files that belong to an installed pacserve beside its Python package, and their places."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
# The command that the units in contrib/ name: the one of a distribution's package.
_PACKAGED_COMMAND = "/usr/bin/pacserve"
_EXECUTABLE = ("apt/pacserve-proxy", "iptables/pacserve-firewall", "pacserve-static")


@dataclass(frozen=True, slots=True)
class Places:
    """
    The folders of an installation, as the installed system names them.

    Attributes:
        prefix: Above bin/, lib/ and share/.
        sysconfdir: Where the user's configuration is.
        destdir: Stands before each path while a package is made; empty for this machine itself.
    """

    prefix: PurePosixPath
    sysconfdir: PurePosixPath
    destdir: str = ""

    def real(self, path: PurePosixPath) -> Path:
        """Returns the path below DESTDIR."""
        return Path(f"{self.destdir}{path}")

    @property
    def commands(self) -> PurePosixPath:
        return self.prefix / "bin"

    @property
    def units(self) -> PurePosixPath:
        return self.prefix / "lib/systemd/system"

    @property
    def apt(self) -> PurePosixPath:
        """Returns the folder of apt's configuration, which every Debian has."""
        return self.sysconfdir / "apt/apt.conf.d"

    @property
    def shared(self) -> PurePosixPath:
        return self.prefix / "share/pacserve"

    @property
    def manifest(self) -> PurePosixPath:
        """Returns the list of what was installed, from which it is taken away."""
        return self.shared / "manifest"


@dataclass(frozen=True, slots=True)
class Placed:
    """
    One file of the checkout and its place.

    Attributes:
        source: Below the checkout.
        target: As the installed system names it.
        executable: True for scripts.
        configuration: True where the user may change it: what was changed is neither overwritten nor removed.
        command: What takes the place of /usr/bin/pacserve in it; empty where nothing does.
    """

    source: str
    target: PurePosixPath
    executable: bool = False
    configuration: bool = False
    command: str = ""

    @property
    def mode(self) -> int:
        return 0o755 if self.executable else 0o644

    def content(self) -> bytes:
        """Returns the bytes to install."""
        data = (ROOT / self.source).read_bytes()
        return data.replace(_PACKAGED_COMMAND.encode(), self.command.encode()) if self.command else data


def placed(places: Places, *, apt: bool = False) -> tuple[Placed, ...]:
    """
    Returns all files but those of the Python package, in an order in which none comes before a file that it names.

    Args:
        places: The folders of the installation.
        apt: True to configure apt as well; without pacserve's daemon that configuration changes nothing.
    """
    share = places.prefix / "share"
    files = [Placed(f"contrib/systemd/{name}", places.units / name, command=f"{places.commands}/pacserve") for name in _names("contrib/systemd")]
    files += [Placed(f"man/{name}", share / f"man/man{name[-1]}" / name) for name in _names("man")]
    files += [Placed(f"contrib/completion/{name}", share / _completion(name)) for name in _names("contrib/completion")]
    # A low number, so that whatever an administrator says of the same limit counts.
    files.append(Placed("contrib/sysctl.d/pacserve.conf", places.prefix / "lib/sysctl.d/10-pacserve.conf"))
    files += [Placed(f"contrib/{name}", places.sysconfdir / name, configuration=True) for name in ("conf.d/pacserve", "pacman.d/pacserve")]
    folders = ("apt", "grafana", "iptables", "prometheus")
    extras = ["pacserve-static", *(f"{folder}/{name}" for folder in folders for name in _names(f"contrib/{folder}"))]
    files += [Placed(f"contrib/{name}", places.shared / name, executable=name in _EXECUTABLE) for name in extras]
    pages = ["README.md", "CHANGELOG.md", "SECURITY.md", *(f"docs/{name}" for name in _names("docs"))]
    files += [Placed(name, share / "doc/pacserve" / name) for name in pages]
    files.sort(key=lambda file: file.target)
    if apt:
        # apt fails while its configuration names a script that is not there.
        files.append(Placed("contrib/apt/pacserve-proxy", places.sysconfdir / "apt/pacserve-proxy", executable=True, configuration=True))
        files.append(Placed("contrib/apt/30pacserve", places.apt / "30pacserve", configuration=True))
    return tuple(files)


def _names(folder: str) -> list[str]:
    """Returns the names of the files in a folder of the checkout; what editors leave there is not one of them."""
    return sorted(path.name for path in (ROOT / folder).iterdir() if path.is_file() and not path.name.startswith(".") and not path.name.endswith("~"))


def _completion(name: str) -> str:
    if name.startswith("_"):
        return f"zsh/site-functions/{name}"
    program, _, shell = name.partition(".")
    return f"fish/vendor_completions.d/{name}" if shell == "fish" else f"bash-completion/completions/{program}"
