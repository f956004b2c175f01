"""Releases of repositories, as apt-ftparchive(1) and gpg(1) write them; the signatures are none."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

DATE = "Thu, 01 Jan 2026 00:00:00 UTC"


def digest_of(data: bytes) -> bytes:
    """Returns the SHA-256 of an index."""
    return hashlib.sha256(data).digest()


def release_text(files: Mapping[str, bytes], *, date: str = DATE, by_hash: bool = False) -> bytes:
    """Returns a Release with these indexes."""
    lines = ["Origin: example", "Suite: a", f"Date: {date}", *(["Acquire-By-Hash: yes"] if by_hash else []), "MD5Sum:"]
    lines += [f" {hashlib.md5(data).hexdigest()} {len(data):>8} {path}" for path, data in files.items()]
    lines += ["SHA256:", *[f" {digest_of(data).hex()} {len(data):>8} {path}" for path, data in files.items()]]
    return "\n".join(lines).encode() + b"\n"


def in_release(files: Mapping[str, bytes], *, date: str = DATE, by_hash: bool = False) -> bytes:
    """Returns an InRelease with these indexes."""
    text = release_text(files, date=date, by_hash=by_hash)
    return b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n%s-----BEGIN PGP SIGNATURE-----\n\nwsF=\n-----END PGP SIGNATURE-----\n" % text
