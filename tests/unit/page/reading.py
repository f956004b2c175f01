"""A page, as a browser would read it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

_VOID = frozenset({"meta", "link", "input"})
_ANYBODYS = frozenset({"aria-label", "value", "datetime"})
_MARKS = frozenset({"wrong", "warning", "new", "unknown", "known", "refused", "dead", "well", "slow", "failed", "lied", "resting"})


@dataclass
class Element:
    """
    An element.

    Attributes:
        inside: Its elements and texts.
    """

    tag: str
    attributes: dict[str, str | None]
    inside: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text in it."""
        return "".join([one if isinstance(one, str) else one.text for one in self.inside])

    def all(self, tag: str = "") -> list[Element]:
        """All elements in it, or those of one name, in the order of the page."""
        found: list[Element] = []
        for one in self.inside:
            if isinstance(one, Element):
                found += [one] if tag in ("", one.tag) else []
                found += one.all(tag)
        return found

    def one(self, identity: str) -> Element:
        """The element of that id."""
        (found,) = [one for one in self.all() if one.attributes.get("id") == identity]
        return found

    def cells(self, identity: str) -> list[list[str]]:
        """The texts of a table's body."""
        (body,) = self.one(identity).all("tbody")
        return [[cell.text for cell in row.inside if isinstance(cell, Element)] for row in body.all("tr")]

    def skeleton(self) -> object:
        """
        All that is no text of anybody's making: elements and attributes, in each other and in order.

        Notes are left out, which are there or not by what a text says; they hold no element.
        """
        if any(note.all() for note in self.all("small")):
            raise AssertionError("an element in a note")
        attributes = [(name, "" if name in _ANYBODYS else value) for name, value in self.attributes.items()]
        return self.tag, attributes, [one.skeleton() for one in self.inside if isinstance(one, Element) and one.tag != "small"]


class _Reader(HTMLParser):
    """Makes elements, and is stricter than any browser: every element is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.page = Element("", {})
        self.open = [self.page]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if len({name for name, _ in attrs}) != len(attrs):
            raise AssertionError(f"{tag} has an attribute twice: {attrs}")
        element = Element(tag, dict(attrs))
        self.open[-1].inside.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].inside.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if self.open[-1].tag != tag:
            raise AssertionError(f"{self.open[-1].tag} is open where {tag} ends")
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def read(html: bytes | str) -> Element:
    """Reads HTML; what is wrong in it is an AssertionError."""
    reader = _Reader()
    reader.feed(html.decode() if isinstance(html, bytes) else html)
    reader.close()
    if len(reader.open) != 1:
        raise AssertionError(f"{reader.open[-1].tag} is never closed")
    return reader.page


def tame(value: Any) -> Any:
    """A status with every text of anybody's making replaced by an x, but empty where it was, and the states kept, which have colours."""
    if isinstance(value, str):
        return value if not value or value in _MARKS else "x"
    if isinstance(value, tuple):
        return tuple(tame(one) for one in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(value, **{one.name: tame(getattr(value, one.name)) for one in dataclasses.fields(value)})
    return value
