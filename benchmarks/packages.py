"""The input of the daemon: package files, a sync database as large as Arch's largest, and a pacman.conf."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

REPO = "core"
ARCH = "x86_64"
DATABASE_PACKAGES = 15_000
_BLOCK_BYTES = 1_000_000

_CONF = """\
[options]
Architecture = {arch}
DBPath = {database_dir}
CacheDir = {cache_dir}
SigLevel = Never

[{repo}]
Server = {server}
"""

# No program listens on the discard port, so files that no cache and no peer has can't be found.
NO_MIRROR = "http://127.0.0.1:9"


def package_name(package: str) -> str:
    """Returns the file name of a package."""
    return f"{package}-1:2.{len(package)}-1-{ARCH}.pkg.tar.zst"


def request_path(name: str) -> str:
    """Returns the path by which pacman asks for a file."""
    return f"/request/{REPO}/{ARCH}/{name}"


def data_path(name: str) -> str:
    """Returns the path by which pacman fetches a file from a peer."""
    return f"/package/{name}/data"


def write_package(folder: Path, package: str, size: int) -> str:
    """Writes a package file of `size` bytes, of which each MB is the same noise, and returns its name."""
    name = package_name(package)
    with (folder / name).open("wb") as file:
        for block in _content(package, size):
            file.write(block)
    return name


def _content(package: str, size: int) -> Iterator[bytes]:
    """Yields the bytes of a package file, which are always the same."""
    block = hashlib.shake_128(package.encode()).digest(min(size, _BLOCK_BYTES))
    for _ in range(size // _BLOCK_BYTES):
        yield block
    yield block[: size % _BLOCK_BYTES]


@lru_cache
def _digest(package: str, size: int) -> str:
    """Returns the SHA-256 of a package file, in hexadecimal."""
    digest = hashlib.sha256()
    for block in _content(package, size):
        digest.update(block)
    return digest.hexdigest()


def write_database(database_dir: Path, sizes: Mapping[str, int], *, packages: int = DATABASE_PACKAGES) -> None:
    """
    Writes the sync database of `REPO`.

    Args:
        sizes: Packages that it must contain, with the sizes of their files.
        packages: The number of all packages, including those.
    """
    (database_dir / "sync").mkdir(parents=True)
    everything = dict(sizes)
    for number in range(packages - len(sizes)):
        everything[f"package-with-a-name-{number:05}"] = 100_000 + number
    with tarfile.open(database_dir / "sync" / f"{REPO}.db", "w:gz", compresslevel=1) as archive:
        for package, size in everything.items():
            # A host that comes back for a file has its digest checked; nobody asks for the packages that only make the database as large.
            digest = _digest(package, size) if package in sizes else hashlib.sha256(package.encode()).hexdigest()
            description = _description(package, size, digest).encode()
            entry = tarfile.TarInfo(f"{package}-1:2.{len(package)}-1/desc")
            entry.size = len(description)
            archive.addfile(entry, io.BytesIO(description))


def write_configuration(path: Path, database_dir: Path, cache_dir: Path, server: str = NO_MIRROR) -> Path:
    """Writes a pacman.conf, and returns its path."""
    database_dir.mkdir(parents=True, exist_ok=True)
    path.write_text(_CONF.format(arch=ARCH, database_dir=database_dir, cache_dir=cache_dir, repo=REPO, server=server), "utf-8")
    return path


def _signature(package: str) -> bytes:
    """Returns bytes as many as Arch's signatures have, 119 to 566."""
    stream = hashlib.shake_128(package.encode())
    return stream.digest(119 + stream.digest(1)[0] * 447 // 255)


def _description(package: str, size: int, sha256: str) -> str:
    fields = {
        "FILENAME": package_name(package),
        "NAME": package,
        "BASE": package,
        "VERSION": f"1:2.{len(package)}-1",
        "DESC": f"What {package} is good for, in a sentence of the usual length",
        "CSIZE": str(size),
        "ISIZE": str(size * 3),
        "SHA256SUM": sha256,
        "PGPSIG": base64.b64encode(_signature(package)).decode(),
        "URL": f"https://example.org/{package}/",
        "LICENSE": "GPL-3.0-or-later",
        "ARCH": ARCH,
        "BUILDDATE": "1700000000",
        "PACKAGER": "A Packager <packager@example.org>",
        "DEPENDS": "glibc\ngcc-libs\nbash",
    }
    return "".join(f"%{field}%\n{value}\n\n" for field, value in fields.items())
