"""base: the small types everything else stands on."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dockwright.base import errors, files, ids, times, trees
from dockwright.base.paths import Paths
from dockwright.base.steps import Step, perform


def test_a_prefix_keeps_the_class_of_an_error() -> None:
    error = errors.Conflict("container is running").prefixed("cannot remove: ")
    assert isinstance(error, errors.Conflict)
    assert error.message == str(error) == "cannot remove: container is running"
    assert error.status == 409


def test_each_kind_has_its_own_status() -> None:
    kinds = [kind for kind in errors.EngineError.__subclasses__() if kind.__module__ == errors.__name__]
    assert sorted(k.status for k in kinds) == [304, 400, 401, 403, 404, 409, 413, 500, 501, 503]


def test_ids_whose_short_form_is_all_digits_are_rolled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rolls = iter([b"\x12" * 32, b"\xab" * 32])
    monkeypatch.setattr(os, "urandom", lambda n: next(rolls))
    assert ids.new_id() == "ab" * 32


def test_short_ids_drop_the_algorithm() -> None:
    assert ids.short("sha256:" + "ab" * 32) == "ab" * 6
    assert ids.short("ab" * 32) == "ab" * 6


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_500_000_000, "1970-01-01T00:00:01.5Z"),
        (1_700_000_000_000_000_001, "2023-11-14T22:13:20.000000001Z"),
    ],
)
def test_times_are_printed_as_go_prints_them(nanoseconds: int, text: str) -> None:
    assert times.rfc3339(nanoseconds) == text


def test_fixed_times_have_nine_digits() -> None:
    assert times.rfc3339_fixed(1_500_000_000) == "1970-01-01T00:00:01.500000000Z"


def test_an_atomic_write_leaves_the_old_file_when_it_fails(tmp_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    target = f"{tmp_path}/file"
    files.write_atomic(target, b"old", durable=True)

    def refuse(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(OSError, match="no"):
        files.write_atomic(target, b"new")
    with open(target, "rb") as f:
        assert f.read() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_an_atomic_write_sets_its_mode_whatever_the_umask(tmp_path: str) -> None:
    old = os.umask(0)
    try:
        files.write_atomic(f"{tmp_path}/file", b"x", mode=0o640)
    finally:
        os.umask(old)
    assert os.stat(f"{tmp_path}/file").st_mode & 0o7777 == 0o640


def test_shim_sockets_fit_into_a_unix_address() -> None:
    assert len(Paths().shim_socket("f" * 64)) < 108


def test_steps_are_described_before_and_timed_after() -> None:
    class Note(Step):
        __slots__ = ()

        def execute(self) -> None:
            notes.append(self.text)

    notes: list[str] = []
    step = Note("shim", "mount", "mount proc at /proc")
    assert step.record() == ("shim", "mount", "mount proc at /proc", 0, -1)
    perform([step])
    assert notes == ["mount proc at /proc"]
    assert step.record()[3] > 0
    assert step.record()[4] >= 0


def test_what_the_shim_imports_of_base_is_light() -> None:
    code = "import sys; import dockwright.base.errors, dockwright.base.steps; print(sorted(sys.modules))"
    path = os.path.dirname(os.path.dirname(os.path.dirname(errors.__file__)))
    out = subprocess.run([sys.executable, "-I", "-S", "-B", "-c", f"import sys; sys.path.insert(0, {path!r}); {code}"],
                         capture_output=True, text=True, check=True).stdout  # fmt: skip
    assert not {"re", "json", "typing", "dataclasses", "pathlib", "subprocess", "logging"} & set(eval(out))


def test_a_tree_is_removed_while_somebody_writes_into_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = [tmp_path / "task/one", tmp_path / "task/two"]

    def rmdir(path: str, dir_fd: int | None = None, real: Any = os.rmdir) -> None:
        if late:
            late.pop().touch()  # just before the rmdir(2), as a process that is ending would
        real(path, dir_fd=dir_fd)

    (tmp_path / "task").mkdir()
    monkeypatch.setattr(os, "rmdir", rmdir)
    trees.remove_tree(str(tmp_path / "task"))
    assert not late and not (tmp_path / "task").exists()


def test_a_tree_that_cannot_be_removed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rmdir(path: str, dir_fd: int | None = None) -> None:
        raise OSError(errno.EBUSY, "busy", path)

    (tmp_path / "task").mkdir()
    monkeypatch.setattr(os, "rmdir", rmdir)
    with pytest.raises(OSError, match="busy"):
        trees.remove_tree(str(tmp_path / "task"), patience=0.05)
    trees.remove_tree(str(tmp_path / "none"))
