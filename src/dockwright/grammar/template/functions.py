"""The functions of text/template, and those docker adds: json, split, join, title, lower, upper, pad, truncate."""

from __future__ import annotations

from dockwright.grammar.template.values import json_text, show, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NUMBERS = (int, float)


def equal(first: Any, *others: Any) -> bool:
    """eq: whether the first equals one of the others."""
    if not others:
        raise ValueError("missing argument for comparison")
    return any(_comparable(first, other) and first == other for other in others)


def _comparable(first: Any, second: Any) -> bool:
    if first is None or second is None or _class(first) == _class(second):
        return True
    raise ValueError("incompatible types for comparison")


def _class(value: Any) -> object:
    if isinstance(value, bool):
        return bool
    return float if isinstance(value, NUMBERS) else type(value)


def _less(first: Any, second: Any) -> bool:
    _comparable(first, second)
    return bool(first < second)


def index(value: Any, *keys: Any) -> Any:
    """index: x[1][2]; a missing map key gives nil."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list | str) and isinstance(key, int):
            if not 0 <= key < len(value):
                raise ValueError(f"index out of range: {key}")
            value = value[key] if isinstance(value, list) else ord(value[key])
        elif value is None:
            raise ValueError("index of untyped nil")
        else:
            raise ValueError(f"can't index item of type {type_name(value)}")
    return value


def slice_(value: Any, *bounds: int) -> Any:
    """slice: x[a:b]."""
    return value[slice(*bounds)] if len(bounds) > 1 else value[bounds[0] if bounds else 0 :]


def length(value: Any) -> int:
    """len."""
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, list | dict):
        return len(value)
    raise ValueError(f"len of type {type_name(value)}")


def print_(*values: Any) -> str:
    """fmt.Sprint: spaces between operands when neither is a string."""
    text, before = "", True
    for value in values:
        is_text = isinstance(value, str)
        text += (" " if text and not (before or is_text) else "") + show(value)
        before = is_text
    return text


def println(*values: Any) -> str:
    """fmt.Sprintln."""
    return " ".join(show(value) for value in values) + "\n"


def truncate(text: str, count: int) -> str:
    """The first `count` characters."""
    return text if len(text) < count else text[:count]


def pad(text: str, before: int, after: int) -> str:
    """Spaces around a text, unless it is empty."""
    return " " * before + text + " " * after if text else text


def title(text: str) -> str:
    """Each word with a capital."""
    return "".join(letter.upper() if not at or not text[at - 1].isalnum() else letter for at, letter in enumerate(text))


def printf(form: str, *values: Any) -> str:
    """fmt.Sprintf with the verbs v s d q t x X o b c f e g."""
    from dockwright.grammar.template.printf import sprintf

    return sprintf(form, values)


def html(value: Any) -> str:
    """Escaped for HTML."""
    text = show(value)
    for plain, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&#34;"), ("'", "&#39;")):
        text = text.replace(plain, escaped)
    return text


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "eq": equal,
    "ne": lambda first, second: not equal(first, second),
    "lt": _less,
    "le": lambda first, second: not _less(second, first),
    "gt": lambda first, second: _less(second, first),
    "ge": lambda first, second: not _less(first, second),
    "not": lambda value: not value,
    "len": length,
    "index": index,
    "slice": slice_,
    "print": print_,
    "println": println,
    "printf": printf,
    "html": html,
    "json": json_text,
    "split": lambda text, separator: text.split(separator) if separator else list(text),
    "join": lambda items, separator: separator.join(show(item) for item in items or ()),
    "title": title,
    "lower": lambda text: text.lower(),
    "upper": lambda text: text.upper(),
    "pad": pad,
    "truncate": truncate,
}
LAZY = ("and", "or")
