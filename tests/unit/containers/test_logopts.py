"""Log options: what is refused, what the shim gets."""

from typing import Any

import pytest

from dockwright.base.errors import Internal, InvalidParameter, NotSupported
from dockwright.containers import logopts
from dockwright.containers.container import Container
from dockwright.types.container import HostConfig, LogConfig


def container(options: dict[str, str], driver: str = "json-file") -> Container:
    config: dict[str, Any] = {"Labels": {"a": "1", "b.c": "2"}, "Env": ["E=x=y", "PATH"], "Image": "busybox:1"}
    return Container("f" * 64, "name", "", "sha256:" + "e" * 64, config, HostConfig(LogConfig=LogConfig(driver, options)))


def sizes(options: dict[str, str]) -> tuple[int, int, bool]:
    plan = logopts.plan(container(options), "/log")
    return plan["max_size"], plan["max_file"], plan["compress"]


def test_logs_rotate_by_default_and_can_be_told_not_to() -> None:
    assert sizes({}) == (20 << 20, 5, True)
    assert sizes({"max-file": "3"}) == (20 << 20, 3, True)
    assert sizes({"max-file": "1"}) == (20 << 20, 1, False)
    assert sizes({"max-size": "-1"}) == (-1, 1, False)
    assert sizes({"max-size": "10k"}) == (10 << 10, 1, False)
    assert sizes({"max-size": "1.5m", "max-file": "2", "compress": "true"}) == (3 << 19, 2, True)


@pytest.mark.parametrize("options", [{"max-file": "x"}, {"compress": "perhaps"}, {"labels-regex": "("}, {"tag": "{{.No}}"}])
def test_values_that_cannot_be(options: dict[str, str]) -> None:
    with pytest.raises(Internal, match="failed to initialize logging driver: "):
        logopts.plan(container(options), "/log")


def test_attributes() -> None:
    options = {"labels": "a,z", "labels-regex": "^b", "env": "E", "tag": "{{ .ID }}-{{.ImageName}}"}
    assert logopts.attrs(container(options), options) == {"a": "1", "b.c": "2", "E": "x=y", "tag": "f" * 12 + "-busybox:1"}


def test_checks() -> None:
    with pytest.raises(InvalidParameter, match='plugin "syslog" not found'):
        logopts.check(LogConfig("syslog", {}))
    with pytest.raises(NotSupported):
        logopts.check(LogConfig("json-file", {"mode": "non-blocking"}))
    logopts.check(LogConfig("json-file", dict.fromkeys(logopts.OPTIONS - {"mode", "max-buffer-size"}, "1")))


def test_the_daemons_options_hold_where_the_container_has_none() -> None:
    default = LogConfig("json-file", {"max-size": "1m", "max-file": "2"})
    assert logopts.merged(None, default) == default
    assert logopts.merged(LogConfig("", {"max-file": "9"}), default).Config == {"max-size": "1m", "max-file": "9"}
    assert logopts.merged(LogConfig("none", None), default) == LogConfig("none", None)
