"""Files of `NAME=value` lines: `--env-file`, `--label-file`.  Texts are docker's."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def parse_lines(content: bytes, name: str, environment: Mapping[bytes, bytes] | None) -> list[str]:
    """The `NAME=value` lines of a file; `#` begins a comment, only at the start of a line.

    Args:
        name: of the file, for error texts.
        environment: gives the values of bare names; names it lacks are left out, and all of them if it is None.

    Raises:
        ValueError: in docker's words.
    """
    found = []
    for number, raw in enumerate(content.removeprefix(BYTE_ORDER_MARK).split(b"\n"), 1):
        line = raw.removesuffix(b"\r").lstrip()
        if not line or line.startswith(b"#"):
            continue
        try:
            text = line.decode()
        except UnicodeDecodeError:
            raise ValueError(f"invalid env file ({name}): invalid utf8 bytes at line {number}: {_shown(line)}") from None
        entry = _entry(text, name, environment)
        if entry is not None:
            found.append(entry)
    return found


def _entry(line: str, name: str, environment: Mapping[bytes, bytes] | None) -> str | None:
    key, equals, _ = line.partition("=")
    if any(letter.isspace() for letter in key):
        raise ValueError(f"invalid env file ({name}): variable '{key}' contains whitespaces")
    if not key:
        raise ValueError(f"invalid env file ({name}): no variable name on line '{line}'")
    if equals:
        return line
    value = (environment or {}).get(key.encode())
    return None if value is None else f"{key}={value.decode('utf-8', 'surrogateescape')}"


def _shown(line: bytes) -> str:
    return "[" + " ".join(str(byte) for byte in line) + "]"
