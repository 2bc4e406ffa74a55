"""Query parameters, read as Docker's handlers read them in Go."""

import re
from urllib.parse import unquote_to_bytes

import msgspec

from dockwright.base.errors import Internal, InvalidParameter

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}")
_FALSE = {"", "0", "no", "false", "none"}
_INTEGER = re.compile(r"[+-]?[0-9]+")
_TIMESTAMP = re.compile(r"(-?[0-9]+)(?:\.([0-9]{1,9})[0-9]*)?")
_INT64 = 1 << 63


def unescape(text: str, plus: bool = False) -> str:
    """Percent-decode `text` (UTF-8; other bytes are replaced).

    Raises:
        InvalidParameter: a broken escape, in Go's words.
    """
    if plus:
        text = text.replace("+", " ")
    if "%" not in text:
        return text
    if bad := _BAD_ESCAPE.search(text):
        raise InvalidParameter(f'invalid URL escape "{bad.group()}"')
    return unquote_to_bytes(text).decode("utf-8", "replace")


class Query:
    """The parameters of one request; of a repeated one, the first counts unless `all` is asked.

    Raises:
        InvalidParameter: a semicolon or a broken escape, in Go's words.
    """

    def __init__(self, raw: str) -> None:
        self._values: dict[str, list[str]] = {}
        for part in raw.split("&") if raw else ():
            if ";" in part:
                raise InvalidParameter("invalid semicolon separator in query")
            if part:
                key, _, value = part.partition("=")
                self._values.setdefault(unescape(key, plus=True), []).append(unescape(value, plus=True))

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str = "") -> str:
        """The parameter as given."""
        return self._values.get(name, [default])[0]

    def all(self, name: str) -> list[str]:
        """Each value of a parameter that may be repeated."""
        return self._values.get(name, [])

    def flag(self, name: str, default: bool = False) -> bool:
        """True unless absent (then `default`), or "", 0, no, false or none in any case."""
        return default if name not in self._values else self.text(name).strip().lower() not in _FALSE

    def number(self, name: str, default: int | None = None) -> int | None:
        """A 64-bit integer; `default` if absent or empty.

        Raises:
            InvalidParameter: no number, in the words of strconv.
        """
        value = self.text(name)
        return integer(value) if value else default

    def small_number(self, name: str) -> int | None:
        """An integer that Docker reads with strconv.Atoi; None if absent or empty.

        Raises:
            Internal: no number. Docker gives this error no class, so it is a 500.
        """
        try:
            return self.number(name)
        except InvalidParameter as error:
            raise Internal(error.message.replace("ParseInt", "Atoi")) from None

    def timestamp(self, name: str) -> int | None:
        """Unix `seconds[.nanoseconds]` in nanoseconds; None if absent, empty or 0.

        Raises:
            InvalidParameter: something else.
        """
        value = self.text(name)
        if value in ("", "0"):
            return None
        match = _TIMESTAMP.fullmatch(value)
        if not match or abs(int(match[1])) >= _INT64:
            raise InvalidParameter(f'invalid value for {name}: failed to parse "{value}" as a time or duration')
        return int(match[1]) * 1_000_000_000 + int((match[2] or "0").ljust(9, "0"))

    def filters(self) -> dict[str, list[str]]:
        """`filters` in both its forms, `{"k":["v"]}` and `{"k":{"v":true}}`, as key to values.

        Raises:
            InvalidParameter: `invalid filter`.
        """
        value = self.text("filters")
        return parse_filters(value) if value else {}


def integer(value: str) -> int:
    """`value` as strconv.ParseInt(value, 10, 64) reads it.

    Raises:
        InvalidParameter: in its words.
    """
    if not _INTEGER.fullmatch(value):
        raise InvalidParameter(f'strconv.ParseInt: parsing "{value}": invalid syntax')
    number = int(value) if len(value) < 30 else _INT64
    if not -_INT64 <= number < _INT64:
        raise InvalidParameter(f'strconv.ParseInt: parsing "{value}": value out of range')
    return number


def parse_filters(value: str) -> dict[str, list[str]]:
    """The JSON of a `filters` parameter.

    Raises:
        InvalidParameter: `invalid filter`.
    """
    try:
        given = msgspec.json.decode(value, type=dict[str, list[str] | dict[str, bool]])
    except (msgspec.DecodeError, RecursionError):
        raise InvalidParameter("invalid filter") from None
    return {key: values if isinstance(values, list) else [v for v, on in values.items() if on]
            for key, values in given.items()}
