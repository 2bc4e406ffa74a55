"""exec: what is asked for, answered and refused."""

import os
import signal
import subprocess
import threading
import time
from typing import Any

NONE = ("--network", "none")


def made(ask: Any, name: str, **fields: Any) -> str:
    status, answer = ask("POST", f"/containers/{name}/exec", fields)
    assert status == 201, answer
    return str(answer["Id"])


def until_over(ask: Any, ident: str) -> dict[str, Any]:
    deadline = time.monotonic() + 10
    while True:
        document: dict[str, Any] = ask("GET", f"/exec/{ident}/json")[1]
        if not document["Running"] and document["ExitCode"] is not None:
            return document
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_execs_document_before_and_after(sleeper: str, ask: Any) -> None:
    ident = made(ask, sleeper, Cmd=["sh", "-c", "sleep 0.5; exit 4"], User="nobody", AttachStdout=True)
    before = ask("GET", f"/exec/{ident}/json")[1]
    assert (before["Running"], before["ExitCode"], before["Pid"]) == (False, None, 0)
    assert before["ProcessConfig"] == {
        "tty": False, "entrypoint": "sh", "arguments": ["-c", "sleep 0.5; exit 4"], "privileged": False, "user": "nobody",
    }  # fmt: skip
    assert ask("GET", f"/containers/{sleeper}/json")[1]["ExecIDs"] == [ident]
    assert ask("POST", f"/exec/{ident}/start", {"Detach": True})[0] == 200
    pid = ask("GET", f"/exec/{ident}/json")[1]["Pid"]
    assert os.path.exists(f"/proc/{pid}")
    assert ask("POST", f"/exec/{ident}/start", {"Detach": True}) == (409, {"message": f"exec command {ident} is already running"})
    after = until_over(ask, ident)
    assert (after["ExitCode"], after["Pid"]) == (4, pid)
    assert ask("GET", f"/containers/{sleeper}/json")[1]["ExecIDs"] is None
    assert ask("POST", f"/exec/{ident}/start", {"Detach": True}) == (409, {"message": f"exec command {ident} has already run"})


def test_what_is_refused(sleeper: str, ask: Any, tidy: Any) -> None:
    assert ask("POST", f"/containers/{sleeper}/exec", {}) == (400, {"message": "No exec command specified"})
    assert ask("GET", "/exec/nosuch/json") == (404, {"message": "No such exec instance: nosuch"})
    assert ask("POST", "/exec/nosuch/start", {}) == (404, {"message": "No such exec instance: nosuch"})
    status, answer = ask("POST", f"/containers/{sleeper}/exec", {"Cmd": ["true"], "DetachKeys": "shift-a"})
    assert (status, answer) == (500, {"message": "Invalid escape keys (shift-a) provided"})
    ident = made(ask, sleeper, Cmd=["true"])
    assert ask("POST", f"/exec/{ident}/resize?h=x&w=1")[0] == 400
    tidy.docker("pause", sleeper)
    full = ask("GET", f"/containers/{sleeper}/json")[1]["Id"]
    text = "Container {} is paused, unpause the container before exec"
    assert ask("POST", f"/containers/{sleeper}/exec", {"Cmd": ["true"]}) == (409, {"message": text.format(sleeper)})
    assert ask("POST", f"/exec/{ident}/start", {"Detach": True}) == (409, {"message": text.format(full)})
    tidy.docker("rm", "-f", sleeper)
    assert ask("GET", f"/exec/{ident}/json") == (404, {"message": f"No such exec instance: {ident}"})


def test_a_program_that_cannot_run(sleeper: str, ask: Any, tidy: Any) -> None:
    for command, code, text in (
        ("nosuch", 126, 'exec: "nosuch": executable file not found in $PATH'),
        ("/nosuch", 126, 'exec: "/nosuch": stat /nosuch: no such file or directory'),
        ("/etc/passwd", 126, 'exec: "/etc/passwd": permission denied'),
    ):
        done = tidy.docker("exec", sleeper, command)
        whole = f"OCI runtime exec failed: exec failed: unable to start container process: {text}: unknown\r\n"
        assert (done.returncode, done.stdout.decode()) == (code, whole)
        ident = made(ask, sleeper, Cmd=[command])
        assert ask("POST", f"/exec/{ident}/start", {"Detach": True}) == (400, {"message": whole.strip()})
        assert ask("GET", f"/exec/{ident}/json")[1]["ExitCode"] == code
    done = tidy.docker("exec", "-u", "nosuch", sleeper, "true")
    assert done.returncode == 126
    assert b"unable to find user nosuch: no matching entries in passwd file" in done.stdout


