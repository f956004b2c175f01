"""Tests for `pacserve.errors`."""

import ast
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import pacserve
from pacserve.errors import plain_reason, reason_of

PACKAGE = Path(pacserve.__file__).parent


def error(number: int, path: str | None = None) -> OSError:
    """An error as the system raises it."""
    return OSError(number, os.strerror(number), path)


class ReasonTests(SynchronousTestCase):
    def test_words(self) -> None:
        """The reason comes without its number, with the file if there is one, whatever little is known."""
        self.assertEqual(reason_of(error(errno.ENOSPC)), "no space left on device")
        self.assertEqual(reason_of(error(errno.ENOENT, "/a")), "no such file or directory (/a)")
        self.assertEqual(reason_of(OSError("odd")), "odd")
        self.assertEqual(reason_of(OSError()), "oserror")

    def test_told(self) -> None:
        """A path that the message has already is not told again, and of one below it only the rest is."""
        for path, told in (
            ("/var/lib/pacserve", "permission denied"),
            ("/var/lib/pacserve/databases/core", "permission denied (databases/core)"),
            ("/var/lib", "permission denied (/var/lib)"),
            ("/var/lib/pacserve2", "permission denied (/var/lib/pacserve2)"),
        ):
            self.assertEqual(reason_of(error(errno.EACCES, path), "/var/lib/pacserve"), told)

    def test_plain(self) -> None:
        """The reason for other hosts has no path of this one."""
        self.assertEqual(plain_reason(error(errno.EACCES, "/secret")), "permission denied")


class UseTests(SynchronousTestCase):
    def test_one_place(self) -> None:
        """No other module puts errors of the system into words: none takes their text, and none puts one whole, with its number, into a message."""
        found = [f"{path.relative_to(PACKAGE)}:{line}" for path in sorted(PACKAGE.rglob("*.py")) if path.name != "errors.py" for line in _raw(path)]
        self.assertEqual(found, [])


def _raw(path: Path) -> Iterator[int]:
    """Yields the lines of a module at which the text of an error of the system is used as it is."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and node.attr == "strerror" and not (isinstance(node.value, ast.Name) and node.value.id == "os"):
            yield node.lineno
        if isinstance(node, ast.ExceptHandler) and node.name and isinstance(node.type, ast.Name) and node.type.id == "OSError":
            for inner in ast.walk(node):
                shown = inner.value if isinstance(inner, (ast.FormattedValue, ast.keyword)) else None
                if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id == "str" and inner.args:
                    shown = inner.args[0]
                if isinstance(shown, ast.Name) and shown.id == node.name:
                    yield node.lineno
