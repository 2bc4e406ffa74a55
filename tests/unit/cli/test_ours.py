"""Commands that only our daemon understands, asked of another one."""

from importlib import import_module
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from dockwright.cli.failure import Failure
from dockwright.cli.ours import ours
from dockwright.client.errors import ApiError
from dockwright.grammar.flags import Given, Parser

COMMANDS = {
    "network_dns": ["web"], "network_map": [], "why": ["web"], "image_verify": ["busybox"], "image_layers": ["busybox"],
    "image_diff": ["a", "b"], "image_attestations": ["a"], "system_check": [], "volume_clone": ["a", "b"],
    "volume_export": ["-o", "/tmp/never", "a"],
}  # fmt: skip


def refusing(status: int, message: str) -> Any:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise ApiError(status, message)

    return SimpleNamespace(client=SimpleNamespace(request=refuse, get=refuse, post=refuse))


@pytest.mark.parametrize("name", COMMANDS)
def test_another_daemon_is_told_from_ours(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command = import_module(f"dockwright.cli.commands.{name}")
    if name == "image_verify":
        monkeypatch.setattr(command, "_headers", lambda *_: {})
    given: Given = Parser(command.FLAGS).parse(COMMANDS[name])
    with pytest.raises(Failure) as failure:
        command.run(refusing(404, "page not found"), given)
    assert failure.value.text.startswith("the daemon does not ") and failure.value.text.endswith(": it is not dockwrightd\n")
    with pytest.raises(ApiError):
        command.run(refusing(404, "No such image: busybox:latest"), given)


def test_what_is_answered_comes_back() -> None:
    assert ours("count", lambda: 3) == 3
