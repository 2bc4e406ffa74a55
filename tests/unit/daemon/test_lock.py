"""One daemon per data root, and the pid file."""

import logging
import os
import stat

import pytest

from dockwright.base.errors import Internal
from dockwright.daemon.lock import DataRootLock, remove_pidfile, write_pidfile
from dockwright.daemon.log import LogfmtFormatter, quoted


def test_a_second_daemon_on_one_data_root_is_refused_by_name_of_the_first(tmp_path: str) -> None:
    lock = DataRootLock(f"{tmp_path}/lock")
    with pytest.raises(Internal, match=f"process with PID {os.getpid()}"):
        DataRootLock(f"{tmp_path}/lock")
    lock.release()
    DataRootLock(f"{tmp_path}/lock").release()


def test_a_pid_file_of_a_living_process_is_respected(tmp_path: str) -> None:
    path = f"{tmp_path}/engine.pid"
    with open(path, "w") as file:
        file.write("1")
    with pytest.raises(Internal, match="process with PID 1 is still running"):
        write_pidfile(path)


@pytest.mark.parametrize("stale", ["4194399", "", "what"])
def test_a_stale_pid_file_is_replaced(tmp_path: str, stale: str) -> None:
    path = f"{tmp_path}/engine.pid"
    with open(path, "w") as file:
        file.write(stale)
    write_pidfile(path)
    with open(path) as file:
        assert file.read() == str(os.getpid())
    remove_pidfile(path)
    remove_pidfile(path)
    assert not os.path.exists(path)


def test_log_values_cannot_forge_a_line() -> None:
    assert quoted('a "b"\nc\x1b') == '"a \\"b\\"\\nc\\x1b"'


def test_a_log_line_is_logfmt() -> None:
    record = logging.LogRecord("dockwright", logging.WARNING, "", 1, "hello %s", ("you",), None)
    record.created = 0
    assert LogfmtFormatter().format(record) == 'time="1970-01-01T00:00:00Z" level=warning msg="hello you"'


def test_a_pid_file_that_is_no_file_is_left_alone(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    write_pidfile(str(tmp_path / "pipe"))
    remove_pidfile(str(tmp_path / "pipe"))
    assert stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode)
    assert os.listdir(tmp_path) == ["pipe"]
