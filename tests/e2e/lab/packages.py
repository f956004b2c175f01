"""
Synthetic packages that `pacman -S` and `pacman -Qkk` accept, made quickly and the same each time.

The payload is random and can't be compressed, so the zstd container is written by hand with stored blocks (RFC 8878, 3.1.1.2).
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import os
import random
import shutil
import subprocess
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path

# When everything was built and modified, seconds since the epoch.
EPOCH = 1_700_000_000
PACKAGER = "Lab <lab@example.org>"
_BLOCK = 1 << 17
# Sockets and locks in a GnuPG home, which are of no use in a copy.
LIVE_FILES = shutil.ignore_patterns("S.*", "*.lock")


@dataclass(frozen=True, slots=True)
class Package:
    """
    A package file and what its database entry states.

    Attributes:
        signature: The content of the `.sig` file beside it, in base64; empty when it is not signed.
    """

    name: str
    version: str
    arch: str
    path: Path
    size: int
    installed_size: int
    sha256: str
    signature: str = ""

    @property
    def filename(self) -> str:
        """The name of the package file."""
        return self.path.name


class _RawZstd(io.RawIOBase):
    """A write-only zstd stream of stored blocks: window 128 KiB, no checksum."""

    def __init__(self, out: io.BufferedWriter) -> None:
        self._out, self._pending = out, bytearray()
        out.write(b"\x28\xb5\x2f\xfd\x00\x38")

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        assert isinstance(data, bytes | bytearray | memoryview)
        self._pending += data
        while len(self._pending) > _BLOCK:
            self._block(self._pending[:_BLOCK], last=False)
            del self._pending[:_BLOCK]
        return len(data)

    def _block(self, data: bytearray, *, last: bool) -> None:
        self._out.write((last | len(data) << 3).to_bytes(3, "little") + data)

    def close(self) -> None:
        if not self.closed:
            self._block(self._pending, last=True)
            super().close()


def tar_file(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Adds a file of root's to an archive."""
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode, info.uname, info.gname = len(data), EPOCH, 0o644, "root", "root"
    tar.addfile(info, io.BytesIO(data))


def tar_folder(tar: tarfile.TarFile, name: str) -> None:
    """Adds a folder of root's to an archive."""
    info = tarfile.TarInfo(name)
    info.type, info.mtime, info.mode, info.uname, info.gname = tarfile.DIRTYPE, EPOCH, 0o755, "root", "root"
    tar.addfile(info)


def _mtree_line(path: str, data: bytes) -> str:
    return f"{path} size={len(data)} md5digest={hashlib.md5(data).hexdigest()} sha256digest={hashlib.sha256(data).hexdigest()}"


def _fields(*pairs: tuple[str, object]) -> bytes:
    return "".join(f"{key} = {value}\n" for key, value in pairs).encode()


def build(folder: Path, name: str, version: str, size: int, *, arch: str = "x86_64", seed: str = "") -> Package:
    """Writes a package of about `size` bytes.  The same arguments give the same bytes; another `seed` gives others of the same number."""
    payload = random.Random(f"{seed}/{name}/{version}").randbytes(max(size - 4096, 512))
    folders = ("usr", "usr/share", f"usr/share/{name}")
    data = f"usr/share/{name}/payload"
    common = (("pkgname", name), ("pkgbase", name), ("pkgver", version), ("packager", PACKAGER), ("builddate", EPOCH))
    info = _fields(*common, ("pkgdesc", f"synthetic {name}"), ("url", "https://example.org/"), ("size", len(payload)), ("arch", arch))
    build_info = _fields(("format", 2), *common, ("pkgarch", arch))
    lines = [
        "#mtree",
        f"/set type=file uid=0 gid=0 mode=644 time={EPOCH}.0",
        _mtree_line("./.BUILDINFO", build_info),
        _mtree_line("./.PKGINFO", info),
        *(f"./{part} mode=755 type=dir" for part in folders),
        _mtree_line(f"./{data}", payload),
    ]
    path = folder / f"{name}-{version}-{arch}.pkg.tar.zst"
    with path.open("wb") as raw, _RawZstd(raw) as stream, tarfile.open(fileobj=stream, mode="w|", format=tarfile.GNU_FORMAT) as tar:
        tar_file(tar, ".BUILDINFO", build_info)
        tar_file(tar, ".MTREE", gzip.compress("\n".join(lines).encode() + b"\n", mtime=0))
        tar_file(tar, ".PKGINFO", info)
        for part in folders:
            tar_folder(tar, part)
        tar_file(tar, data, payload)
    os.utime(path, (EPOCH, EPOCH))
    content = path.read_bytes()
    return Package(name, version, arch, path, len(content), len(payload), hashlib.sha256(content).hexdigest())


class SigningKey:
    """
    A throw-away key in a GnuPG home that pacman can use as its GPGDir.

    Args:
        home: The folder to make.
        source: A home whose key is copied; without it a key is made.
    """

    def __init__(self, home: Path, source: Path | None = None) -> None:
        self.home = home
        self._gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback"]
        if source is not None:
            shutil.copytree(source, home, ignore=LIVE_FILES)
            return
        home.mkdir(mode=0o700)
        (home / "pubring.gpg").touch()  # The legacy name, so that gpg and gpgme agree on one file.
        subprocess.run([*self._gpg, "--passphrase", "", "--quick-gen-key", PACKAGER, "ed25519", "sign", "never"], check=True)

    def sign(self, package: Package) -> Package:
        """Writes the `.sig` file; the result knows its content."""
        path = package.path.with_name(package.filename + ".sig")
        subprocess.run([*self._gpg, "--no-armor", "--detach-sign", "--output", str(path), str(package.path)], check=True)
        os.utime(path, (EPOCH, EPOCH))
        return replace(package, signature=base64.b64encode(path.read_bytes()).decode())

    def clear_signed(self, text: str) -> bytes:
        """Returns a text with its signature around it, as an InRelease file is."""
        return self._signed(text, "--clear-sign")

    def signature(self, text: str) -> bytes:
        """Returns the signature of a text, as a Release.gpg file is."""
        return self._signed(text, "--armor", "--detach-sign")

    def _signed(self, text: str, *how: str) -> bytes:
        return subprocess.run([*self._gpg, "--digest-algo", "SHA512", *how], input=text.encode(), capture_output=True, check=True).stdout

    def public(self) -> bytes:
        """Returns the public key, as apt takes it from a file whose name ends in `.gpg`."""
        return subprocess.run([*self._gpg, "--export"], capture_output=True, check=True).stdout

    def close(self) -> None:
        """Ends the agent that gpg started."""
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "gpg-agent"], check=True)
