"""Report mode: run sections of the script (or all) and print what both engines said, side by side.

    scripts/sidebyside [--all] [--self] [SECTION | SECTION/NAME]...

--all: equal ones too. --self: two of the reference, to find what the script or the normalisation leaves to chance.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from oracle import allowed
from oracle.compare import Difference, Outcome
from oracle.engines import reference
from oracle.script import Command, read
from oracle.session import Session

HERE = Path(__file__).parents[1]


def main(arguments: list[str]) -> int:
    """Print the report; 1 if a difference is neither allowed nor open."""
    everything, wanted = "--all" in arguments, [argument for argument in arguments if not argument.startswith("-")]
    script = read(HERE / "script")
    commands = [command for command in script if not wanted or {command.section, command.key} & set(wanted)]
    entries = [] if "--self" in arguments else allowed.read(HERE / "allowed.toml")
    session = Session(script, (reference(), reference()) if "--self" in arguments else None)
    try:
        bad = [_command(session, command, entries, everything) for command in commands]
        bad += [_events(session, section, entries) for section in sorted({command.section for command in commands})]
    finally:
        session.close()
    print(f"\n{len(commands)} commands against dockerd {session.version}: {sum(bad)} differ")
    return int(any(bad))


def left(key: str, found: list[Difference], entries: list[allowed.Entry], version: str) -> list[Difference]:
    """The differences that no entry covers."""
    return [d for d in found if not any(entry.covers(key, d, version) for entry in entries)]


def _command(session: Session, command: Command, entries: list[allowed.Entry], everything: bool) -> bool:
    found = session.differences(command)
    bad = left(command.key, found, entries, session.version)
    if bad or everything:
        print(f"\n=== {command.key}: {command.line}")
        print("\n".join(side_by_side(*session.outcome(command))))
        print("\n".join(f"{'-' if d in bad else '~'} {d}" for d in found))
    return bool(bad)


def _events(session: Session, section: str, entries: list[allowed.Entry]) -> bool:
    bad = left(f"{section}/events", session.events_differ(section), entries, session.version)
    if bad:
        print(f"\n=== {section}/events")
        print("\n".join(f"- {difference}" for difference in bad))
    return bool(bad)


def side_by_side(reference: Outcome, ours: Outcome) -> Iterator[str]:
    """Two outcomes in two columns."""
    width = (shutil.get_terminal_size((200, 24)).columns - 3) // 2
    for left_line, right_line in zip_longest(_lines(reference), _lines(ours), fillvalue=""):
        mark = "|" if left_line == right_line else "#"
        yield f"{left_line[:width]:<{width}} {mark} {right_line[:width]}"


def _lines(outcome: Outcome) -> list[str]:
    errors = [f"! {line}" for line in outcome.stderr.splitlines()]
    return [*outcome.stdout.splitlines()[:60], *errors, f"exit {outcome.exit}"]


if __name__ == "__main__":
    os.environ.setdefault("COLUMNS", "200")
    sys.exit(main(sys.argv[1:]))
