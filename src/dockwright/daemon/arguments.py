"""dockerd's command line: pflag's grammar over the table of settings."""

from typing import Any

from dockwright.base.errors import InvalidParameter
from dockwright.daemon.settings import BY_FLAG, BY_SHORT, FLAG, LIST, MAP, NESTED, NUMBER, Setting

TRUE = {"1", "t", "T", "true", "TRUE", "True"}
FALSE = {"0", "f", "F", "false", "FALSE", "False"}

Given = dict[str, Any]


def parse(arguments: list[str]) -> Given:
    """The flags in `arguments` by their long names; lists and maps collect their repetitions.

    Raises:
        InvalidParameter: in pflag's words.
    """
    given: Given = {}
    rest = iter(arguments)
    for argument in rest:
        if argument.startswith("--") and len(argument) > 2:
            _long(argument, rest, given)
        elif argument.startswith("-") and len(argument) > 1:
            _shorts(argument, rest, given)
        else:
            raise InvalidParameter('"dockwrightd" accepts no argument(s).\nSee \'dockwrightd --help\'.')
    return given


def _long(argument: str, rest: Any, given: Given) -> None:
    name, equals, value = argument[2:].partition("=")
    setting = BY_FLAG.get(name)
    if not setting:
        raise _misused(f"unknown flag: --{name}")
    if not equals:
        value = "true" if setting.kind == FLAG else _next(rest, f"flag needs an argument: --{name}")
    _take(setting, value, given, f"-{setting.short}, --{name}" if setting.short else f"--{name}")


def _shorts(argument: str, rest: Any, given: Given) -> None:
    """`-D`, `-Hvalue`, `-H=value`, `-H value`, and flags bundled before one that takes a value."""
    letters = argument[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        setting = BY_SHORT.get(letter)
        if not setting:
            raise _misused(f"unknown shorthand flag: '{letter}' in {argument}")
        shown = f"-{letter}, --{setting.flag}"
        if setting.kind == FLAG and not letters.startswith("="):
            _take(setting, "true", given, shown)
            continue
        value = letters.removeprefix("=") or _next(rest, f"flag needs an argument: '{letter}' in {argument}")
        _take(setting, value, given, shown)
        return


def _misused(text: str) -> InvalidParameter:
    """An error in the use of flags: dockerd says where to read on."""
    return InvalidParameter(f"{text}\nSee 'dockwrightd --help'.")


def _next(rest: Any, message: str) -> str:
    value = next(rest, None)
    if value is None:
        raise _misused(message)
    return str(value)


def _take(setting: Setting, value: str, given: Given, shown: str) -> None:
    if setting.kind == LIST:
        given.setdefault(setting.flag, []).append(value)
    elif setting.kind == MAP:
        key, equals, item = value.partition("=")
        if not equals or not key:
            raise _misused(f'invalid argument "{value}" for "{shown}" flag: invalid argument: {value}')
        given.setdefault(setting.flag, {})[key] = item
    elif setting.kind == NESTED:
        root, _, pair = value.partition("=")
        key, equals, item = pair.partition("=")
        if not equals:
            reason = f'invalid value "{value}" for map option, should be root-key=key=value'
            raise _misused(f'invalid argument "{value}" for "{shown}" flag: {reason}')
        given.setdefault(setting.flag, {}).setdefault(root, {})[key] = item
    else:
        given[setting.flag] = _converted(setting, value, shown)


def _converted(setting: Setting, value: str, shown: str) -> Any:
    function = {FLAG: "ParseBool", NUMBER: "ParseInt"}.get(setting.kind)
    if setting.kind == FLAG and value in TRUE | FALSE:
        return value in TRUE
    if setting.kind == NUMBER and value.lstrip("+-").isdecimal():
        return int(value)
    if function:
        reason = f'strconv.{function}: parsing "{value}": invalid syntax'
        raise _misused(f'invalid argument "{value}" for "{shown}" flag: {reason}')
    return value
