"""The verbs of runc's command line: what they print, their exit codes and their errors' words."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest


def until(condition: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_run_passes_output_and_exit_code_on(runtime: Any, bundle: Any) -> None:
    done = runtime.run(bundle.script("echo out; echo err >&2; exit 7"))
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")


def test_run_of_a_killed_program_ends_with_128_and_the_signal(runtime: Any, bundle: Any) -> None:
    assert runtime.run(bundle.without("pid").script("kill -9 $$")).returncode == 137


def test_run_forwards_signals(runtime: Any, bundle: Any) -> None:
    """A TERM sent to the runtime reaches the program, which catches it."""
    bundle.script("trap 'echo got it; exit 3' TERM; echo ready; while :; do sleep 0.05; done").write()
    command = [runtime_program(runtime), "--root", str(runtime.root), "run", "--bundle", str(bundle.path), runtime.name]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 3
    assert process.stdout.read() == "got it\n"


def runtime_program(runtime: Any) -> str:
    return str(runtime("--version").args[0])


def test_the_program_inherits_no_ignored_or_blocked_signals(runtime: Any, bundle: Any) -> None:
    """The interpreter ignores SIGPIPE and shims ignore SIGTERM: execve would hand that on."""
    lines = runtime.output(bundle.args("/bin/grep", "-E", "SigIgn|SigBlk", "/proc/self/status")).split()
    assert lines == ["SigBlk:", "0" * 16, "SigIgn:", "0" * 16]


def test_only_the_three_streams_are_open(runtime: Any, bundle: Any) -> None:
    assert runtime.output(bundle.script("ls /proc/$$/fd; true")).split() == ["0", "1", "2"]


def test_create_waits_and_start_lets_go(runtime: Any, bundle: Any) -> None:
    pid_file = bundle.path / "pid"
    runtime.create(bundle.script("echo went"), "--pid-file", str(pid_file))
    state = runtime.state()
    assert (state["status"], state["id"], state["bundle"]) == ("created", runtime.name, str(bundle.path))
    assert pid_file.read_text() == str(state["pid"])
    assert (bundle.path / "out").read_text() == ""
    runtime("start", runtime.name, check=True)
    until(lambda: runtime.state()["status"] == "stopped")
    assert (bundle.path / "out").read_text() == "went\n"
    assert runtime.state()["pid"] == 0
    runtime("delete", runtime.name, check=True)
    assert runtime.message(runtime("state", runtime.name)) == "container does not exist"


def test_state_files_are_where_callers_look(runtime: Any, bundle: Any) -> None:
    runtime.create(bundle.args("/bin/true"))
    folder = runtime.root / runtime.name
    assert sorted(os.listdir(folder)) == ["exec.fifo", "state.json"]
    assert json.loads((folder / "state.json").read_text())["init_process_pid"] == runtime.state()["pid"]
    assert (folder / "state.json").stat().st_mode & 0o777 == 0o600


def test_an_id_is_taken_once(runtime: Any, bundle: Any) -> None:
    runtime.create(bundle.args("/bin/true"))
    done = runtime.create(bundle, check=False)
    assert done.returncode == 1 and "container with given ID already exists" in done.stderr


@pytest.mark.parametrize("verb", ["state", "start", "pause", "resume", "ps", "delete", "events", "update"])
def test_unknown_ids(runtime: Any, verb: str) -> None:
    done = runtime(verb, "nobody")
    assert done.returncode == 1 and runtime.message(done) == "container does not exist"


def test_delete_force_of_an_unknown_id_is_fine(runtime: Any) -> None:
    assert runtime("delete", "--force", "nobody").returncode == 0


def test_kill_by_number_and_by_name(runtime: Any, bundle: Any) -> None:
    runtime.start(bundle.script("trap 'exit 5' USR1; while :; do sleep 0.05; done"))
    assert runtime.message(runtime("kill", runtime.name, "NOPE")) == 'unknown signal "NOPE"'
    runtime("kill", runtime.name, "0", check=True)
    runtime("kill", runtime.name, "sigusr1", check=True)
    until(lambda: runtime.state()["status"] == "stopped")
    assert runtime.message(runtime("kill", runtime.name, "9")) == "container not running"


def test_kill_all_reaches_what_outlives_init(runtime: Any, bundle: Any, host: Any) -> None:
    """Without a pid namespace the kernel ends nothing with init; containerd calls `kill --all` then."""
    pid = runtime.start(bundle.without("pid").script("sleep 100 & sleep 100"))
    os.kill(pid, 9)
    until(lambda: runtime.state()["status"] == "stopped")
    assert host.processes()
    runtime("kill", "--all", runtime.name, "9", check=True)
    until(lambda: not host.processes())


def test_delete_refuses_what_runs_unless_forced(runtime: Any, bundle: Any) -> None:
    runtime.start(bundle.args("/bin/sleep", "100"))
    message = runtime.message(runtime("delete", runtime.name))
    assert message == f"cannot delete container {runtime.name} that is not stopped: running"
    runtime("delete", "--force", runtime.name, check=True)


def test_delete_of_a_created_container(runtime: Any, bundle: Any) -> None:
    runtime.create(bundle.args("/bin/true"))
    runtime("delete", runtime.name, check=True)
    assert runtime("state", runtime.name).returncode == 1


def test_start_twice(runtime: Any, bundle: Any) -> None:
    runtime.start(bundle.args("/bin/sleep", "100"))
    assert runtime.message(runtime("start", runtime.name)) == "cannot start an already running container"
    runtime("kill", runtime.name, "9", check=True)
    until(lambda: runtime.state()["status"] == "stopped")
    assert runtime.message(runtime("start", runtime.name)) == "cannot start a container that has stopped"


def test_pause_and_resume(runtime: Any, bundle: Any) -> None:
    pid = runtime.start(bundle.script("while :; do :; done"))
    runtime("pause", runtime.name, check=True)
    assert runtime.state()["status"] == "paused"
    before = Path(f"/proc/{pid}/stat").read_text().split()[13]
    time.sleep(0.3)
    assert Path(f"/proc/{pid}/stat").read_text().split()[13] == before
    assert runtime.message(runtime("pause", runtime.name)) == "container not running"
    paused = "exec failed: cannot exec in a paused container (use --ignore-paused to override)"
    done = runtime.exec("/bin/true")
    assert (done.returncode, runtime.message(done)) == (255, paused)
    runtime("resume", runtime.name, check=True)
    assert runtime.state()["status"] == "running"
    assert runtime.message(runtime("resume", runtime.name)) == "container not paused"


def test_a_paused_container_can_be_deleted_by_force(runtime: Any, bundle: Any) -> None:
    runtime.start(bundle.args("/bin/sleep", "100"))
    runtime("pause", runtime.name, check=True)
    runtime("delete", "--force", runtime.name, check=True)


def test_start_while_paused(runtime: Any, bundle: Any) -> None:
    runtime.create(bundle.args("/bin/true"))
    runtime("pause", runtime.name, check=True)
    assert runtime.message(runtime("start", runtime.name)) == "cannot start a container in the paused state"


def test_list(runtime: Any, bundle: Any) -> None:
    assert runtime("list", "--format", "json").stdout == "null\n"
    pid = runtime.start(bundle.args("/bin/sleep", "100"))
    assert runtime("list", "-q").stdout == runtime.name + "\n"
    (row,) = json.loads(runtime("list", "--format=json").stdout)
    assert (row["id"], row["pid"], row["status"], row["owner"]) == (runtime.name, pid, "running", "root")
    head, line = runtime("list").stdout.splitlines()
    assert head.split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    assert line.split()[:3] == [runtime.name, str(pid), "running"]
    assert runtime.message(runtime("list", "-f", "xml")) == "invalid format option"


def test_ps(runtime: Any, bundle: Any) -> None:
    pid = runtime.start(bundle.args("/bin/sleep", "100"))
    assert json.loads(runtime("ps", "--format", "json", runtime.name).stdout) == [pid]
    if subprocess.run(["/usr/bin/ps", "-ef"], capture_output=True).returncode:
        pytest.skip("this host's own ps -ef fails")
    head, line = runtime("ps", runtime.name).stdout.splitlines()
    assert "PID" in head and line.split()[1] == str(pid) and "sleep 100" in line


def test_exec_exit_codes_and_errors(runtime: Any, bundle: Any) -> None:
    runtime.start(bundle.args("/bin/sleep", "100"))
    assert runtime.exec("/bin/sh", "-c", "exit 3").returncode == 3
    assert runtime.exec("/bin/sh", "-c", "kill -9 $$").returncode == 137
    done = runtime.exec("/nope")
    assert done.returncode == 255
    assert runtime.message(done).endswith('exec: "/nope": stat /nope: no such file or directory')
    assert runtime.message(runtime.exec("nope")).endswith('exec: "nope": executable file not found in $PATH')


def test_exec_flags(runtime: Any, bundle: Any) -> None:
    runtime.start(bundle.args("/bin/sleep", "100"))
    done = runtime(
        "exec",
        "--user",
        "1000:1000",
        "--env",
        "A=B",
        "--cwd",
        "/tmp",
        runtime.name,
        "/bin/sh",
        "-c",
        "id -u; echo $A $PWD $HOME",
    )
    assert done.stdout == "1000\nB /tmp /home/user\n"


def test_exec_process_file_detached(runtime: Any, bundle: Any) -> None:
    """As containerd's shim does it: a process document, --detach, --pid-file."""
    runtime.start(bundle.args("/bin/sleep", "100"))
    process = dict(bundle.process, args=["/bin/sleep", "101"])
    (bundle.path / "process.json").write_text(json.dumps(process))
    pid_file = bundle.path / "exec.pid"
    arguments = ["--process", str(bundle.path / "process.json"), "--detach", "--pid-file", str(pid_file), runtime.name]
    with open(os.devnull, "r+") as null:
        done = subprocess.run(
            [runtime_program(runtime), "--root", str(runtime.root), "exec", *arguments],
            stdin=null,
            stdout=null,
            stderr=null,
        )
    assert done.returncode == 0
    pid = int(pid_file.read_text())
    assert "101" in Path(f"/proc/{pid}/cmdline").read_text()
    assert pid in json.loads(runtime("ps", "--format", "json", runtime.name).stdout)


