"""Values as Go sees them: truth, printing (fmt's %v), JSON."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class NilList(list):  # type: ignore[type-arg]
    """A list that is nil in Go: printed `[]`, in JSON null."""


class NilMap(dict):  # type: ignore[type-arg]
    """A map that is nil in Go: printed `map[]`, in JSON null."""


class Nil:
    """A nil pointer: printed `<nil>`, where what is missing prints `<no value>`; false; in JSON null."""

    type_name = "*struct"

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return "<nil>"


class Partial(dict):  # type: ignore[type-arg]
    """An object of which we know what JSON may leave out.

    Attributes:
        fields: by name the value of a field that JSON left out.
    """

    fields: dict[str, Any] = {}


class Struct(Partial):
    """An object that is a struct in Go: printed `{value value}` in the order of its fields."""


def truth(value: object) -> bool:
    """Whether an if takes its branch: not for false, 0, nil, and empty strings, lists and maps."""
    return bool(value)


def show(value: Any) -> str:
    """fmt's %v."""
    if value is None:
        return "<no value>"
    return _inner(value)


def _inner(value: Any) -> str:
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Struct):
        return "{" + " ".join(_inner(value.get(name, default)) for name, default in value.fields.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + " ".join(_inner(item) for item in value) + "]"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_inner(value[key])}" for key in sorted(value)) + "]"
    return str(value)


def number(value: float) -> str:
    """A float64 as %v prints it: shortest, with an exponent from 1e21 on and below 1e-4."""
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    text = repr(value)
    mantissa, mark, exponent = text.partition("e")
    return f"{mantissa}e{exponent[0]}{exponent[1:].rjust(2, '0')}" if mark else text


def type_name(value: object) -> str:
    """The type as Go's error texts name it."""
    name: str | None = getattr(value, "type_name", None)
    if name:
        return name
    for kind, shown in ((bool, "bool"), (int, "int"), (float, "float64"), (str, "string")):
        if isinstance(value, kind):
            return shown
    return "[]interface {}" if isinstance(value, list) else "map[string]interface {}"


def json_text(value: Any) -> str:
    """Compact JSON as Go's encoder writes it, without its HTML escapes."""
    return "".join(_json(value))


def _json(value: Any) -> Iterator[str]:
    if isinstance(value, NilList | NilMap):
        yield "null"
    elif isinstance(value, dict):
        yield "{"
        for index, (key, item) in enumerate(value.items()):
            yield ("," if index else "") + json_string(str(key)) + ":"
            yield from _json(item)
        yield "}"
    elif isinstance(value, list | tuple):
        yield "["
        for index, item in enumerate(value):
            yield "," if index else ""
            yield from _json(item)
        yield "]"
    else:
        yield _json_scalar(value)


def _json_scalar(value: Any) -> str:
    if value is None or isinstance(value, Nil):
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json_string(value)
    return number(value) if isinstance(value, float) else str(value)


_CONTROLS = {chr(code): f"\\u{code:04x}" for code in (*range(32), 0x2028, 0x2029)} | {
    "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f", '"': '\\"', "\\": "\\\\",
}  # fmt: skip
_TABLE = str.maketrans(_CONTROLS)


def json_string(text: str) -> str:
    """A JSON string; only what must be is escaped."""
    return f'"{text.translate(_TABLE)}"'
