"""Hooks: when each kind runs, where, what it is told, and what becomes of its failure."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes"


def hook(notes: Path, text: str = "", code: int = 0) -> dict[str, Any]:
    script = f"cat >> {notes}; echo >> {notes}; {text or ':'}; exit {code}"
    return {"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin:/usr/bin"]}


def states(notes: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []


def test_each_kind_runs_in_its_turn_and_reads_the_state(runtime: Any, bundle: Any, notes: Path) -> None:
    bundle.spec["annotations"] = {"com.example": "1"}
    bundle.spec["hooks"] = {kind: [hook(notes)] for kind in KINDS if kind != "startContainer"}
    runtime.create(bundle.script("sleep 0.1"))
    assert [s["status"] for s in states(notes)] == ["creating"] * 3
    pid = runtime.state()["pid"]
    runtime("start", runtime.name, check=True)
    time.sleep(0.4)
    runtime("delete", "--force", runtime.name, check=True)
    seen = states(notes)
    assert [s["status"] for s in seen] == ["creating"] * 3 + ["running", "stopped"]
    assert {s["id"] for s in seen} == {runtime.name} and {s["bundle"] for s in seen} == {str(bundle.path)}
    assert [s["pid"] for s in seen[:2]] == [pid, pid]
    assert seen[0]["annotations"] == {"com.example": "1"}


def test_prestart_finds_the_namespaces_made(runtime: Any, bundle: Any, notes: Path) -> None:
    """What libnetwork-setkey needs: /proc/<pid>/ns/net of the state's pid is the container's."""
    note = f"stat -L -c %i /proc/$(sed -n 's/.*\"pid\":\\([0-9]*\\).*/\\1/p' {notes})/ns/net > {notes}.net"
    bundle.spec["hooks"] = {"prestart": [hook(notes, note)]}
    inside = runtime.output(bundle.args("/bin/stat", "-L", "-c", "%i", "/proc/self/ns/net"))
    assert Path(f"{notes}.net").read_text() == inside


def test_start_container_runs_inside(runtime: Any, bundle: Any) -> None:
    bundle.spec["hooks"] = {
        "startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "echo $$ > /hook; cat >> /hook"]}]
    }
    runtime.create(bundle.script("cat /hook"))
    assert not (bundle.rootfs / "hook").exists()
    runtime("start", runtime.name, check=True)
    time.sleep(0.4)
    assert json.loads((bundle.path / "out").read_text().splitlines()[1])["status"] == "created"


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_a_failing_hook_undoes_the_container(runtime: Any, bundle: Any, notes: Path, host: Any, kind: str) -> None:
    bundle.spec["hooks"] = {kind: [hook(notes), hook(notes, "echo sorry >&2", 3)]}
    message = runtime.message(runtime.run(bundle.args("/bin/true")))
    assert message == (
        "runc run failed: unable to start container process: error during container init: "
        f"error running {kind} hook #1: exit status 3, stdout: , stderr: sorry"
    )
    assert host.cgroups() == [] and os.listdir(runtime.root) == []


def test_a_hook_that_is_not_there(runtime: Any, bundle: Any) -> None:
    bundle.spec["hooks"] = {"prestart": [{"path": "/nope"}]}
    text = "error running prestart hook #0: fork/exec /nope: no such file or directory"
    assert text in runtime.message(runtime.run(bundle.args("/bin/true")))


def test_a_hook_that_hangs_is_killed_at_its_timeout(runtime: Any, bundle: Any) -> None:
    bundle.spec["hooks"] = {"prestart": [{"path": "/bin/sleep", "args": ["sleep", "100"], "timeout": 1}]}
    begin = time.monotonic()
    assert "error running prestart hook #0: signal: killed" in runtime.message(runtime.run(bundle.args("/bin/true")))
    assert time.monotonic() - begin < 10


def test_a_failing_poststop_hook_is_a_warning(runtime: Any, bundle: Any, notes: Path) -> None:
    """The remaining hooks are run and the container is deleted (runtime.md, Lifecycle)."""
    bundle.spec["hooks"] = {"poststop": [hook(notes, "", 1), hook(notes)]}
    done = runtime.run(bundle.args("/bin/echo", "hi"))
    assert (done.returncode, done.stdout, len(states(notes))) == (0, "hi\n", 2)
    assert "error running poststop hook #0" in done.stderr


@pytest.mark.parametrize("verb", ["run", "start"])
def test_a_failing_poststart_hook_ends_the_container(runtime: Any, bundle: Any, host: Any, notes: Path, verb: str) -> None:
    """Lifecycle 9: an error, and the container is stopped and deleted."""
    bundle.spec["hooks"] = {"poststart": [hook(notes, "", 1)], "poststop": [hook(notes)]}
    if verb == "run":
        done = runtime.run(bundle.args("/bin/sleep", "100"))
    else:
        runtime.create(bundle.args("/bin/sleep", "100"))
        done = runtime("start", runtime.name)
    assert "error running poststart hook #0: exit status 1" in runtime.message(done)
    assert host.cgroups() == [] and os.listdir(runtime.root) == []
    assert [s["status"] for s in states(notes)] == ["running", "stopped"]


def test_a_hook_without_an_environment_inherits_ours(runtime: Any, bundle: Any, tmp_path: Path) -> None:
    bundle.spec["hooks"] = {"prestart": [{"path": "/bin/sh", "args": ["sh", "-c", f"echo $PATH > {tmp_path}/env"]}]}
    runtime.output(bundle.args("/bin/true"))
    assert (tmp_path / "env").read_text() == "/nowhere\n"


def test_hook_environment_is_its_own(runtime: Any, bundle: Any, tmp_path: Path) -> None:
    entry = {"path": "/usr/bin/env", "args": ["env"], "env": ["ONLY=this"]}
    bundle.spec["hooks"] = {"prestart": [{**entry, "path": "/bin/sh", "args": ["sh", "-c", f"env > {tmp_path}/env"]}]}
    runtime.output(bundle.args("/bin/true"))
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert "ONLY" in names and names <= {"ONLY", "PWD", "SHLVL", "_", "OLDPWD"}


def test_a_hook_starts_with_no_signal_ignored(runtime: Any, bundle: Any, tmp_path: Path) -> None:
    look = f"/bin/grep SigIgn /proc/self/status > {tmp_path}/ignored"
    bundle.spec["hooks"] = {"prestart": [{"path": "/bin/sh", "args": ["sh", "-c", look]}]}
    runtime.output(bundle.args("/bin/true"))
    assert int((tmp_path / "ignored").read_text().split()[1], 16) & ~0x180000000 == 0  # 32 and 33 are the C library's own
