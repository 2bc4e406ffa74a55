"""JSON without the json package, whose decoder imports re and enum (4 ms of a 15 ms run).

The scanner and the encoder are the ones the json package itself uses, `_json`; where an interpreter has none, the
package is loaded.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

SPACE = " \t\r\n"


class _Options:
    """What the scanner asks of its context: the defaults of `json.loads`."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float
    memo: dict[str, str] = {}


def _scanner() -> Callable[[str, int], tuple[Any, int]]:
    try:
        from _json import make_scanner
    except ImportError:
        from json import JSONDecoder

        return JSONDecoder().scan_once  # type: ignore[attr-defined, no-any-return]
    return make_scanner(_Options)  # type: ignore[arg-type]


def _encoder() -> Callable[[object], str]:
    try:
        from _json import encode_basestring_ascii, make_encoder
    except ImportError:
        from json import JSONEncoder

        return JSONEncoder(separators=(",", ":")).encode
    encode = make_encoder(None, _refuse, encode_basestring_ascii, None, ":", ",", False, False, True)
    return lambda document: "".join(encode(document, 0))


def _refuse(value: object) -> object:
    raise TypeError(f"{type(value).__name__} is no JSON")


def loads(body: bytes | str) -> Any:
    """JSON to Python.

    Raises:
        ValueError: not one JSON document.
    """
    text = (body.decode("utf-8", "replace") if isinstance(body, bytes) else body).strip(SPACE)
    try:
        document, end = _scanner()(text, 0)
    except StopIteration:
        raise ValueError("unexpected end of JSON input") from None
    except SystemError:  # the scanner looks for the json package to say what is wrong
        from json import loads as explained

        return explained(text)
    if end != len(text):
        raise ValueError("invalid character after top-level value")
    return document


def dumps(document: object) -> bytes:
    """Python to compact JSON bytes, ASCII only; bytes of arguments that are no UTF-8 become U+FFFD, as in Go."""
    text = _encoder()(document)
    if "\\ud" in text:
        text = _encoder()(_repaired(document))
    return text.encode()


def _repaired(document: Any) -> Any:
    if isinstance(document, str):
        return document.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(document, dict):
        return {_repaired(key): _repaired(value) for key, value in document.items()}
    return [_repaired(item) for item in document] if isinstance(document, list | tuple) else document
