"""The packages and repositories that a test run works with, built once."""

from __future__ import annotations

import fcntl
import pickle
import shutil
import tarfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from tests.e2e.lab.packages import EPOCH, PACKAGER, Package, SigningKey, build, tar_file, tar_folder

# Takes some seconds at the rate that the tests limit a peer to, and does not fit into the buffers of its sockets.
BIG_SIZE = 24_000_000
ODD = "c++pkg"
_ODD_VERSION = "1:2.0+r3.gabc~rc1-1"
# Seconds from the last change of a file until pacserve takes it as complete when no database states its size, and a little.
_SETTLING = 2.3


def small_packages() -> list[str]:
    """The names of the fifty small packages of `core`."""
    return [f"pkg{number:02}" for number in range(50)]


class Depot:
    """
    Signed packages in four repositories.

    Args:
        directory: What is this depot's own; an empty folder.
        stock: Where the packages are, which the first of several depots builds there, or the first of several processes.  They are never changed.

    `core` has fifty small packages, one with an odd name (`ODD`) and a `big` one; `extra`, `multi` and `third` have one each, named as they
    are.

    Attributes:
        signed: The root of a mirror whose databases carry the signatures.
        detached: The root of a mirror of the same packages whose databases do not, as `repo-add` makes them since pacman 6.1.
        packages: By name.
    """

    def __init__(self, directory: Path, stock: Path | None = None) -> None:
        stock = stock or directory / "stock"
        self.signed, self.detached, self._shelves = stock / "signed", stock / "detached", directory / "shelves"
        self._shelves.mkdir()
        self.packages: Mapping[str, Package] = _stocked(stock)
        # A copy, since its agent can't be shared: the first to end it would end the signing of others.
        self.key = SigningKey(directory / "gnupg", stock / "gnupg")
        self._settled_at = time.monotonic() + _SETTLING

    @property
    def keyring(self) -> Path:
        """The GnuPG home that trusts the packages."""
        return self.key.home

    def filenames(self, names: Iterable[str], *, signatures: bool = True) -> list[str]:
        """The package files of these packages, and their signatures."""
        files = [self.packages[name].filename for name in names]
        return [*files, *(f"{file}.sig" for file in files)] if signatures else files

    def folder(self, repo: str = "core") -> Path:
        """The folder of all packages of a repository: a package cache that holds everything, once it is `settled`."""
        return self.signed / repo / "os" / "x86_64"

    def shelf(self, label: str, names: Iterable[str], *, signatures: bool = True) -> Path:
        """A package cache that holds these packages of `core`; to be waited for with `settled`."""
        shelf = self._shelves / label
        if not shelf.exists():
            shelf.mkdir()
            for name in self.filenames(names, signatures=signatures):
                shutil.copy2(self.folder() / name, shelf / name)
            self._settled_at = time.monotonic() + _SETTLING
        return shelf

    def damaged_shelf(self, label: str, names: Iterable[str], damage: Callable[[bytes], bytes]) -> Path:
        """A package cache that holds damaged packages under their right names, and their true signatures; to be waited for with `settled`."""
        names = tuple(names)
        existed = (self._shelves / label).exists()
        shelf = self.shelf(label, names)
        for file in () if existed else self.filenames(names, signatures=False):
            (shelf / file).write_bytes(damage((shelf / file).read_bytes()))
        return shelf

    def settled(self) -> None:
        """Returns when all files of the depot count as complete even where no database states their size."""
        time.sleep(max(0.0, self._settled_at - time.monotonic()))


def _stocked(stock: Path) -> Mapping[str, Package]:
    """Returns the packages of a folder by name, which this process builds unless another one has, or is at it."""
    stock.mkdir(exist_ok=True)
    index = stock / "packages.pickle"
    with (stock / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not index.exists():
            index.write_bytes(pickle.dumps(_build_stock(stock)))
        packages: Mapping[str, Package] = pickle.loads(index.read_bytes())
    return packages


def _build_stock(stock: Path) -> Mapping[str, Package]:
    key = SigningKey(stock / "gnupg")
    core = [(name, f"1.{number % 7}.0-1", 12_000 + 1_000 * number) for number, name in enumerate(small_packages())]
    repositories = {
        "core": [*core, (ODD, _ODD_VERSION, 30_000), ("big", "1.0-1", BIG_SIZE)],
        **{repo: [(repo, "1.0-1", 20_000)] for repo in ("extra", "multi", "third")},
    }
    packages = []
    for repo, wanted in repositories.items():
        packages += build_repository(stock / "signed", key, repo, wanted)
        _copy_without_signatures(stock, repo, packages[-len(wanted) :])
    key.close()
    return {package.name: package for package in packages}


def build_repository(root: Path, key: SigningKey, repo: str, wanted: Sequence[tuple[str, str, int]]) -> list[Package]:
    """
    Builds a repository whose database carries the signatures, and returns its packages.

    Args:
        root: That of the mirror.
        wanted: Name, version and bytes of each package.
    """
    folder = root / repo / "os" / "x86_64"
    folder.mkdir(parents=True)
    packages = [key.sign(build(folder, name, version, size, arch="any" if name == ODD else "x86_64")) for name, version, size in wanted]
    write_database(folder, repo, packages, signatures=True)
    return packages


def _copy_without_signatures(stock: Path, repo: str, packages: Sequence[Package]) -> None:
    """Adds a repository of the same package files whose database does not carry the signatures."""
    folder, other = stock / "signed" / repo / "os" / "x86_64", stock / "detached" / repo / "os" / "x86_64"
    other.mkdir(parents=True)
    for path in folder.glob("*.pkg.tar.zst*"):
        (other / path.name).hardlink_to(path)
    write_database(other, repo, packages, signatures=False)


def truncated(content: bytes) -> bytes:
    """The first half."""
    return content[: len(content) // 2]


def falsified(content: bytes) -> bytes:
    """As many bytes, some of them others."""
    return content[:5000] + bytes(200) + content[5200:]


def write_database(folder: Path, repo: str, packages: Iterable[Package], *, signatures: bool) -> None:
    """Writes the sync database with the content that repo-add would give it."""
    archive = folder / f"{repo}.db.tar.gz"
    with tarfile.open(archive, "w:gz", format=tarfile.GNU_FORMAT) as tar:
        for package in sorted(packages, key=lambda package: package.name):
            entry = f"{package.name}-{package.version}"
            tar_folder(tar, entry)
            tar_file(tar, f"{entry}/desc", _description(package, signatures=signatures))
    (folder / f"{repo}.db").symlink_to(archive.name)


def _description(package: Package, *, signatures: bool) -> bytes:
    rows: list[tuple[str, object]] = [
        ("FILENAME", package.filename),
        ("NAME", package.name),
        ("BASE", package.name),
        ("VERSION", package.version),
        ("DESC", f"synthetic {package.name}"),
        ("CSIZE", package.size),
        ("ISIZE", package.installed_size),
        ("SHA256SUM", package.sha256),
        ("URL", "https://example.org/"),
        ("ARCH", package.arch),
        ("BUILDDATE", EPOCH),
        ("PACKAGER", PACKAGER),
    ]
    if signatures:
        rows.append(("PGPSIG", package.signature))
    return "".join(f"%{key}%\n{value}\n\n" for key, value in rows).encode()
