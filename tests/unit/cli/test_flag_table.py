"""Each flag docker has for a command of ours is there, with docker's letter and kind, and in the help page; none beyond."""

import importlib
from pathlib import Path

import pytest

from dockwright.cli import commands
from dockwright.cli.help import _text

FOLDER = Path(__file__).parent
ROWS = [line.split("\t") for line in (FOLDER / "docker-flags.tsv").read_text().splitlines()[1:]]
OURS = {
    "run": {"explain", "dry-run", "health-on-failure"}, "create": {"health-on-failure"}, "update": {"publish", "unpublish"},
    "pull": {"all-platforms"},
}  # fmt: skip
HIDDEN = {"volume_create": {"name"}, "commit": {"no-pause"}}
SLICES = ("strings", "ipSlice", "ipNetSlice")
KINDS = {"int64": "int", "uint64": "uint", "": "bool", "ip": "string", **dict.fromkeys(SLICES, "stringSlice")}
NAMES = {*commands.COMMANDS.values(), *(name for group in commands.GROUPS.values() for name in group.values())}
MODULES = {name: importlib.import_module(f"dockwright.cli.commands.{commands.module_of(name)}") for name in NAMES}


@pytest.mark.parametrize(("command", "flag", "letter", "kind"), ROWS, ids=lambda value: value)
def test_dockers_flag_is_there(command: str, flag: str, letter: str, kind: str) -> None:
    flags, name = MODULES[command].FLAGS, flag.removeprefix("--")
    assert flags.kinds[name] == KINDS.get(kind, kind) or (command, name) == ("logs", "tail")
    if letter:
        assert flags.letters[letter.removeprefix("-")] == name


@pytest.mark.parametrize("command", sorted(NAMES))
def test_the_help_page_has_the_same_flags(command: str) -> None:
    shown = set()
    for line in _text(command).splitlines():
        if line.startswith(("  -", "      --")):
            flag = line.partition("\t")[0].split("--")[1].split(" ")
            shown.add((flag[0], KINDS.get(flag[1], flag[1]) if len(flag) > 1 else "bool"))
    kinds = {name: kind for name, kind in MODULES[command].FLAGS.kinds.items() if name != "help"}
    assert {name for name, _ in shown if name != "help"} | HIDDEN.get(command, set()) == set(kinds)
    assert all(kinds.get(name, kind) == kind for name, kind in shown)


def test_nothing_but_explain_is_our_own() -> None:
    docker = {(row[0], row[1].removeprefix("--")) for row in ROWS}
    for command in {row[0] for row in ROWS}:
        ours = set(MODULES[command].FLAGS.kinds) - {name for owner, name in docker if owner == command}
        known = {"help", "disable-content-trust", "kernel-memory", "pause", *OURS.get(command, ()), *HIDDEN.get(command, ())}
        assert ours <= known
