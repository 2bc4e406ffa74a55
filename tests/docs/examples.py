"""The examples of the documentation: what stands in ```console blocks, as commands and the output they are to have.

A line that begins with `$ ` is a command (a trailing backslash goes on in the next line); what follows, up to the next
command, is its output: `...` stands for anything on that line, a line that is only `...` for any number of lines. A
command without output below it must only succeed. A block is one shell's: variables live as long as it does.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)


@dataclass
class Example:
    """One command.

    Attributes:
        page: relative to the repository. line: its number there. output: lines, with their dots.
    """

    page: str
    line: int
    command: str
    output: list[str] = field(default_factory=list)

    def pattern(self) -> str:
        """What the output must match, whole; trailing space does not count."""
        rows = [r"(?:.*\n)*?" if row.strip() == "..." else _row(row) for row in self.output]
        return "".join(rows)


def _row(row: str) -> str:
    return ".*".join(map(re.escape, row.rstrip().split("..."))) + r"[ \t]*\n"


def blocks(page: Path) -> list[list[Example]]:
    """The examples of a page, block by block."""
    text = page.read_text()
    name = str(page.relative_to(ROOT))
    return [_block(name, text.count("\n", 0, found.start(1)) + 1, found[1]) for found in BLOCK.finditer(text)]


def _block(page: str, first: int, text: str) -> list[Example]:
    found: list[Example] = []
    for number, row in enumerate(text.splitlines(), first):
        if row.startswith("$ "):
            found.append(Example(page, number, row[2:]))
        elif found and found[-1].command.endswith("\\") and not found[-1].output:
            found[-1].command = found[-1].command[:-1] + row.strip()
        else:
            assert found, f"{page}:{number}: output before any command"
            found[-1].output.append(row)
    return found


def pages_with_examples() -> list[Path]:
    """The pages that have any."""
    return [page for page in PAGES if BLOCK.search(page.read_text())]
