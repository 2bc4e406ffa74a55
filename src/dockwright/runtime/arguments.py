"""The flags of runc's command line, by the grammar of Go's flag package: -name and --name, =value or the next word.

A command declares a table of names; nothing here knows any command.
"""

from __future__ import annotations

from dockwright.runtime.failure import RuntimeFailure

SWITCH, VALUE, LIST = "switch", "value", "list"


class UsageError(RuntimeFailure):
    """The words of the command line do not make sense."""


class Options:
    """What a command line asked for.

    Attributes:
        values: flag name to bool, string or list of strings; only those that were given. words: the rest.
    """

    def __init__(self) -> None:
        self.values: dict[str, bool | str | list[str]] = {}
        self.words: list[str] = []

    def on(self, name: str) -> bool:
        """Whether a switch was given."""
        return bool(self.values.get(name))

    def text(self, name: str, default: str = "") -> str:
        """The value of a flag."""
        return str(self.values.get(name, default))

    def texts(self, name: str) -> list[str]:
        """The values of a flag that may be repeated."""
        values = self.values.get(name)
        return values if isinstance(values, list) else []

    def number(self, name: str, default: int = 0) -> int:
        """The value of a flag as a decimal number.

        Raises:
            UsageError: it is none.
        """
        text = self.text(name, str(default))
        try:
            return int(text)
        except ValueError:
            raise UsageError(f'invalid value "{text}" for flag -{name}: parse error') from None


def parse(table: dict[str, str], words: list[str], *, aliases: dict[str, str], stop: bool) -> Options:
    """Sort `words` into flags of `table` (name to SWITCH, VALUE or LIST) and the rest.

    Args:
        aliases: short name to name. stop: the first word that is no flag ends the flags (else they may follow it).

    Raises:
        UsageError: an unknown flag, or one without its value.
    """
    options = Options()
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if word == "--":
            options.words += words[index:]
            break
        if len(word) < 2 or word[0] != "-":
            options.words.append(word)
            if stop:
                options.words += words[index:]
                break
            continue
        index = _take(options, table, aliases, words, index)
    return options


def _take(options: Options, table: dict[str, str], aliases: dict[str, str], words: list[str], index: int) -> int:
    """Read the flag before `index`; returns where the next word is."""
    given, equals, value = words[index - 1].lstrip("-").partition("=")
    name = aliases.get(given, given)
    kind = table.get(name)
    if kind is None:
        raise UsageError(f"flag provided but not defined: -{given}")
    if kind == SWITCH:
        if equals and value not in ("true", "false", "1", "0"):
            raise UsageError(f'invalid boolean value "{value}" for -{given}: parse error')
        options.values[name] = not equals or value in ("true", "1")
        return index
    if not equals:
        if index >= len(words):
            raise UsageError(f"flag needs an argument: -{given}")
        value = words[index]
        index += 1
    if kind == LIST:
        options.values[name] = [*options.texts(name), value]
    else:
        options.values[name] = value
    return index
