"""What Go's decoder does and msgspec does not: keys in any case (`{"image": "x"}` is Image), numbers of 64 bits, lists of one."""

import types
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, Union, get_args, get_origin

import msgspec

from dockwright.base.errors import InvalidParameter

SMALLEST = 1 << 63  # Go's int64


def folded(value: Any, kind: Any) -> Any:
    """`value` (decoded JSON) with the keys that belong to structs of `kind` spelled as their fields."""
    if isinstance(value, dict):
        return _object(value, kind)
    if isinstance(value, list):
        item = _argument(kind, list, 0)
        return [folded(element, item) for element in value] if item else value
    if isinstance(value, int) and not -SMALLEST <= value < SMALLEST:
        raise InvalidParameter(f"invalid JSON: json: cannot unmarshal number {value} into Go value of type int64")
    return value


def _object(value: dict[str, Any], kind: Any) -> dict[str, Any]:
    struct = next((one for one in _alternatives(kind) if isinstance(one, type) and issubclass(one, msgspec.Struct)), None)
    if struct:
        names = _names(struct)
        words = getattr(struct, "WORDS", ())
        pairs = ((names.get(key.lower(), (key, None)), element) for key, element in value.items())
        return {name: folded(_listed(name, element, words), inner) for (name, inner), element in pairs}
    item = _argument(kind, dict, 1)
    return {key: folded(element, item) for key, element in value.items()} if item else value


def _listed(name: str, value: Any, words: Collection[str]) -> Any:
    """A single word where a list of them may also be one (`WORDS` of a struct), as Docker takes it."""
    return [value] if name in words and isinstance(value, str) else value


@cache
def _names(struct: type[msgspec.Struct]) -> Mapping[str, tuple[str, Any]]:
    """Field and type by the field's name in lower case."""
    return {field.name.lower(): (field.encode_name, field.type) for field in msgspec.structs.fields(struct)}


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _argument(kind: Any, origin: type, number: int) -> Any:
    """The type of the elements, if `kind` may be an `origin` (list or dict); None: of no interest."""
    for one in _alternatives(kind):
        if get_origin(one) is origin:
            return get_args(one)[number]
    return None
