"""Each command of the script, on a real dockerd and on ours: the same but for what allowed.toml says.

A command with a difference in open.toml is an expected failure: what it lacks is not built yet. A difference counts if it
shows twice: a section with one that no entry covers is run once more. Where only an old dockerd is installed, exit codes
are all that is compared.
"""

from collections.abc import Callable
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

pytestmark = pytest.mark.timeout(600)


def judge(session: Session, key: str, find: Callable[[], list[Difference]]) -> None:
    """Fail for differences that no entry covers; an open one is an expected failure."""
    bad = uncovered(key, find(), session.version)
    if bad and session.again(key.partition("/")[0]):
        bad = uncovered(key, find(), session.version)
    if bad:
        pytest.fail("\n".join(map(str, bad)), pytrace=False)
    reasons = {entry.reason for entry in OPEN for d in find() if entry.covers(key, d, session.version)}
    if reasons:
        pytest.xfail("; ".join(sorted(reasons)))


def uncovered(key: str, found: list[Difference], version: str) -> list[Difference]:
    """The differences that no entry covers; the others' entries are noted as used."""
    bad = []
    for difference in found:
        covering = [entry.title for entry in (*ALLOWED, *OPEN) if entry.covers(key, difference, version)]
        used.update(covering)
        if not covering:
            bad.append(difference)
    return bad


@pytest.mark.parametrize("command", SCRIPT, ids=lambda command: command.key)
def test_command(session: Session, command: Command) -> None:
    judge(session, command.key, lambda: session.differences(command))


@pytest.mark.parametrize("section", SECTIONS)
def test_events(session: Session, section: str) -> None:
    judge(session, f"{section}/events", lambda: session.events_differ(section))


def test_each_entry_is_needed(session: Session) -> None:
    if session.sections_run != set(SECTIONS):
        pytest.skip("only a part of the script was run")
    if not session.near:
        pytest.skip(f"dockerd {session.version} is too old to tell: scripts/setup --peers unpacks a newer one")
    entries = [entry for entry in (*ALLOWED, *OPEN) if entry.version.fullmatch(session.version)]
    stale = [entry.title for entry in entries if entry.title not in used]
    assert not stale, "these differences are gone: take them out of allowed.toml or open.toml"


def test_the_script_is_long_enough() -> None:
    assert len(SCRIPT) >= 150
