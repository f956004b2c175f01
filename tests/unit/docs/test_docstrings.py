"""Docstrings of pacserve keep the rules of CONTRIBUTING.md that a program can check."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parents[3] / "pacserve"

_HEADLESS = re.compile(r"(?:What|Who|Whom|Whose|Whether)\b(?![^.]*\?)")
# A word that may be a verb in the third person: `Returns`, `Passes`.  Nouns in the plural pass, too; `_NOUNS` has those that were met.
_VERB = re.compile(r"[A-Z][a-z]+s\b")
_NOUNS = re.compile(
    r"(?:As|Bytes|Hours|Its|Names|Numbers|Packages|Peers|Seconds|This|Times|Words|Addresses|Always|Files|Hosts|Mirrors|Minutes|Requests)\b"
)

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def docstrings(source: str) -> Iterator[tuple[Documented, str]]:
    """Yields everything in a source text that has a docstring, with that."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Documented):
            text = ast.get_docstring(node)
            if text:
                yield node, text


def faults(source: str) -> list[str]:
    """Returns the first lines of the docstrings that break a rule."""
    return [
        text.splitlines()[0] for node, text in docstrings(source) if _HEADLESS.match(text) or (_is_function(node) and not _begins_with_verb(text))
    ]


def _is_function(node: Documented) -> bool:
    """Returns whether a node is a function or method that is called as one, and so no property."""
    if isinstance(node, ast.Module | ast.ClassDef):
        return False
    return not any("property" in ast.unparse(decorator) for decorator in node.decorator_list)


def _begins_with_verb(text: str) -> bool:
    return _VERB.match(text) is not None and _NOUNS.match(text) is None


class DocstringTests(SynchronousTestCase):
    def test_rules(self) -> None:
        """No docstring begins with a headless What, Who, Whom or Whether, and those of functions begin with a verb in the third person."""
        found = [f"{path.relative_to(ROOT.parent)}: {fault}" for path in sorted(ROOT.rglob("*.py")) for fault in faults(path.read_text())]
        self.assertEqual(found, [])

    def test_seen(self) -> None:
        """Each fault is seen, and a docstring that keeps the rules is left alone."""
        for text, seen in (
            ("Returns the size.", False),
            ("Passes a body on.", False),
            ("What a file is.", True),
            ("Whether it is there.", True),
            ("A size.", True),
            ("Return the size.", True),
            ("Seconds since the epoch.", True),
            ("True if it is there.", True),
        ):
            self.assertEqual(bool(faults(f'def size():\n    """{text}"""\n')), seen, text)
        for text, seen in (("What a file is.", True), ("A file.", False), ("What is a file?", False), ("Whoever asks.", False)):
            self.assertEqual(bool(faults(f'class File:\n    """{text}"""\n')), seen, text)
        self.assertEqual(faults('class File:\n    @property\n    def there(self):\n        """True if it is there."""\n'), [])
