"""Command line flags by pflag's grammar, with pflag's texts: docker's users and scripts match on both.

A table is a text of `name:kind` or `x/name:kind` words, so that a command with a hundred flags is read in microseconds:

    FLAGS = Flags("d/detach:bool e/env:list m/memory:bytes name")      # no kind: a string

Sources: pflag's documentation; observed with docker 28. Imports nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

TRUE = ("1", "t", "T", "TRUE", "true", "True")
FALSE = ("0", "f", "F", "FALSE", "false", "False")
REPEATED = ("list", "filter", "stringSlice", "map", "mount", "ulimit", "network", "gpu-request")


class FlagError(ValueError):
    """A malformed command line; the text is pflag's."""


class Flags:
    """The flags of one command.

    Args:
        table: words `[letter/]name[:kind]`.
        aliases: other spellings, e.g. {"net": "network"}.
        deprecated: spellings that still work, with what is said about them.
    """

    def __init__(
        self, table: str, aliases: Mapping[str, str] | None = None, deprecated: Mapping[str, str] | None = None
    ) -> None:
        self.kinds: dict[str, str] = {"help": "bool"}
        self.letters: dict[str, str] = {}
        self.aliases = aliases or {}
        self.deprecated = deprecated or {}
        for word in table.split():
            name, _, kind = word.partition(":")
            letter, slash, rest = name.partition("/")
            if slash:
                self.letters[letter] = name = rest
            self.kinds[name] = kind or "string"

    def shown(self, name: str) -> str:
        """The flag as error texts name it: "-m, --memory"."""
        letter = next((letter for letter, owner in self.letters.items() if owner == name), "")
        return f"-{letter}, --{name}" if letter else f"--{name}"


class Given:
    """What a command line said.

    Attributes:
        values: by long name, only what was given; repeated kinds are lists.
        rest: the arguments that are no flags. notes: lines for stderr about deprecated spellings.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.rest: list[str] = []
        self.notes: list[str] = []

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def flag(self, name: str, default: bool = False) -> bool:
        """A bool."""
        return bool(self.values.get(name, default))

    def text(self, name: str, default: str = "") -> str:
        """A string."""
        return str(self.values.get(name, default))

    def number(self, name: str, default: int = 0) -> int:
        """An int, a size in bytes, a duration in nanoseconds."""
        return int(self.values.get(name, default))

    def list(self, name: str) -> list[Any]:
        """A repeated flag's values."""
        return self.values.get(name, [])  # type: ignore[no-any-return]


class Parser:
    """One reading of a command line.

    Args:
        flags: the table.
        interspersed: flags may follow arguments (not so where the rest is another program's command line).
        converters: for kinds this module does not know: text to value; ValueError's text is the user's.
    """

    def __init__(
        self, flags: Flags, interspersed: bool = True, converters: Mapping[str, Callable[[str], Any]] | None = None
    ) -> None:
        self.flags = flags
        self.given = Given()
        self._interspersed = interspersed
        self._converters = converters or {}

    def parse(self, arguments: list[str]) -> Given:
        """Read `arguments`.

        Raises:
            FlagError: in pflag's words.
        """
        given, waiting = self.given, arguments[::-1]
        while waiting:
            argument = waiting.pop()
            if argument == "--":
                given.rest += waiting[::-1]
                break
            if argument.startswith("--"):
                self._long(argument, waiting)
            elif argument.startswith("-") and argument != "-":
                self._cluster(argument, waiting)
            else:
                given.rest.append(argument)
                if not self._interspersed:
                    given.rest += waiting[::-1]
                    break
        return given

    def _long(self, argument: str, waiting: list[str]) -> None:
        name, equals, value = argument[2:].partition("=")
        if not name or name[0] == "-":
            raise FlagError(f"bad flag syntax: {argument}")
        if name in self.flags.deprecated:
            self.given.notes.append(f"Flag --{name} has been deprecated, {self.flags.deprecated[name]}")
        name = self.flags.aliases.get(name, name)
        if name not in self.flags.kinds:
            raise FlagError(f"unknown flag: --{name}")
        if not equals:
            value = self._argument(name, f"--{name}", waiting)
        self._set(name, value)

    def _cluster(self, argument: str, waiting: list[str]) -> None:
        """`-it`, `-p80`, `-p=80`, `-p 80`."""
        letters = argument[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            name = self._by_letter(letter, argument)
            if letters.startswith("="):
                self._set(name, letters[1:])
                return
            if self.flags.kinds[name] == "bool":
                self._set(name, "true")
                continue
            self._set(name, letters or self._argument(name, f"'{letter}' in {argument}", waiting))
            return

    def _by_letter(self, letter: str, argument: str) -> str:
        name = self.flags.letters.get(letter)
        if name is None and letter == "h":
            self.given.notes.append("Flag shorthand -h has been deprecated, use --help")
            name = "help"
        if name is None:
            raise FlagError(f"unknown shorthand flag: '{letter}' in {argument}")
        return name

    def _argument(self, name: str, shown: str, waiting: list[str]) -> str:
        if self.flags.kinds[name] == "bool":
            return "true"
        if not waiting:
            raise FlagError(f"flag needs an argument: {shown}")
        return waiting.pop()

    def _set(self, name: str, text: str) -> None:
        kind = self.flags.kinds[name]
        converter = self._converters.get(name) or self._converters.get(kind) or CONVERTERS.get(kind)
        try:
            value = converter(text) if converter else text
        except ValueError as error:
            raise FlagError(f'invalid argument "{text}" for "{self.flags.shown(name)}" flag: {error}') from error
        if kind in REPEATED:
            target = self.given.values.setdefault(name, [])
            target += value if kind == "stringSlice" else [value]
        else:
            self.given.values[name] = value


def boolean(text: str) -> bool:
    """Go's ParseBool."""
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise ValueError(f'strconv.ParseBool: parsing "{text}": invalid syntax')


def integer(text: str, low: int = -(1 << 63), high: int = (1 << 63) - 1, function: str = "ParseInt") -> int:
    """Go's ParseInt with base 0: decimal, 0x, 0o, 0b, and a leading 0 for octal."""
    digits = text.lstrip("+-")
    signed = len(text) - len(digits)
    octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    try:
        if signed > 1 or not digits.isascii() or digits != digits.strip() or (signed and function == "ParseUint"):
            raise ValueError
        value = int(f"0o{digits[1:]}" if octal else digits, 0) * (-1 if text[0] == "-" else 1)
    except ValueError:
        raise ValueError(f'strconv.{function}: parsing "{text}": invalid syntax') from None
    if not low <= value <= high:
        raise ValueError(f'strconv.{function}: parsing "{text}": value out of range')
    return value


def _unsigned(bits: int) -> Callable[[str], int]:
    return lambda text: integer(text, 0, (1 << bits) - 1, "ParseUint")


def _size(text: str) -> int:
    from dockwright.grammar.units import ram_in_bytes

    return ram_in_bytes(text)


def _duration(text: str) -> int:
    from dockwright.grammar.durations import parse_duration

    return parse_duration(text)


def _nano_cpus(text: str) -> int:
    from dockwright.grammar.units import nano_cpus

    return nano_cpus(text)


def _filter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError("bad format of filter (expected name=value)")
    return name.strip().lower(), value.strip()


CONVERTERS: dict[str, Callable[[str], Any]] = {
    "bool": boolean,
    "int": integer,
    "uint": _unsigned(64),
    "uint16": _unsigned(16),
    "bytes": _size,
    "duration": _duration,
    "decimal": _nano_cpus,
    "filter": _filter,
    "stringSlice": lambda text: text.split(","),
}