def test_exec_in_a_created_container(runtime: Any, bundle: Any) -> None:
    runtime.create(bundle.args("/bin/true"))
    assert runtime.exec("/bin/echo", "hi").stdout == "hi\n"


def test_exec_joins_every_namespace_and_cgroup(runtime: Any, bundle: Any) -> None:
    runtime.start(bundle.args("/bin/sleep", "100"))
    kinds = ("pid", "net", "ipc", "uts", "mnt", "cgroup")
    script = "; ".join(f"stat -L -c %i /proc/1/ns/{k} /proc/self/ns/{k}" for k in kinds) + "; cat /proc/self/cgroup"
    lines = runtime.exec("/bin/sh", "-c", script).stdout.splitlines()
    pairs = lines[: 2 * len(kinds)]
    assert pairs[::2] == pairs[1::2]
    assert {line.split(":", 2)[2] for line in lines[2 * len(kinds) :]} == {"/"}


def test_exec_into_a_stopped_container(runtime: Any, bundle: Any) -> None:
    pid = runtime.start(bundle.args("/bin/sleep", "100"))
    os.kill(pid, 9)
    until(lambda: runtime.state()["status"] == "stopped")
    assert runtime.message(runtime.exec("/bin/true")) == "exec failed: cannot exec in a stopped container"


