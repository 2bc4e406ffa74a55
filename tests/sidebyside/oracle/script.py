"""The script: files of `name: shell command`, one command a line.

A line that begins with a blank goes on with the command above it; `#` begins a comment line. Commands are bash, so
standard input is written `<<< text`. A file is a section: it starts with the fixtures' images and nothing else.
"""

import re
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r"([a-z0-9][a-z0-9-]*): (.+)")


class ScriptError(Exception):
    """A line of the script that is not of its grammar."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the script; `section` is the stem of its file."""

    section: str
    name: str
    line: str

    @property
    def key(self) -> str:
        """What allowed.toml and the tests call it."""
        return f"{self.section}/{self.name}"


def parse(section: str, text: str) -> list[Command]:
    """The commands of one section.

    Raises:
        ScriptError: with the number of the line at fault.
    """
    found: list[tuple[str, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith(" ") and found:
            found[-1] = (found[-1][0], f"{found[-1][1]}\n{line.strip()}")
        elif match := _LINE.fullmatch(line):
            found.append((match[1], match[2]))
        else:
            raise ScriptError(f"{section}, line {number}: {line}")
    names = [name for name, _ in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ScriptError(f"{section}: given twice: {', '.join(twice)}")
    return [Command(section, name, line) for name, line in found]


def read(folder: Path) -> list[Command]:
    """All sections of `folder`, in the order of their names."""
    return [command for file in sorted(folder.glob("*.txt")) for command in parse(file.stem, file.read_text())]
