"""Each command of the script, on a real dockerd and on ours: the same but for what allowed.toml says.

A command with a difference in open.toml is an expected failure: what it lacks is not built yet.
"""

from pathlib import Path

import pytest
from oracle import allowed
from oracle.compare import Difference
from oracle.script import Command, read
from oracle.session import Session

HERE = Path(__file__).parent
SCRIPT = read(HERE / "script")
SECTIONS = sorted({command.section for command in SCRIPT})
ALLOWED, OPEN = allowed.read(HERE / "allowed.toml"), allowed.read(HERE / "open.toml")
used: set[str] = set()

pytestmark = pytest.mark.timeout(300)


def judge(key: str, found: list[Difference], version: str) -> None:
    """Fail for differences that no entry covers; an open one is an expected failure."""
    reasons = []
    bad = []
    for difference in found:
        covering = [entry for entry in (*ALLOWED, *OPEN) if entry.covers(key, difference, version)]
        used.update(entry.title for entry in covering)
        if not covering:
            bad.append(difference)
        elif all(entry in OPEN for entry in covering):
            reasons.append(covering[0].reason)
    if bad:
        pytest.fail("\n".join(map(str, bad)), pytrace=False)
    if reasons:
        pytest.xfail("; ".join(sorted(set(reasons))))


@pytest.mark.parametrize("command", SCRIPT, ids=lambda command: command.key)
def test_command(session: Session, command: Command) -> None:
    judge(command.key, session.differences(command), session.version)


@pytest.mark.parametrize("section", SECTIONS)
def test_events(session: Session, section: str) -> None:
    judge(f"{section}/events", session.events_differ(section), session.version)


def test_each_entry_is_needed(session: Session) -> None:
    if session.sections_run != set(SECTIONS):
        pytest.skip("only a part of the script was run")
    stale = [entry.title for entry in (*ALLOWED, *OPEN) if entry.title not in used and entry.version.fullmatch(session.version)]
    assert not stale, "these differences are gone: take them out of allowed.toml or open.toml"


def test_the_script_is_long_enough() -> None:
    assert len(SCRIPT) >= 150
