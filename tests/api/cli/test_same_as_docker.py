"""docker and dockwright on the same real daemon: the same stdout, stderr and status.

Allowed to differ: docker's slip of the pen ("SRun 'docker images --help'"), the column of errors in `table` templates, flags
that docker hides in help pages because the daemon is too old for them, and the client's own part of version and info.
"""

import shutil
from pathlib import Path
from typing import Any

import pytest

from dockwright.cli import commands

FOLDER = Path(__file__).parent
OURS = str(FOLDER.parents[2] / ".venv/bin/dockwright")
LINES = [line for line in (FOLDER / "same-commands.txt").read_text().splitlines() if line and not line.startswith("#")]
LATER = {"load", "save", "run", "pull", "create", "update"}  # --platform takes a list since 28.3; the others have flags of ours
OURS_ALONE = {
    "system check", "image layers", "image diff", "image verify", "image attestations", "network dns", "network map",
    "volume clone", "volume export", "volume import", "why", "container why",
}  # fmt: skip
GROUPED = [f"{group} {name}" for group, names in commands.GROUPS.items() for name in names]
PATHS = [path for path in [*commands.COMMANDS, *GROUPED] if path not in OURS_ALONE]
AFTER = ("rm -f s1 t1", "network rm n1 n2", "rmi comm:1")
SCENARIOS = [
    ["create --name s1 busybox sleep 1000", "start s1", "pause s1", "ps --filter name=^s1$ --format {{.Status}}", "unpause s1",
     "exec s1 echo x", "top s1 -o comm", "kill s1", "wait s1", "start s1", "stop -t 0 s1", "restart -t 0 s1",
     "rename s1 t1", "rm t1", "rm -f t1"],
    ["run -d --name s1 --rm busybox sleep 1000", "exec -d s1 sleep 99", "exec -i s1 cat", "exec -w /nosuch s1 true", "logs s1",
     "stop -t 0 s1"],
    ["run --name s1 busybox sh -c 'echo a; exit 3'", "start -a s1", "logs s1", "logs -n 1 s1", "rm s1", "rm -fv s1"],
    ["volume create v9", "volume create", "volume create -d nosuch v8", "run --rm -v v9:/v busybox touch /v/x", "volume rm v9",
     "volume rm v9", "volume prune -f --filter label=none"],
    ["tag busybox a/b:1", "images a/b", "rmi a/b:1 a/b:2", "save -o x.tar busybox", "load -i x.tar", "load -q -i x.tar",
     "import x.tar imp:1", "history -q imp:1 --format {{.Comment}}", "rmi imp:1"],
    ["network create n1", "network create n1", "network create --subnet 10.9.0.0/24 n2",
     "network ls -f name=n1 --format {{.Name}}", "network inspect -f '{{.IPAM}}' n2",
     "run -d --name s1 --network n1 busybox sleep 99", "network connect --alias a n2 s1",
     "network connect nosuch s1", "network disconnect n2 s1", "network rm n1 nosuch", "rm -f s1", "network rm n2 n1",
     "network rm -f nosuch", "network prune -f", "network prune"],
    ["run --name s1 busybox touch /x", "diff s1", "export -o x.tar s1", "export s1 -o /nosuch/x",
     "save -o /dev/full busybox", "save -o /tmp busybox", "save -o /nosuch/x busybox", "save -o nosuch/x busybox",
     "commit -m m -a me -c 'CMD [\"y\"]' s1 comm:1", "history -q --format {{.Comment}} comm:1", "commit s1 A", "rmi comm:1",
     "update --restart always s1", "update --restart x s1", "update s1", "update -m 1 nosuch",
     "container prune -f --filter label=q", "image prune -f --filter label=q", "image prune", "container prune", "system prune",
     "system prune -a --volumes --filter label=q --filter label=a", "rm s1"],
    ["create --name s1 -v v9:/v:ro busybox true", "cp x s1:/tmp", "cp s1:/etc/passwd pw", "cp pw s1:/tmp/pw2",
     "cp s1:/tmp/pw2 -", "cp -q=false pw s1:/tmp", "cp -q=false s1:/tmp/. out", "cp out s1:/tmp/new", "cp out/. s1:/tmp/new",
     "cp s1:/tmp/new/. out", "cp out/pw2 s1:/tmp/new", "cp s1:/tmp/new pw", "cp pw s1:/nope/", "cp pw s1:/nope/x",
     "cp s1:/nope .", "cp s1:/etc/passwd n/", "cp s1:/etc/passwd n/n", "cp s1:/bin/sh sh", "cp -L s1:/bin/sh sh2",
     "cp -L sh s1:/tmp", "cp sh s1:/tmp/sh", "cp s1:/tmp/sh -", "cp - s1:/tmp", "cp - s1:/nope", "cp - s1:/etc/passwd",
     "cp - x", "cp x y", "cp s1:/x s2:/y", "cp nosuch:/x .", "cp pw nosuch:/", "cp '' s1:/", "cp s1:/ ''", "cp s1: x",
     "cp pw s1:", "cp pw s1:/v", "cp s1:/dev/null .", "cp pw s1:/etc/passwd/", "cp s1:/tmp /dev/null", "cp", "cp x",
     "cp -a pw s1:/tmp", "cp s1:/tmp/./pw s1", "rm s1", "volume rm v9"],
    ["run -i --name s1 busybox cat", "start -ai s1", "attach s1", "rm s1"],
    ["run --cidfile c --rm busybox true", "run --cidfile c --rm busybox true", "run --rm --cidfile d nosuch", "run -d --name s1 "
     "busybox nosuch", "start s1", "start -a s1", "rm s1"],
]  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_the_same_words(peer: Any, line: str) -> None:
    for _ in range(3):  # an age that has become a digit longer between the two widens its column
        theirs, ours = peer.both(line.lstrip("~"))
        if line.startswith("~"):
            theirs, ours = ((code, "\n".join(sorted(out.split("\n"))), error) for code, out, error in (theirs, ours))
        if ours == theirs:
            break
    assert ours == theirs


