"""What the runtime's command line is told of a container that is removed while that is written."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from dockwright.runtime.state import State
from dockwright.supervisor import published


def test_a_container_removed_meanwhile_is_not_made_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = tmp_path / "tasks" / "box"
    init = SimpleNamespace(
        id="box", pid=1, spec={"ociVersion": "1.0.2"}, context=SimpleNamespace(bundle=str(task)),
        group=SimpleNamespace(path="/box"),
    )  # fmt: skip
    save = State.save

    def removed(made: State) -> None:
        shutil.rmtree(made.directory)
        save(made)

    monkeypatch.setattr(State, "save", removed)
    published.publish(str(task), init)  # type: ignore[arg-type]
    assert not (tmp_path / "runc" / "box").exists()
