"""The one import rule of the house: a room imports only rooms of a lower level (docs/architecture.md)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src/dockwright"
LEVELS = {
    0: ("kernel", "base"),
    1: ("grammar", "types", "runtime", "host", "tar"),
    2: ("metadata", "events", "supervisor", "plugins"),
    3: ("images", "networks", "volumes", "spec"),
    4: ("containers",),
    5: ("upkeep",),
    6: ("api", "client"),
    7: ("daemon",),
    8: ("cli",),
}
LEVEL = {room: level for level, rooms in LEVELS.items() for room in rooms}
CLI_MAY = {"cli", "client", "grammar", "tar", "base"}


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, room) of each import of one of our rooms."""
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "dockwright" and len(parts) > 1 and parts[1] in LEVEL:
                yield node.lineno, parts[1]


def test_every_room_has_a_level() -> None:
    assert {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"} == set(LEVEL)


@pytest.mark.parametrize("room", sorted(LEVEL))
def test_a_room_imports_only_lower_ones(room: str) -> None:
    wrong = [
        f"{path.relative_to(SOURCE)}:{line} imports {other}"
        for path in (SOURCE / room).rglob("*.py")
        for line, other in imported(path)
        if other != room and LEVEL[other] >= LEVEL[room]
    ]
    assert not wrong


def test_the_command_line_imports_client_grammar_tar_and_base_only() -> None:
    assert {room for path in (SOURCE / "cli").rglob("*.py") for _, room in imported(path)} <= CLI_MAY
