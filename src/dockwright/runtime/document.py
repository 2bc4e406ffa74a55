"""JSON by the interpreter's own C code, without the json package around it.

`import json` loads the regular expressions for 5 ms, a third of what a whole `dockwright-runc run` may take. `_json` is
CPython's accelerator for that package; where it is missing or differs, the package itself serves.
"""

from __future__ import annotations

import _json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Scanning:
    """What the C scanner reads of a JSONDecoder."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int = float, int

    @staticmethod
    def parse_constant(name: str) -> float:
        """NaN and Infinity are not JSON."""
        raise ValueError(f"invalid character '{name[0]}' looking for beginning of value")


_scan = _json.make_scanner(_Scanning())  # type: ignore[arg-type]
_BLANK = " \t\r\n"


def loads(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is not JSON, with the place.
    """
    try:
        value, end = _scan(text, _skip(text, 0))
    except RecursionError:
        raise ValueError("exceeded max depth") from None
    except (StopIteration, SystemError, ValueError):
        raise ValueError(_complaint(text)) from None
    rest = _skip(text, end)
    if rest < len(text):
        raise ValueError(f"invalid character '{text[rest]}' after top-level value")
    return value


def _skip(text: str, index: int) -> int:
    while index < len(text) and text[index] in _BLANK:
        index += 1
    return index


def _complaint(text: str) -> str:
    """What is wrong with a text that the scanner refused, as Go's encoding/json says it."""
    import json  # slow, but it knows the place, and the command fails anyway

    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()):
            return "unexpected end of JSON input"
        what = "object key string" if "property name" in error.msg else "value"
        return f"invalid character '{text[error.pos]}' looking for beginning of {what}"
    except ValueError as error:
        return str(error)
    return "not a JSON text"


def dumps(value: Any, indent: int = 0) -> str:
    """`value` as JSON; with `indent` spaces per level, as Go's MarshalIndent writes it."""
    if not indent:
        encode = _json.make_encoder(None, _refuse, _json.encode_basestring_ascii, None, ":", ",", False, False, False)
        return "".join(encode(value, 0))
    return _indented(value, indent, "")


def _refuse(value: object) -> None:
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _indented(value: Any, indent: int, margin: str) -> str:
    inner = margin + " " * indent
    if isinstance(value, dict) and value:
        lines = [f"{inner}{dumps(str(k))}: {_indented(v, indent, inner)}" for k, v in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{margin}}}"
    if isinstance(value, (list, tuple)) and value:
        return "[\n" + ",\n".join(inner + _indented(item, indent, inner) for item in value) + f"\n{margin}]"
    return dumps(value)
