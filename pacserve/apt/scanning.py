"""
A short-lived program that reads one of apt's lists and writes what it states of the files of its repository to stdout, as an index of
`pacserve.apt.index`.

It runs in a process of its own, since a large list takes a second, and 50 MB of text.  Lists are `Packages` and `Sources` (deb822(5), dsc(5),
wiki.debian.org/DebianRepository/Format); apt itself decompresses them.  It is called as `python -m pacserve.apt.scanning LIST`.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from pacserve.apt import index
from pacserve.apt.content import label_of, package_label
from pacserve.apt.index import SIZE_LIMIT, ListedFile
from pacserve.errors import plain_reason
from pacserve.packages.kept_files import Stamp, stamp_of

# Bytes of a list: Debian's largest has 50 MB.  The daemon ends a child that takes too long as well.
LIST_LIMIT = 1 << 30
# Bytes of one stanza; those of the largest source packages have some 200 KB.
STANZA_LIMIT = 4 << 20
# The suffixes of lists that apt keeps compressed (apt.conf(5), Acquire::GzipIndexes), and what decompresses them.
COMPRESSED = (".lz4", ".zst", ".gz", ".xz", ".bz2", ".lzma")
_APT_HELPER = "/usr/lib/apt/apt-helper"
# The same on a host without apt, for the lists that clients were given: mirrors have them in these forms.
_WITHOUT_APT: dict[str, Callable[[str], Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open, ".lzma": lzma.open}
# Bytes of memory of this program, and of the one that decompresses: a list may say that it needs any number.
MEMORY_LIMIT = 1 << 30
_READ_SIZE = 1 << 20
# Times that a list is read which apt replaces meanwhile.
_ATTEMPTS = 3
_SHA256 = re.compile(rb"[0-9a-f]{64}")
_NUMBER = re.compile(rb"[0-9]{1,13}")
# Bytes of a path, of a name, or of a version.
_VALUE_LIMIT = 4096
# Files of one source package.
_SOURCE_FILES_LIMIT = 1000


def stanzas(file: IO[bytes]) -> Iterator[bytes]:
    """
    Yields the stanzas of a list, each with a newline before it and behind it.  One that is larger than `STANZA_LIMIT` is left out.

    Raises:
        ValueError: The list is larger than `LIST_LIMIT`.
    """
    rest, size, skipping = b"\n", 0, False
    while piece := file.read(_READ_SIZE):
        size += len(piece)
        if size > LIST_LIMIT:
            raise ValueError(f"the list has more than {LIST_LIMIT >> 20} MiB")
        *whole, rest = (rest + (piece.replace(b"\r", b"") if b"\r" in piece else piece)).split(b"\n\n")
        for stanza in whole:
            if not skipping and len(stanza) <= STANZA_LIMIT:
                yield b"\n%b\n" % stanza
            skipping = False
        if len(rest) > STANZA_LIMIT:
            rest, skipping = rest[-1:], True
    if not skipping and len(rest) <= STANZA_LIMIT:
        yield b"\n%b\n" % rest


def listed(stanza: bytes) -> Iterator[ListedFile]:
    """Yields the files that a stanza states: the one of a binary package, or those of a source package."""
    filename = _value(stanza, b"\nFilename:")
    if filename:
        file = _package(stanza, filename)
        if file is not None:
            yield file
    elif (start := stanza.find(b"\nChecksums-Sha256:")) >= 0:
        yield from _source_files(_value(stanza, b"\nDirectory:"), stanza, start)


def _package(stanza: bytes, filename: bytes) -> ListedFile | None:
    path, size, sha256 = _path(filename), _size(_value(stanza, b"\nSize:")), _digest(_value(stanza, b"\nSHA256:"))
    if path is None or size is None or sha256 is None:
        return None
    package, version, architecture = _value(stanza, b"\nPackage:"), _value(stanza, b"\nVersion:"), _value(stanza, b"\nArchitecture:")
    if not package or not version or not architecture:
        return None
    return ListedFile(path, size, sha256, package_label(_text(package), _text(version), _text(architecture)))


def _source_files(directory: bytes, stanza: bytes, start: int) -> Iterator[ListedFile]:
    """Yields the files of a source package, each on a line that begins with a blank."""
    at = stanza.index(b"\n", start + 1) + 1
    for _ in range(_SOURCE_FILES_LIMIT):
        if stanza[at : at + 1] not in (b" ", b"\t"):
            return
        end = stanza.index(b"\n", at)
        fields = stanza[at : min(end, at + _VALUE_LIMIT)].split()
        at = end + 1
        if len(fields) == 3:
            sha256, size, path = _digest(fields[0]), _size(fields[1]), _path(b"%b/%b" % (directory, fields[2]))
            if sha256 is not None and size is not None and path is not None:
                yield ListedFile(path, size, sha256, label_of(_text(fields[2])))


def _value(stanza: bytes, field: bytes) -> bytes:
    """Returns the value of a field of one line, empty where there is none, or where it is too long."""
    start = stanza.find(field)
    if start < 0:
        return b""
    start += len(field)
    end = stanza.find(b"\n", start, start + _VALUE_LIMIT)
    return stanza[start:end].strip() if end >= 0 else b""


def _path(text: bytes) -> bytes | None:
    """Returns a path without parts that mean nothing; None where it may lead out of the repository."""
    if not (text.startswith((b".", b"/")) or b"/." in text or b"//" in text):
        return text
    parts = [part for part in text.split(b"/") if part not in (b"", b".")]
    return b"/".join(parts) if parts and b".." not in parts else None


def _size(text: bytes) -> int | None:
    size = int(text) if _NUMBER.fullmatch(text) else 0
    return size if 0 < size <= SIZE_LIMIT else None


def _digest(text: bytes) -> bytes | None:
    return bytes.fromhex(text.decode()) if _SHA256.fullmatch(text) else None


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


@contextlib.contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """
    Opens a list, whether it is compressed or not.

    Raises:
        ValueError: It can't be decompressed.
        OSError: It can't be read, or apt is not installed.
    """
    if not path.endswith(COMPRESSED):
        with Path(path).open("rb") as file:
            yield file
        return
    suffix = path[path.rfind(".") :]
    if suffix in _WITHOUT_APT and not Path(_APT_HELPER).exists():
        with _WITHOUT_APT[suffix](path) as unpacked:
            yield unpacked
        return
    with subprocess.Popen((_APT_HELPER, "cat-file", path), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as child:  # noqa: S603
        try:
            if child.stdout is not None:
                yield child.stdout
        except BaseException:
            child.kill()
            raise
        if child.wait() != 0:
            raise ValueError("it can't be decompressed")


def _version_of(path: str) -> Stamp:
    """
    Returns which version of a list there is.

    Raises:
        OSError: There is none that can be read.
    """
    stamp = stamp_of(path)
    if stamp is None:
        Path(path).stat()  # says why, where that is an error
        raise OSError(0, "it is no file")
    return stamp


def scan(path: str, output: IO[bytes]) -> None:
    """
    Writes the index of a list.

    Raises:
        ValueError: It is too large, can't be decompressed, or is replaced all the time.
        OSError: It can't be read, or the index can't be written.
    """
    for _ in range(_ATTEMPTS):
        stamp, content = _version_of(path), BytesIO()
        with opened(path) as file:
            index.write(content, stamp, (found for stanza in stanzas(file) for found in listed(stanza)))
        if _version_of(path) == stamp:  # the index is that of the version that it names
            output.write(content.getbuffer())
            return
    raise ValueError("it was replaced each time that it was read")


def main() -> int:
    """Writes the index of a list, and returns the exit status."""
    _, path = sys.argv
    try:
        scan(path, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except (EOFError, MemoryError, lzma.LZMAError) as error:
        sys.stderr.write(f"it can't be decompressed: {error}\n")
        return 1
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{plain_reason(error) if isinstance(error, OSError) else error}\n")
        return 1
    return 0


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    sys.exit(main())