def test_environment_directory_user_and_rights(sleeper: str, tidy: Any) -> None:
    done = tidy.docker("exec", "-e", "A=b", "-w", "/tmp", "-u", "nobody", sleeper, "sh", "-c", "echo $A $PWD $HOME; id -u")
    assert done.stdout == b"b /tmp /home\n65534\n"
    assert tidy.docker("exec", sleeper, "grep", "CapEff", "/proc/self/status").stdout.split()[1] == b"00000000a80425fb"
    full = tidy.docker("exec", "--privileged", sleeper, "grep", "CapEff", "/proc/self/status").stdout.split()[1]
    assert int(full, 16) & 0xA80425FB == 0xA80425FB
    assert int(full, 16) > 0xA80425FB
    assert b"no such file" in tidy.docker("exec", "-w", "/nowhere", sleeper, "true").stdout
    relative = tidy.docker("exec", "-w", "tmp", sleeper, "true")
    assert relative.returncode == 126
    assert relative.stdout == b"OCI runtime exec failed: exec failed: Cwd must be an absolute path: unknown\r\n"


def test_its_end_is_told_with_its_code(sleeper: str, tidy: Any, heard: Any) -> None:
    tidy.docker("exec", sleeper, "sh", "-c", "exit 7")
    events = heard()
    actions = [event["Action"] for event in events if event["Action"].startswith("exec")]
    assert actions[-3:] == ["exec_create: sh -c exit 7", "exec_start: sh -c exit 7", "exec_die"]
    last = events[-1]["Actor"]["Attributes"]
    assert last["exitCode"] == "7"
    assert "execID" in last


def test_it_goes_on_when_its_client_leaves(sleeper: str, tidy: Any, ask: Any) -> None:
    client = subprocess.Popen(["docker", "-H", tidy.host, "exec", sleeper, "sh", "-c", "sleep 2; echo x > /tmp/done"])
    time.sleep(0.6)
    client.send_signal(signal.SIGKILL)
    client.wait(5)
    time.sleep(2.2)
    assert tidy.docker("exec", sleeper, "cat", "/tmp/done").stdout == b"x\n"


def test_execs_end_with_their_container(sleeper: str, tidy: Any, ask: Any) -> None:
    ident = made(ask, sleeper, Cmd=["sleep", "100"])
    ask("POST", f"/exec/{ident}/start", {"Detach": True})
    tidy.docker("kill", sleeper)
    assert until_over(ask, ident)["ExitCode"] == 137


def test_many_at_once(sleeper: str, tidy: Any) -> None:
    results: list[bytes] = []

    def once(number: int) -> None:
        results.append(tidy.docker("exec", sleeper, "echo", str(number)).stdout)

    threads = [threading.Thread(target=once, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted(b"%d\n" % n for n in range(12))


def test_a_resize_waits_for_the_start(sleeper: str, ask: Any) -> None:
    ident = made(ask, sleeper, Cmd=["sleep", "0.2"])
    answers: list[Any] = []
    waiter = threading.Thread(target=lambda: answers.append(ask("POST", f"/exec/{ident}/resize?h=1&w=1")))
    waiter.start()
    time.sleep(0.3)
    assert answers == []
    ask("POST", f"/exec/{ident}/start", {"Detach": True})
    waiter.join(5)
    assert len(answers) == 1


def test_a_large_output_comes_whole(sleeper: str, tidy: Any) -> None:
    done = tidy.docker("exec", sleeper, "sh", "-c", "head -c 5000000 /dev/zero")
    assert len(done.stdout) == 5_000_000


def test_input_is_half_closed(sleeper: str, tidy: Any) -> None:
    data = b"x" * 300_000
    done = tidy.docker("exec", "-i", sleeper, "sh", "-c", "cat | wc -c; echo end", stdin=data)
    assert done.stdout == b"300000\nend\n"


def in_terminal(tidy: Any, *arguments: str, keys: bytes = b"") -> bytes:
    """What the docker client shows on a terminal of 30 lines by 100 characters."""
    import fcntl
    import pty
    import struct
    import termios

    pid, master = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        os.execvp("docker", ["docker", "-H", tidy.host, *arguments])
    shown = b""
    if keys:
        time.sleep(1)
        os.write(master, keys)
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.close(master)
    os.waitpid(pid, 0)
    return shown


def test_terminals_have_their_size(sleeper: str, tidy: Any) -> None:
    assert b"30 100\r\n" in in_terminal(tidy, "exec", "-it", sleeper, "stty", "size")
    shown = in_terminal(tidy, "run", *NONE, "--rm", "-it", "busybox", "sh", "-c", "tty; stty size; ls -l /dev/console")
    assert b"/dev/pts/0\r\n30 100\r\n" in shown
    assert b"136," in shown


def test_the_detach_keys_leave_it_running(sleeper: str, tidy: Any, heard: Any) -> None:
    in_terminal(tidy, "run", *NONE, "-it", "--name", "left", "--detach-keys", "ctrl-a,b", "busybox", "cat", keys=b"x\n\x01b")
    assert tidy.docker("ps", "--filter", "name=left", "-q").stdout != b""
    assert "x" in tidy.docker("logs", "left").stdout.decode()
    in_terminal(tidy, "exec", "-it", sleeper, "cat", keys=b"\x10\x11")
    assert b"cat" in tidy.docker("top", sleeper).stdout
