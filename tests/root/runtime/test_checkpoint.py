"""Checkpoints: what ran goes on where it was, in its cgroup, with its memory, files, mounts and streams."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import criu
from tests.root.runtime.conftest import PROGRAM
from tests.root.runtime.test_terminal import ConsoleSocket

COUNT = "echo kept > /tmp/file; exec 5< /tmp/file; while :; do i=$((i+1)); echo $i; sleep 0.05; done"


@pytest.fixture
def counting(runtime: Any, bundle: Any) -> Iterator["Counting"]:
    reason = criu.missing()
    if reason:
        pytest.skip(reason)
    runtime.environment = {"PATH": f"{criu.PLACE}:/usr/sbin:/usr/bin:/sbin:/bin"}
    made = Counting(runtime, bundle)
    yield made
    made.close()


class Counting:
    """A container that counts on its standard output, with a reader of ours at the pipe's other end."""

    def __init__(self, runtime: Any, bundle: Any) -> None:
        self.runtime, self.bundle, self.images = runtime, bundle, bundle.path / "image"
        self.output = bundle.path / "output"
        self.readers: list[subprocess.Popen[bytes]] = []
        bundle.script(COUNT)

    def begin(self, *words: str) -> "subprocess.CompletedProcess[bytes]":
        """Run a command of the runtime whose container writes into a pipe, as it does itself."""
        self.bundle.write()
        with open(self.output, "ab") as out:
            self.readers.append(subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=out))
            bundle = ("--bundle", str(self.bundle.path))
            command = [str(PROGRAM), "--root", str(self.runtime.root), *words, *bundle, self.runtime.name]
            return subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=self.readers[-1].stdin, stderr=subprocess.STDOUT,
                env=self.runtime.environment, timeout=60, check=False,
            )  # fmt: skip

    def checkpoint(self, *flags: str) -> Any:
        return self.runtime("checkpoint", "--image-path", str(self.images), *flags, self.runtime.name)

    def restore(self) -> Any:
        return self.begin("restore", "--detach", "--image-path", str(self.images))

    def error(self) -> str:
        return "".join(line for line in self.output.read_text().splitlines(True) if not line.strip().isdigit())

    def numbers(self) -> list[int]:
        lines = self.output.read_text().splitlines(True)
        return [int(line) for line in lines if line.endswith("\n") and line.strip().isdigit()]

    def close(self) -> None:
        self.runtime("delete", "--force", self.runtime.name)
        for reader in self.readers:
            assert reader.stdin
            reader.stdin.close()
            reader.wait(30)


def eventually(true: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 30
    while not (found := true()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


def test_a_restored_container_goes_on(counting: Counting, runtime: Any, bundle: Any, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    bundle.mount("/shared", "bind", str(shared), "rbind", "rw").mount("/etc/passwd", "bind", "/etc/hostname", "bind", "ro")
    bundle.script(COUNT.replace("echo $i", "echo $i; echo $i > /shared/now"))
    assert counting.begin("run", "--detach").returncode == 0, counting.error()
    eventually(lambda: len(counting.numbers()) > 3)
    done = counting.checkpoint()
    assert done.returncode == 0, done
    assert runtime("state", runtime.name).returncode == 1, "it has ended"
    before = counting.numbers()
    (shared / "now").unlink()
    assert counting.restore().returncode == 0, counting.error()
    eventually(lambda: counting.numbers()[-1] > before[-1] + 2)
    found = counting.numbers()
    assert found == list(range(1, len(found) + 1)), "each once, in order"
    assert eventually(lambda: (shared / "now").exists() and (shared / "now").read_text())
    state = runtime.state()
    assert state["status"] == "running"
    pid = state["pid"]
    assert f":/dwtest/{runtime.name}\n" in Path(f"/proc/{pid}/cgroup").read_text()
    assert os.readlink(f"/proc/{pid}/fd/5") == "/tmp/file"
    assert runtime("exec", runtime.name, "cat", "/etc/passwd").stdout == Path("/etc/hostname").read_text()
    assert runtime("kill", runtime.name, "KILL").returncode == 0


def test_a_container_can_be_left_running(counting: Counting, runtime: Any) -> None:
    assert counting.begin("run", "--detach").returncode == 0, counting.error()
    eventually(counting.numbers)
    assert counting.checkpoint("--leave-running", "--work-path", str(counting.bundle.path / "work")).returncode == 0
    assert (counting.bundle.path / "work/dump.log").exists()
    last = counting.numbers()[-1]
    eventually(lambda: counting.numbers()[-1] > last)
    assert runtime.state()["status"] == "running"


def test_a_read_only_root_stays_so(counting: Counting, runtime: Any, bundle: Any) -> None:
    bundle.spec["root"]["readonly"] = True
    bundle.mount("/tmp", "tmpfs", "tmpfs", "rw")
    assert counting.begin("run", "--detach").returncode == 0, counting.error()
    eventually(counting.numbers)
    assert counting.checkpoint().returncode == 0
    assert counting.restore().returncode == 0, counting.error()
    assert runtime("exec", runtime.name, "touch", "/x").returncode != 0
    assert runtime("exec", runtime.name, "cat", "/tmp/file").stdout == "kept\n"


def test_a_terminal_is_handed_out_again(counting: Counting, runtime: Any, bundle: Any, tmp_path: Path) -> None:
    bundle.process["terminal"] = True
    first, second = ConsoleSocket(tmp_path / "1"), ConsoleSocket(tmp_path / "2")
    assert counting.begin("run", "--detach", "--console-socket", first.path).returncode == 0, counting.error()
    first.thread.join(30)
    done = counting.checkpoint("--shell-job")
    assert done.returncode == 0, done
    flags = ("--detach", "--shell-job", "--console-socket", second.path, "--image-path", str(counting.images))
    assert counting.begin("restore", *flags).returncode == 0, counting.error()
    second.thread.join(30)
    assert b"\n" in os.read(second.master, 4096)
    os.close(first.master)
    os.close(second.master)


def test_a_failed_restore_leaves_nothing(counting: Counting, runtime: Any) -> None:
    assert counting.begin("run", "--detach").returncode == 0, counting.error()
    eventually(counting.numbers)
    assert counting.checkpoint().returncode == 0
    (counting.images / "pstree.img").unlink()
    assert counting.restore().returncode == 1
    eventually(lambda: f"log file: {counting.images}/restore.log" in counting.error())
    assert json.loads(runtime("list", "--format", "json").stdout) is None


def test_without_criu_a_container_runs_on(counting: Counting, runtime: Any) -> None:
    assert counting.begin("run", "--detach").returncode == 0, counting.error()
    runtime.environment = {"PATH": "/nowhere"}
    words = 'CRIU version check failed: exec: "criu": executable file not found in $PATH'
    assert words in json.dumps(counting.checkpoint().stderr).replace('\\\\\\"', '"').replace('\\"', '"')
    assert runtime.state()["status"] == "running"
    assert counting.restore().returncode == 1
