"""What hypothesis makes up of a daemon's status."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any

from hypothesis import strategies as st

from tests.unit.page.made_up import HOSTILE

_PIECES = (
    *(
        '"',
        "'",
        "<",
        ">",
        "&",
        "&quot;",
        "&#34;",
        "&lt",
        "\\",
        "`",
        "=",
        " ",
        "\n",
        "\r",
        "\t",
        "\x00",
        "\x1b[0m",
        "\x85",
        "\u2028",
        "\u202e",
        "\ufeff",
    ),
    *("<script>", "</script>", "</title>", "</table>", "</svg>", "<!--", "-->", "]]>", "<![CDATA[", "<?x", " onload=x", " style=x", "javascript:"),
    *("cache", "peer 10.0.0.3:15678", "mirror https://a", "\udc80", "\U0001f600", "\u0301", HOSTILE),
)
HOSTILE_TEXTS = st.lists(st.sampled_from(_PIECES) | st.text(st.characters(), max_size=5), max_size=6).map("".join)
STATES = st.sampled_from(("new", "unknown", "known", "refused", "dead", "well", "slow", "failed", "lied", "resting"))


def of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type that a status is made of: texts are hostile, numbers as large as the kernel's and clocks' get, and none is negative."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        return st.builds(kind, **{one.name: of(hints[one.name]) for one in dataclasses.fields(kind)})
    if typing.get_origin(kind) is tuple:
        return st.lists(of(typing.get_args(kind)[0]), max_size=3).map(tuple)
    if isinstance(kind, types.UnionType):
        return st.none() | of(next(one for one in typing.get_args(kind) if one is not type(None)))
    return {
        str: HOSTILE_TEXTS | STATES,
        int: st.integers(0, 2**63),
        float: st.floats(0, 1e15) | st.floats(1.79e9, 1.8e9),
        bool: st.booleans(),
    }[kind]
