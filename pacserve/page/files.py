"""Files as people name them: a package by its name and version, a database by its repository, an index of apt by its suite."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from pacserve.packages.labels import PackageLabel, parse_label, parse_package_path
from pacserve.packages.names import is_signature, parse_content_name, parse_package_file, signed_file
from pacserve.report.asked import asked_url

# The folder of the suites of a repository of apt, the files there that state what the indexes are, and the folder of those by their digests.
_SUITES = "dists"
_RELEASES = frozenset({"InRelease", "Release", "Release.gpg"})
_BY_DIGEST = "by-hash"
# Characters of a digest that are shown.
_DIGITS = 12
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
        target: `/request/core/x86_64/zlib-1-1-any.pkg.tar.zst`, `/package/zlib-1-1-any.pkg.tar.zst/data?...`,
            `http://deb.example/debian/pool/zlib1g_1_amd64.deb`, or anything else.
    """
    parts = target.partition("?")[0].split("/")
    match parts:
        case ["", "request" | "fetch", repository, _, name]:
            return _named(unquote(name), unquote(repository))
        case ["", "package", name] | ["", "package", name, "data"]:
            return _named(unquote(name), "")
    url = asked_url(target)
    return NamedFile(target, target, "", package=False) if url is None else _of_mirror(url)


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
        label = parse_label(content.label)
        text, architecture = (content.label, "") if label is None else (_called(label), label.architecture)
        return NamedFile(name, text, _joined(repository, architecture), package=True)
    for suffix, what in _DATABASES.items():
        if signed == f"{repository}{suffix}":
            return NamedFile(name, repository, _joined(what, kind), package=False)
    return NamedFile(name, name, repository, package=".pkg.tar" in name)


def _of_mirror(url: str) -> NamedFile:
    """Returns the file of a repository of apt, by its URL."""
    host, *parts = url.partition("://")[2].split("/")
    name = parts[-1] if parts else ""
    label = parse_package_path(name)
    if label is not None:
        return NamedFile(name, _called(label), label.architecture, package=True)
    if _SUITES not in parts:
        return NamedFile(name, name or url, host, package=False)
    path = parts[parts.index(_SUITES) + 1 :]
    if _BY_DIGEST in path:
        path = [*path[: path.index(_BY_DIGEST)], f"{name[:_DIGITS]}…"]
    return NamedFile(name, "/".join(path), _joined("release" if name in _RELEASES else "index", host), package=False)


def _called(label: PackageLabel) -> str:
    return f"{label.package} {label.version}"


def _joined(*texts: str) -> str:
    return ", ".join([text for text in texts if text])
