"""Folders of cgroups."""

import os
from pathlib import Path

import pytest

from dockwright.runtime.cgroups.group import make_directories


def test_missing_parents_are_made_and_told(tmp_path: Path) -> None:
    path = f"{tmp_path}/a/b/c"
    assert make_directories(path) == [f"{tmp_path}/a", f"{tmp_path}/a/b", path]
    assert make_directories(path) == []


def test_what_cannot_be_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As below a cgroup that is just going: the folder is there, and nothing can be made in it."""
    real = os.mkdir

    def mkdir(path: str, mode: int = 0o777) -> None:
        if path.endswith("/c"):
            raise FileNotFoundError(path)
        real(path, mode)

    monkeypatch.setattr(os, "mkdir", mkdir)
    with pytest.raises(FileNotFoundError):
        make_directories(f"{tmp_path}/a/b/c")
    assert os.listdir(tmp_path) == []
