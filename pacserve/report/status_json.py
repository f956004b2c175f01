"""`/status` and `/why` as JSON: written by the daemon, read by pacsrv, which may be of another version.  Rules only."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from typing import Any, TypeVar

from pacserve.report.status import Status
from pacserve.report.why import Why

T = TypeVar("T")


def encode(value: Status | Why) -> bytes:
    """Returns the value as JSON."""
    return json.dumps(dataclasses.asdict(value), separators=(",", ":")).encode()


def decode(text: bytes, kind: type[T]) -> T:
    """
    Reads a value of a given class from JSON.  Fields that this version does not know are ignored, and those with a default may be missing: after an
    upgrade the daemon that still runs is the one from before.

    Raises:
        ValueError: The JSON is not of that form.
    """
    return typing.cast("T", _read(json.loads(text), kind))


def _read(value: Any, kind: Any) -> Any:
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, dict):
            raise ValueError(f"{kind.__name__} is no object")
        hints = typing.get_type_hints(kind)
        told = {field.name: _read(value[field.name], hints[field.name]) for field in dataclasses.fields(kind) if field.name in value}
        try:
            return kind(**told)
        except TypeError as error:  # a field without a default is missing, and the text names it
            raise ValueError(str(error)) from None
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise ValueError("no list")
        return tuple(_read(item, typing.get_args(kind)[0]) for item in value)
    if isinstance(kind, types.UnionType):
        if value is None:
            return None
        return _read(value, next(one for one in typing.get_args(kind) if one is not type(None)))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return value
