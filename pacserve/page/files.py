"""Files as people name them: a package by its name and version, a database by its repository."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from pacserve.packages.names import is_signature, parse_content_name, parse_package_file, signed_file

# The suffix of a database, as `core.db`; of those with the lists of files, `core.files`.
_DATABASES = {".db": "database", ".files": "list of files"}


@dataclass(frozen=True, slots=True)
class NamedFile:
    """
    A file that was asked for.

    Attributes:
        name: Of the file; of a target that is no path to a file, the target.
        text: The package and its version, or the repository.
        note: The kind of the file, and the repository of a package; may be empty.
        package: True if it is a package or its signature.
    """

    name: str
    text: str
    note: str
    package: bool


@lru_cache(maxsize=1024)
def named_file(target: str) -> NamedFile:
    """
    Returns the file that a request target names.  Remembered: while a page is open the same requests are shown every second.

    Args:
        target: `/request/core/x86_64/zlib-1-1-any.pkg.tar.zst`, `/package/zlib-1-1-any.pkg.tar.zst/data?...`, or anything else.
    """
    parts = target.partition("?")[0].split("/")
    match parts:
        case ["", "request" | "fetch", repository, _, name]:
            return _named(unquote(name), unquote(repository))
        case ["", "package", name] | ["", "package", name, "data"]:
            return _named(unquote(name), "")
    return NamedFile(target, target, "", package=False)


def shown_name(name: str) -> tuple[str, str]:
    """Returns package and version of a file, and the kind of file where it is no package; the whole name where it says none."""
    named = _named(name, "")
    return named.text, named.note


def _named(name: str, repository: str) -> NamedFile:
    signed, kind = signed_file(name), "signature" if is_signature(name) else ""
    package, content = parse_package_file(signed), parse_content_name(signed)
    if package is not None:
        return NamedFile(name, f"{package.name} {package.version}", _joined(repository, kind), package=True)
    if content is not None:
        return NamedFile(name, content.label, _joined(repository, kind), package=True)
    for suffix, what in _DATABASES.items():
        if signed == f"{repository}{suffix}":
            return NamedFile(name, repository, _joined(what, kind), package=False)
    return NamedFile(name, name, repository, package=".pkg.tar" in name)


def _joined(*texts: str) -> str:
    return ", ".join([text for text in texts if text])