@pytest.mark.parametrize("path", PATHS)
def test_the_same_help(peer: Any, path: str, tmp_path: Path) -> None:
    if path in OURS_ALONE or path.split()[-1] in LATER:
        pytest.skip("a flag differs from docker 28.2")
    theirs, ours = peer.both(f"-H unix://{tmp_path}/none {path} --help")
    assert ours == theirs


@pytest.mark.parametrize("lines", SCENARIOS, ids=lambda lines: lines[0])
def test_the_same_lives(peer: Any, lines: list[str]) -> None:
    outcomes = {}
    for program in ("docker", OURS):
        outcomes[program] = [peer.run(program, line, b"in\n") for line in lines]
        for line in AFTER:
            peer.run_raw(line)
        for file in ("c", "d", "x.tar", "pw", "sh", "sh2", "s1"):
            Path(peer.root, file).unlink(missing_ok=True)
        shutil.rmtree(Path(peer.root, "out"), ignore_errors=True)
    pairs = zip(lines, outcomes["docker"], outcomes[OURS], strict=True)
    seen = [(line, settled(line, theirs), settled(line, ours)) for line, theirs, ours in pairs]
    assert [found for found in seen if found[1] != found[2]] == []


def settled(line: str, outcome: tuple[int, str, str]) -> tuple[int, str, str]:
    """What diff prints comes out of a Go map in dockerd, in another order each time; docker's cp logs its broken pipes."""
    code, out, error = outcome
    error = "".join(part for part in error.splitlines(keepends=True) if not part.startswith('time="'))
    return code, "".join(sorted(out.splitlines(keepends=True))) if line.startswith("diff ") else out, error


def test_dry_run_says_that_dockerd_has_no_plan(peer: Any) -> None:
    code, out, error = peer.run(OURS, "run --rm --dry-run --name s1 busybox echo x")
    assert (code, out, error) == (1, "", "the daemon does not offer a plan: it is not dockerd\n")
    assert peer.run_raw("ps -aq --filter name=^s1$") == ""


def test_explain_says_that_dockerd_has_no_trace(peer: Any) -> None:
    code, out, error = peer.run(OURS, "run --rm --explain --name s1 busybox echo x")
    assert (code, out) == (0, "x\n")
    assert error == "the daemon does not offer a trace: it is not dockerd\n"  # our name is normalised away
    assert peer.run_raw("ps -aq --filter name=^s1$") == ""
