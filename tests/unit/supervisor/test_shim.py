"""What goes wrong around a shim must not end it: its container would end with it."""

import errno
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from dockwright.runtime.cgroups import group, oom
from dockwright.supervisor import ending, lastwords, shim
from dockwright.supervisor.loop import Loop
from dockwright.supervisor.maker import GONE, Maker
from dockwright.supervisor.work import Task


class Alone(shim.Shim):
    """A shim that looks after nothing and does not end."""

    def maybe_end(self) -> None:
        self.left = not self.connections


def test_a_client_that_has_gone_before_its_stream_begins() -> None:
    alone = Alone("", "", "")
    ours, theirs = socket.socketpair()
    connection = shim.Connection(alone, ours)
    alone.connections.append(connection)
    theirs.close()
    connection.out += b"the answer"
    assert connection.become_stream() is None
    assert alone.left and connection.become_stream() is None


def test_a_maker_that_dies_before_it_is_asked_is_an_answer() -> None:
    loop = Loop()
    task = Task(loop, "id", "", lambda _: None, lambda: None)
    task.spare = Maker(loop)
    os.kill(task.spare.pid, signal.SIGKILL)
    os.waitid(os.P_PID, task.spare.pid, os.WEXITED | os.WNOWAIT)
    answers: list[Any] = []

    def reply(answer: Any) -> None:
        answers.append(answer)
        loop.running = False

    task.prepare_task({"cgroup": "/none", "sandbox": {}, "stdio": {}}, reply)
    assert not answers, "who asks has not finished asking"
    loop.run()
    assert answers == [GONE] and not task.processes


def test_a_maker_that_fails_says_why(capfd: pytest.CaptureFixture[str]) -> None:
    maker = Maker(Loop())
    maker.tell({"op": "exec"}, ())  # nothing of what it needs: KeyError is an answer
    maker.tell({}, ())
    os.waitid(os.P_PID, maker.pid, os.WEXITED | os.WNOWAIT)
    maker.close()
    assert capfd.readouterr().err == ""
    maker = Maker(Loop())
    maker.tell([], ())  # type: ignore[arg-type]
    os.waitid(os.P_PID, maker.pid, os.WEXITED | os.WNOWAIT)
    maker.close()
    assert capfd.readouterr().err.startswith("maker failed: FrameError: a frame holds a dict (maker.py:")


def test_last_words_say_where_it_went_wrong(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    try:
        oom.kills(None)  # type: ignore[arg-type]
    except AttributeError as error:
        lastwords.leave("shim", str(tmp_path), error)
        lastwords.leave("shim", "", error)  # one that had no task yet
        lastwords.leave("shim", str(tmp_path / "gone"), error)
    line = (tmp_path / "shim.log").read_text()
    assert line.startswith("shim failed: AttributeError: ") and "oom.py:" in line and line.endswith(" _counters)\n")
    assert capfd.readouterr().err == 2 * line


def test_hooks_of_a_task_that_was_taken_away(tmp_path: Path) -> None:
    ending.run_hooks("id", str(tmp_path / "gone"))


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENODEV])
def test_a_cgroup_that_goes_while_it_is_looked_at(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str, *_: str) -> str:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(group, "read", refused)
    monkeypatch.setattr(oom, "read", refused)
    monkeypatch.setattr(group, "write", refused)
    monkeypatch.setattr(os.path, "exists", lambda _: True)
    monkeypatch.setattr(os.path, "isdir", lambda _: True)
    monkeypatch.setattr(os, "walk", lambda top: [(top, [], ["cgroup.procs"])])
    one = group.Cgroup("/docker/one")
    assert oom.kills(one) == 0 and one.pids() == []
    one.kill()


def test_another_failure_of_a_cgroup_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str, *_: str) -> str:
        raise PermissionError(errno.EACCES, "no", path)

    monkeypatch.setattr(oom, "read", refused)
    monkeypatch.setattr(group, "write", refused)
    monkeypatch.setattr(os.path, "exists", lambda _: True)
    monkeypatch.setattr(os.path, "isdir", lambda _: True)
    with pytest.raises(PermissionError):
        oom.kills(group.Cgroup("/docker/one"))
    with pytest.raises(PermissionError):
        group.Cgroup("/docker/one").kill()
