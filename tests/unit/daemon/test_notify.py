"""What a service manager hears from us."""

import socket

import pytest

from dockwright.daemon import notify


@pytest.mark.parametrize("abstract", [False, True])
def test_a_manager_hears_the_states(abstract: bool, tmp_path, monkeypatch) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}" if abstract else name)
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}" if abstract else name)
        assert notify.tell("READY=1", "STATUS=up")
        assert manager.recv(100) == b"READY=1\nSTATUS=up"


def test_without_a_manager_nothing_is_said(monkeypatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify.tell("READY=1")


def test_a_manager_that_has_gone_is_logged_only(tmp_path, monkeypatch, caplog) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not notify.tell("READY=1")
    assert "READY=1: No such file or directory" in caplog.text