def test_preserved_descriptors(runtime: Any, bundle: Any) -> None:
    bundle.script("cat <&3; ls /proc/$$/fd; true").write()
    (bundle.path / "note").write_text("hello\n")
    with open(bundle.path / "note") as note:
        command = [
            runtime_program(runtime),
            "--root",
            str(runtime.root),
            "run",
            "--preserve-fds",
            "1",
            "--bundle",
            str(bundle.path),
            runtime.name,
        ]
        fd = os.dup2(note.fileno(), 3, inheritable=True) if note.fileno() != 3 else 3
        os.set_inheritable(fd, True)
        done = subprocess.run(command, capture_output=True, text=True, pass_fds=(3,))
    assert done.stdout.split() == ["hello", "0", "1", "2", "3"], done


def test_preserving_what_is_not_open(runtime: Any, bundle: Any) -> None:
    assert "is not open: preserve-fds=9" in runtime.message(
        runtime.run(bundle.args("/bin/true"), "--preserve-fds", "9")
    )


def test_log_file_in_json(runtime: Any, bundle: Any) -> None:
    """Docker shows the last error of this file, and reads 126 and 127 from its text."""
    bundle.args("/nope").write()
    log = bundle.path / "log.json"
    done = runtime("--log", str(log), "--log-format", "json", "run", "--bundle", str(bundle.path), runtime.name)
    assert done.returncode == 1
    entry = json.loads(log.read_text().splitlines()[-1])
    assert entry["level"] == "error" and entry["time"]
    assert (
        entry["msg"]
        == 'runc run failed: unable to start container process: exec: "/nope": stat /nope: no such file or directory'
    )
    assert done.stderr == entry["msg"] + "\n"


