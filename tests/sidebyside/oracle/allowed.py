"""The differences that stand: allowed.toml (each with the reason why it stays) and open.toml (missing until it is built).

An entry has `command` and `where` (`*` is any text; where defaults to any), `reason`, and may have `reference` and
`ours` (regular expressions of the whole differing text) and `version` (of the reference, a regular expression).
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from oracle.compare import Difference

_KEYS = {"command", "where", "reason", "reference", "ours", "version"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One difference that stands, with its reason."""

    command: re.Pattern[str]
    where: re.Pattern[str]
    reference: re.Pattern[str]
    ours: re.Pattern[str]
    version: re.Pattern[str]
    reason: str
    title: str

    def covers(self, key: str, difference: Difference, version: str) -> bool:
        """Whether this entry is about `difference` of the command `key`, against a reference of `version`."""
        pairs = (
            (self.command, key),
            (self.where, difference.where),
            (self.reference, difference.reference),
            (self.ours, difference.ours),
            (self.version, version),
        )
        return all(pattern.fullmatch(text) for pattern, text in pairs)


def read(file: Path) -> list[Entry]:
    """The entries of `file`.

    Raises:
        ValueError: an entry without command or reason, or with a key that means nothing.
    """
    entries = tomllib.loads(file.read_text()).get("difference", [])
    return [_entry(entry) for entry in entries]


def _entry(entry: dict[str, str]) -> Entry:
    if unknown := set(entry) - _KEYS:
        raise ValueError(f"{unknown} in {entry}")
    if len(entry.get("reason", "").split()) < 4 or not entry.get("command"):
        raise ValueError(f"an entry needs a command and a reason: {entry}")
    expressions = {name: re.compile(entry.get(name, ".*"), re.S) for name in ("reference", "ours", "version")}
    title = f"{entry['command']} ({entry.get('where', '*')})"
    where = _glob(entry.get("where", "*"))
    return Entry(command=_glob(entry["command"]), where=where, **expressions, reason=entry["reason"], title=title)


def _glob(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.S)
