"""Go's fmt.Sprintf for what templates print."""

from __future__ import annotations

from dockwright.grammar.template.values import json_string, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FLAGS = "+-# 0"


def sprintf(form: str, values: tuple[Any, ...]) -> str:
    """`form` with its verbs filled in; too few or too many values are shown as Go shows them."""
    result, at, used = "", 0, 0
    while (percent := form.find("%", at)) >= 0:
        result += form[at:percent]
        flags, width, precision, verb, at = _verb(form, percent + 1)
        if verb == "%":
            result += "%"
        elif used >= len(values):
            result += f"%!{verb}(MISSING)"
        else:
            result += _padded(_one(verb, flags, precision, values[used]), flags, width)
            used += 1
    extra = ", ".join(f"{type(value).__name__}={show(value)}" for value in values[used:])
    return result + form[at:] + (f"%!(EXTRA {extra})" if extra else "")


def _verb(form: str, at: int) -> tuple[str, int, int, str, int]:
    start = at
    while at < len(form) and form[at] in FLAGS:
        at += 1
    flags = form[start:at]
    width, at = _digits(form, at)
    precision = -1
    if form[at : at + 1] == ".":
        precision, at = _digits(form, at + 1)
    return flags, width, precision, form[at : at + 1] or "!", at + 1


def _digits(form: str, at: int) -> tuple[int, int]:
    start = at
    while at < len(form) and form[at].isdigit():
        at += 1
    return int(form[start:at] or 0), at


def _padded(text: str, flags: str, width: int) -> str:
    if "-" in flags:
        return text.ljust(width)
    return text.zfill(width) if "0" in flags else text.rjust(width)


def _one(verb: str, flags: str, precision: int, value: Any) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if verb == "q" and isinstance(value, str):
        return json_string(value)
    if verb in "sv" and (verb == "v" or not number):
        text = show(value)
        return text[:precision] if precision >= 0 and isinstance(value, str) else text
    if verb == "t" and isinstance(value, bool):
        return show(value)
    if verb in "xX" and isinstance(value, str):
        return value.encode().hex() if verb == "x" else value.encode().hex().upper()
    if verb in "dxXob" and number and isinstance(value, int):
        return ("+" if "+" in flags and value >= 0 else "") + format(value, verb)
    if verb in "feEg" and isinstance(value, float):
        return format(value, f".{precision}{verb}" if precision >= 0 or verb != "g" else "")
    if verb == "c" and isinstance(value, int):
        return chr(value)
    return f"%!{verb}({type(value).__name__}={show(value)})"