def test_global_flags_may_follow_the_verb(runtime: Any, bundle: Any) -> None:
    bundle.args("/nope").write()
    log = bundle.path / "log"
    runtime("run", "--log", str(log), "--log-format=json", "--bundle", str(bundle.path), runtime.name)
    assert "no such file" in json.loads(log.read_text())["msg"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["zork"], "No help topic for 'zork'"),
        (["--zork"], "flag provided but not defined: -zork"),
        (["list", "--zork"], "flag provided but not defined: -zork"),
        (["start"], 'dockwright-runc: "start" requires exactly 1 argument(s)'),
        (["checkpoint", "x"], "container does not exist"),
        (["checkpoint", "--lazy-pages", "x"], "--lazy-pages is not supported"),
        (["--systemd-cgroup", "list"], "systemd cgroup flag passed, but this runtime manages cgroups by cgroupfs only"),
        (["--rootless", "true", "list"], "rootless containers are not supported"),
        (["--log-format", "xml", "list"], "invalid log-format: xml"),
        (["run", "--bundle"], "flag needs an argument: -bundle"),
        (["run", "../x"], "runc run failed: invalid container ID format"),
        (["state", "a/b"], "invalid container ID format"),
    ],
)
def test_refusals(runtime: Any, words: list[str], text: str) -> None:
    done = runtime(*words)
    assert done.returncode != 0
    assert runtime.message(done) == text


def test_version_lines_are_those_that_engines_read(runtime: Any) -> None:
    lines = runtime("--version").stdout.splitlines()
    assert lines[0].startswith("dockwright-runc version ") and "spec: 1.2.0" in lines


def test_features(runtime: Any) -> None:
    document = json.loads(runtime("features").stdout)
    assert document["linux"]["seccomp"]["enabled"] and "pid" in document["linux"]["namespaces"]


def test_spec_can_be_run(runtime: Any, bundle: Any) -> None:
    (bundle.path / "new").mkdir()
    runtime("spec", "--bundle", str(bundle.path / "new"), check=True)
    bundle.spec = json.loads((bundle.path / "new/config.json").read_text())
    bundle.linux["cgroupsPath"] = f"/dwtest/{runtime.name}"
    bundle.process["terminal"] = False
    assert runtime.output(bundle.args("/bin/hostname")) == "dockwright\n"
    done = runtime("spec", "--bundle", str(bundle.path / "new"))
    assert runtime.message(done) == "File config.json exists. Remove it first"


def test_keep(runtime: Any, bundle: Any) -> None:
    runtime.run(bundle.args("/bin/true"), "--keep")
    assert runtime.state()["status"] == "stopped"


def test_events(runtime: Any, bundle: Any) -> None:
    runtime.start(bundle.args("/bin/sleep", "100"))
    event = json.loads(runtime("events", "--stats", runtime.name).stdout)
    assert event["id"] == runtime.name and event["data"]["pids"]["current"] == 1
    assert event["data"]["memory"]["usage"]["usage"] > 0


def test_the_engine_is_reached_after_a_reboot_of_nothing_but_the_pid(runtime: Any, bundle: Any) -> None:
    """A process with init's number but another start time is not init: it is neither shown as running nor signalled."""
    runtime.start(bundle.args("/bin/sleep", "100"))
    path = runtime.root / runtime.name / "state.json"
    document = json.loads(path.read_text())
    real = document["init_process_pid"]
    bystander = subprocess.Popen(["/bin/sleep", "100"])
    path.write_text(json.dumps({**document, "init_process_pid": bystander.pid}))
    assert runtime.state()["status"] == "stopped"
    assert runtime.message(runtime("kill", runtime.name, "9")) == "container not running"
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()
    path.write_text(json.dumps({**document, "init_process_pid": real}))
