"""JSON in and out as Go's encoding/json does it."""

import re
from typing import Any, TypeVar

import msgspec

from dockwright.api.folding import folded
from dockwright.base.errors import InvalidParameter

T = TypeVar("T")

JSON_LIMIT = 8 << 20
_encoder = msgspec.json.Encoder()
_EXPECTED = re.compile(r"Expected `(\w+)[^`]*`, got `(\w+)`(?: - at `\$\.?(.*)`)?")
_BOUND = re.compile(r"Expected `int` [<>]= -?\d+ - at `\$\.?(.*)`")
_INDEX = re.compile(r"\[[^]]*\]")
_JSON_KINDS = {"str": "string", "int": "number", "float": "number", "array": "array", "object": "object", "bool": "bool"}
_GO_KINDS = {"str": "string", "int": "int64", "float": "float64", "array": "[]string", "object": "struct"}


def encode(document: object) -> bytes:
    """`document` as JSON without the newline; `<`, `>`, `&` and the two Unicode line ends are escaped as Go does.

    In JSON those characters occur only inside strings, so they can be replaced in the encoded bytes.
    """
    data = _encoder.encode(document)
    if b"&" in data or b"<" in data or b">" in data:
        data = data.replace(b"&", b"\\u0026").replace(b"<", b"\\u003c").replace(b">", b"\\u003e")
    if b"\xe2\x80" in data:
        data = data.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
    return data


def line(document: object) -> bytes:
    """`document` as one line of a stream, or as a body: Go's encoder ends each value with a newline."""
    return encode(document) + b"\n"


def decode(body: bytes, kind: type[T]) -> T:
    """The JSON document in `body` as a `kind` (a msgspec struct, dict, ...).

    Raises:
        InvalidParameter: no JSON, another shape, or something behind it, in Docker's words.
    """
    if not body.strip():
        raise InvalidParameter("invalid JSON: got EOF while reading request body")
    try:
        return msgspec.convert(folded(msgspec.json.decode(body), kind), kind)
    except msgspec.ValidationError as error:
        raise InvalidParameter(f"invalid JSON: {_mismatch(str(error))}") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        if "trailing characters" in str(error):
            raise InvalidParameter("unexpected content after JSON") from None
        text = "unexpected EOF" if "truncated" in str(error) else str(error)
        raise InvalidParameter(f"invalid JSON: {text}") from None


def _mismatch(text: str) -> str:
    """A value of the wrong type, in the words of encoding/json."""
    if match := _BOUND.match(text):
        return f"json: cannot unmarshal number into Go struct field {_INDEX.sub('', match[1])} of type uint16"
    match = _EXPECTED.match(text)
    if not match:
        return text
    wanted, given, place = match.groups()
    place = _INDEX.sub("", place or "")
    field = f"struct field {place} of type" if place else "value of type"
    return f"json: cannot unmarshal {_JSON_KINDS.get(given, given)} into Go {field} {_GO_KINDS.get(wanted, wanted)}"


def check_content_type(value: str, expected: str = "application/json") -> None:
    """Refuse a body that does not say it is `expected`.

    Raises:
        InvalidParameter: in Docker's words.
    """
    kind = value.partition(";")[0].strip().lower()
    if not kind:
        raise InvalidParameter(f"malformed Content-Type header ({value}): mime: no media type")
    if kind != expected:
        raise InvalidParameter(f"unsupported Content-Type header ({kind}): must be '{expected}'")


def decode_any(body: bytes) -> Any:
    """The JSON document in `body` as plain Python values."""
    return decode(body, object)
