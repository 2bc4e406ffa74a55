"""Log options: what is refused, what the shim gets."""

from pathlib import Path
from typing import Any

import pytest

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.base.paths import Paths
from dockwright.containers import logopts
from dockwright.containers.container import Container
from dockwright.types.container import HostConfig, LogConfig

PATHS = Paths("/data", "/exec")


def container(options: dict[str, str], driver: str = "json-file") -> Container:
    config: dict[str, Any] = {
        "Labels": {"a": "1", "b.c": "2"}, "Env": ["E=x=y", "PATH"], "Image": "busybox:1", "Cmd": ["echo", "hi"],
        "Entrypoint": None,
    }  # fmt: skip
    return Container("f" * 64, "name", "", "sha256:" + "e" * 64, config, HostConfig(LogConfig=LogConfig(driver, options)))


def plan(options: dict[str, str], driver: str = "json-file") -> dict[str, Any]:
    return logopts.plan(container(options, driver), PATHS)


def sizes(options: dict[str, str]) -> tuple[int, int, bool]:
    found = plan(options)
    return found["max_size"], found["max_file"], found["compress"]


def test_logs_rotate_by_default_and_can_be_told_not_to() -> None:
    assert sizes({}) == (20_000_000, 5, True)
    assert sizes({"max-file": "3"}) == (20_000_000, 3, True)
    assert sizes({"max-file": "1"}) == (20_000_000, 1, False)
    assert sizes({"max-size": "-1"}) == (-1, 1, False)
    assert sizes({"max-size": "10k"}) == (10_000, 1, False)
    assert sizes({"max-size": "1.5m", "max-file": "2", "compress": "true"}) == (1_500_000, 2, True)


@pytest.mark.parametrize("options", [{"max-file": "x"}, {"compress": "perhaps"}, {"labels-regex": "("}, {"tag": "{{.No}}"}])
def test_values_that_cannot_be(options: dict[str, str]) -> None:
    with pytest.raises(Internal, match="failed to create task for container: failed to initialize logging driver: "):
        plan(options)


def test_attributes() -> None:
    options = {"labels": "a,z", "labels-regex": "^b", "env": "E", "tag": "{{ .ID }}-{{.ImageName}}"}
    assert logopts.attrs(container(options), options) == {"a": "1", "b.c": "2", "E": "x=y", "tag": "f" * 12 + "-busybox:1"}


