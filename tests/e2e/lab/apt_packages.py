"""Packages of Debian that apt and dpkg accept, binary and source, made quickly and the same each time."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.e2e.lab.packages import EPOCH, PACKAGER, tar_file, tar_folder


@dataclass(frozen=True, slots=True)
class Deb:
    """
    A binary package.

    Attributes:
        file: The name of its file.
        control: What its stanza in Packages says of it besides file, size and digest.
    """

    package: str
    version: str
    architecture: str
    file: str
    control: str
    content: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """The digest in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def archive(self) -> str:
        """The name under which apt keeps it in /var/cache/apt/archives: only what would end the version is encoded."""
        return f"{self.package}_{self.version.replace(':', '%3a')}_{self.architecture}.deb"

    def stanza(self, folder: str) -> str:
        """Returns its stanza in the Packages of a repository that has the file in this folder."""
        return f"{self.control}Filename: {folder}{self.file}\nSize: {len(self.content)}\nSHA256: {self.sha256}\n"


@dataclass(frozen=True, slots=True)
class Source:
    """
    A source package.

    Attributes:
        files: The content of each file by its name; the `.dsc` is one of them.
    """

    package: str
    version: str
    files: Mapping[str, bytes] = field(repr=False)

    def stanza(self, folder: str) -> str:
        """Returns its stanza in the Sources of a repository that has the files in this folder."""
        lines = [f"Package: {self.package}", f"Version: {self.version}", f"Maintainer: {PACKAGER}", "Architecture: any", "Format: 1.0"]
        lines += [f"Binary: {self.package}", f"Directory: {folder}", "Files:"]
        lines += [f" {hashlib.md5(content).hexdigest()} {len(content)} {name}" for name, content in self.files.items()]
        lines.append("Checksums-Sha256:")
        lines += [f" {hashlib.sha256(content).hexdigest()} {len(content)} {name}" for name, content in self.files.items()]
        return "\n".join(lines) + "\n"


def pool_name(package: str, version: str, architecture: str) -> str:
    """Returns the name that the file of a binary package has in the pools of Debian."""
    return f"{package}_{version.partition(':')[2] or version}_{architecture}.deb"


def build_deb(package: str, version: str = "1.0-1", size: int = 20_000, *, architecture: str = "amd64", seed: str = "", file: str = "") -> Deb:
    """
    Returns a package of about `size` bytes, which has one file, and no script.

    Args:
        seed: Another one gives other bytes of the same number.
        file: A name for its file that is not the one that Debian would give.
    """
    payload = random.Random(f"{seed}/{package}/{version}/{architecture}").randbytes(max(size - 24_000, 64))
    control = (
        f"Package: {package}\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: {PACKAGER}\n"
        f"Installed-Size: {len(payload) // 1024 + 1}\nDescription: synthetic {package}\n"
    )
    members = {
        "debian-binary": b"2.0\n",
        "control.tar": _tar({"./": b"", "./control": control.encode()}),
        "data.tar": _tar({"./": b"", "./usr/": b"", "./usr/share/": b"", f"./usr/share/{package}": payload}),
    }
    content = b"!<arch>\n" + b"".join(_member(name, data) for name, data in members.items())
    return Deb(package, version, architecture, file or pool_name(package, version, architecture), control, content)


def build_source(package: str, version: str = "1.0-1", size: int = 20_000) -> Source:
    """Returns a source package of three files."""
    upstream = version.partition("-")[0]
    files = {
        f"{package}_{upstream}.orig.tar.gz": gzip.compress(random.Random(f"{package}/{version}").randbytes(size), 0, mtime=0),
        f"{package}_{version}.diff.gz": gzip.compress(f"a difference of {package}".encode(), mtime=0),
    }
    lines = ["Format: 1.0", f"Source: {package}", f"Binary: {package}", "Architecture: any", f"Version: {version}", f"Maintainer: {PACKAGER}"]
    lines += ["Files:", *(f" {hashlib.md5(content).hexdigest()} {len(content)} {name}" for name, content in files.items())]
    return Source(package, version, {f"{package}_{version}.dsc": ("\n".join(lines) + "\n").encode(), **files})


def _tar(files: Mapping[str, bytes]) -> bytes:
    """Returns an archive of these files; a name that ends in a slash is a folder's."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, data in files.items():
            if name.endswith("/"):
                tar_folder(tar, name)
            else:
                tar_file(tar, name, data)
    return out.getvalue()


def _member(name: str, data: bytes) -> bytes:
    """Returns a file as an archive of ar(5) holds it."""
    header = f"{name:<16}{EPOCH:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n"
    return header.encode() + data + b"\n" * (len(data) % 2)