@pytest.mark.parametrize(
    ("driver", "options", "text"),
    [
        ("foo", {}, 'error looking up logging plugin foo: plugin "foo" not found'),
        ("json-file", {"foo": "1"}, "unknown log opt 'foo' for json-file log driver"),
        ("json-file", {"mode": "x"}, "logger: logging mode not supported: x"),
        ("json-file", {"max-buffer-size": "1m"}, "logger: max-buffer-size option is only supported with 'mode=non-blocking'"),
        ("local", {"mode": "non-blocking", "max-buffer-size": "x"}, "error parsing option max-buffer-size: invalid size: 'x'"),
        ("local", {"tag": "x"}, "unknown log opt 'tag' for log driver local"),
        ("local", {"cache-disabled": "x"}, "invalid value for option cache-disabled: x"),
        ("gelf", {"gelf-address": "udp://h:1", "cache-foo": "x"}, 'unknown log opt "cache-foo" for gelf log driver'),
        ("none", {"mode": "non-blocking"}, "invalid logging opts for driver none"),
        ("syslog", {"syslog-address": "foo"}, "unsupported scheme: ''"),
        ("syslog", {"syslog-address": "unix:///nosuch"}, "stat /nosuch: no such file or directory"),
        ("syslog", {"syslog-facility": "foo"}, "invalid syslog facility"),
        ("syslog", {"syslog-format": "foo"}, "Invalid syslog format"),
        ("journald", {"max-size": "1m"}, "unknown log opt 'max-size' for journald log driver"),
        ("gelf", {}, "gelf-address is a required parameter"),
        ("gelf", {"gelf-address": "http://h:1"}, "gelf: endpoint needs to be TCP or UDP"),
        ("gelf", {"gelf-address": "udp://h"}, "gelf: please provide gelf-address as proto://host:port"),
        (
            "gelf", {"gelf-address": "udp://h:1", "gelf-compression-level": "99"},
            'unknown value "99" for log opt "gelf-compression-level" for gelf log driver',
        ),
        ("gelf", {"gelf-address": "udp://h:1", "gelf-tcp-max-reconnect": "3"}, '"gelf-tcp-max-reconnect" is only valid for TCP'),
        ("gelf", {"gelf-address": "tcp://h:1", "gelf-compression-type": "gzip"}, "compression is only supported on UDP"),
        (
            "gelf", {"gelf-address": "tcp://h:1", "gelf-tcp-reconnect-delay": "-1"},
            '"gelf-tcp-reconnect-delay" must be a positive integer',
        ),
        (
            "fluentd", {"fluentd-address": "127.0.0.1:x"},
            'invalid fluentd-address (127.0.0.1:x): parse "tcp://127.0.0.1:x": invalid port ":x" after host',
        ),
        ("fluentd", {"fluentd-address": "foo://x"}, "invalid fluentd-address (foo://x): unsupported scheme: 'foo'"),
        ("fluentd", {"fluentd-address": "tcp://h/p"}, "invalid fluentd-address (tcp://h/p): should not contain a path element"),
        (
            "fluentd", {"fluentd-async-reconnect-interval": "1h"},
            'invalid value for fluentd-async-reconnect-interval: value ("1h0m0s") must be between 100ms and 10s',
        ),
        ("fluentd", {"fluentd-async": "x"}, 'strconv.ParseBool: parsing "x": invalid syntax'),
        (
            "fluentd", {"fluentd-async": "1", "fluentd-async-connect": "1"},
            "conflicting options: cannot specify both 'fluentd-async' and 'fluentd-async-connect",
        ),
        ("fluentd", {"fluentd-buffer-limit": "x"}, "invalid size: 'x'"),
        ("fluentd", {"fluentd-retry-wait": "x"}, 'time: invalid duration "x"'),
        ("fluentd", {"fluentd-max-retries": "x"}, 'strconv.ParseUint: parsing "x": invalid syntax'),
        ("passthrough", {"stdout": "relative"}, "stdout must be an absolute path, got relative"),
    ],
)  # fmt: skip
def test_what_is_refused_at_create(driver: str, options: dict[str, str], text: str) -> None:
    with pytest.raises(InvalidParameter) as refusal:
        logopts.check(LogConfig(driver, options))
    assert refusal.value.message == text


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"max-file": "1"}, "compression cannot be enabled when max file count is 1"),
        ({"max-size": "x"}, "invalid value for max-size: x: invalid size: 'x'"),
        ({"max-file": "x"}, 'invalid value for max-file: x: strconv.Atoi: parsing "x": invalid syntax'),
    ],
)
def test_local_sizes_are_refused_at_start(options: dict[str, str], text: str) -> None:
    with pytest.raises(Internal) as refusal:
        plan(options, "local")
    assert refusal.value.message == f"failed to create task for container: failed to initialize logging driver: {text}"


def test_drivers_that_send_lines_away_keep_a_copy(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path), "/exec")
    options = {"gelf-address": "udp://h:1", "labels": "a", "tag": "{{.Name}}", "mode": "non-blocking", "cache-max-size": "1k"}
    found = logopts.plan(container(options, "gelf"), paths)
    assert (found["driver"], found["options"], found["buffer"]) == ("gelf", options, 1_000_000)
    assert found["info"]["tag"] == "name"
    assert found["info"]["attrs"] == {"a": "1"}
    copy = {"driver": "local", "max_size": 1000, "max_file": 5, "compress": True}
    assert found["cache"] == {**copy, "path": f"{tmp_path}/containers/{'f' * 64}/container-cached.log"}
    assert "cache" not in logopts.plan(container({**options, "cache-disabled": "true"}, "gelf"), paths)


def test_the_daemons_options_hold_where_the_container_has_none() -> None:
    default = LogConfig("json-file", {"max-size": "1m", "max-file": "2"})
    assert logopts.merged(None, default) == default
    assert logopts.merged(LogConfig("", {"max-file": "9"}), default).Config == {"max-size": "1m", "max-file": "9"}
    assert logopts.merged(LogConfig("none", None), default) == LogConfig("none", None)
