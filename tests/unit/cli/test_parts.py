"""Detach keys, help pages, port lists, rows, the trace's table, hosts, types for templates."""

import json
from pathlib import Path

import pytest

from dockwright.cli import hosts
from dockwright.cli.commands import find, images, ps, stats
from dockwright.cli.context import Context
from dockwright.cli.detach import Scanner, parse_keys
from dockwright.cli.explain import table
from dockwright.cli.failure import Failure
from dockwright.cli.formatting import Table, render
from dockwright.cli.go_types import typed
from dockwright.cli.help import render as laid_out
from dockwright.cli.main import GLOBAL
from dockwright.cli.natural import natural
from dockwright.cli.portlist import ports_text
from dockwright.grammar.flags import Parser
from dockwright.grammar.template import Template


def feed(keys: bytes, *pieces: bytes) -> tuple[bytes, bool]:
    scanner, passed = Scanner(keys), b""
    for piece in pieces:
        part, detached = scanner.feed(piece)
        passed += part
        if detached:
            return passed, True
    return passed, False


def test_detach_keys() -> None:
    keys = parse_keys("ctrl-p,ctrl-q")
    assert keys == b"\x10\x11"
    assert feed(keys, b"ab\x10\x11") == (b"ab", True)
    assert feed(keys, b"\x10", b"\x11") == (b"", True)
    assert feed(keys, b"\x10x") == (b"\x10x", False)
    assert feed(keys, b"\x10\x10\x11") == (b"\x10", True)
    assert feed(parse_keys("a"), b"xa") == (b"x", True)
    assert parse_keys("ctrl-@,ctrl-[,ctrl-_,z") == b"\x00\x1b\x1fz"
    for text in ("", "foo", "ctrl-", "ctrl-1", "a,,b"):
        with pytest.raises(ValueError, match="Unknown character"):
            parse_keys(text)


def test_help_is_wrapped_as_docker_wraps_it() -> None:
    options = "  -a, --all\tShow all\n      --format string\tFormat the output by a template that is long enough\n\tmore\n"
    text = f"Usage:  x\n\nOptions:\n{options}"
    assert laid_out(text, 60).splitlines()[3:] == [
        "  -a, --all             Show all",
        "      --format string   Format the output by a",
        "                        template that is long enough",
        "                        more",
    ]


def test_ports() -> None:
    rows = [{"PrivatePort": port, "Type": "tcp"} for port in (7001, 7000, 7003)]
    rows += [{"IP": "0.0.0.0", "PrivatePort": port, "PublicPort": port, "Type": "udp"} for port in (9000, 9001)]
    rows += [{"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}]
    assert ports_text(rows) == "7000-7001/tcp, 7003/tcp, 0.0.0.0:9000-9001->9000-9001/udp, [::]:8080->80/tcp"


def test_natural_order() -> None:
    assert sorted(["net10", "net2", "a", "net"], key=natural) == ["a", "net", "net2", "net10"]


def test_a_row_of_ps() -> None:
    container = {
        "Id": "0123456789abcdef", "Names": ["/a", "/b/alias"], "Image": "docker.io/library/busybox:1@sha256:" + "0" * 64,
        "ImageID": "sha256:ffff", "Command": 'sh -c "a long command"', "Created": 0, "Status": "Up", "State": "running",
        "Ports": [], "Labels": {"b": "2", "a": "1"}, "Mounts": [{"Name": "a-very-long-volume-name", "Driver": "local"}],
    }  # fmt: skip
    row = ps.row(container, True)
    assert (row["ID"], row["Names"], row["Image"]) == ("0123456789ab", "a", "busybox:1")
    assert (row["Command"], row["Labels"]) == ('"sh -c \\"a long comma…"', "a=1,b=2")
    assert (row["Mounts"], row["LocalVolumes"]) == ("a-very-long-vo…", "1")
    assert ps.row(container, False)["Names"] == "a,b/alias"


def test_rows_of_images() -> None:
    image = {"RepoTags": ["r:5000/a:1", "b:2"], "RepoDigests": ["r:5000/a@sha256:x", "c@sha256:y"]}
    assert images.names(image, False) == [("r:5000/a", "1", "<none>"), ("b", "2", "<none>"), ("c", "<none>", "<none>")]
    assert images.names(image, True)[0] == ("r:5000/a", "1", "sha256:x")
    assert images.names({"RepoTags": ["<none>:<none>"], "RepoDigests": ["<none>@<none>"]}, False) == [("<none>",) * 3]


def test_cpu_and_memory_of_stats() -> None:
    sample = {
        "cpu_stats": {"cpu_usage": {"total_usage": 300}, "system_cpu_usage": 2000, "online_cpus": 2},
        "precpu_stats": {"cpu_usage": {"total_usage": 100}, "system_cpu_usage": 1000},
    }
    assert stats.cpu_share(sample) == pytest.approx(40.0)
    assert stats.memory_used({"usage": 100, "stats": {"inactive_file": 30}}) == 70
    assert stats.memory_used({"usage": 100, "stats": {"total_inactive_file": 200, "inactive_file": 30}}) == 70


def test_formats() -> None:
    shape = Table({"A": "AAA", "B": "BBB"}, "{{.A}}\t{{.B}}", "A", "*x.y", "a: {{.A}}\n")
    rows = [{"A": "1", "B": "<2>"}]
    assert render(shape, rows, "") == "AAA       BBB\n1         <2>\n"
    assert render(shape, rows, "table {{.B}}\\t{{.A}}") == "BBB       AAA\n<2>       1\n"
    assert render(shape, rows, "table {{.B | upper}}") == "BBB\n<2>\n"
    assert render(shape, rows, "json") == '{"A":"1","B":"\\u003c2\\u003e"}\n'
    assert render(shape, rows, "{{.A}}", quiet=True) == "1\n"
    assert render(shape, rows, "raw") == "a: 1\n\n"
    for form, text in (("{{.C}}", "can't evaluate field C in type *x.y"), ("{{.C", "unclosed action")):
        with pytest.raises(Failure) as caught:
            render(shape, rows, form)
        assert text in caught.value.text


def test_structs_and_nils_of_go() -> None:
    document = typed({
        "Mounts": [{"Type": "bind", "Source": "/a", "RW": True}], "Config": {"Cmd": None, "Labels": None},
        "NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "80"}], "7/tcp": None}},
    })  # fmt: skip
    assert Template("{{.Mounts}} {{.Config.Cmd}} {{.Config.Labels}}").execute(document) == "[{bind  /a    true }] [] map[]"
    assert Template("{{.NetworkSettings.Ports}}").execute(document) == "map[7/tcp:[] 80/tcp:[{0.0.0.0 80}]]"
    assert Template("{{json .Config}}").execute(document) == '{"Cmd":null,"Labels":null}'


def test_the_traces_table() -> None:
    rows = [
        {"Actor": "init", "Kind": "mount", "Text": "proc\non /proc", "Start": 3_000_000, "Took": 20_000},
        {"Actor": "shim", "Kind": "cgroup", "Text": "x" * 200, "Start": 1_000_000, "Took": 5_000},
        {"Actor": "init", "Kind": "process", "Text": "never", "Start": 4_000_000, "Took": -1},
    ]
    lines = table(rows).splitlines()
    assert lines[1].split()[:4] == ["0", "5", "shim", "cgroup"]
    assert lines[2].split() == ["2000", "20", "init", "mount", "proc", "on", "/proc"]
    assert lines[3].split() == ["3000", "-", "init", "process", "never"]
    assert [line.split() for line in lines[5:]] == [["5", "shim", "1", "steps"], ["20", "init", "2", "steps"]]


def context(*options: str) -> Context:
    return Context(find(["ps"]), Parser(GLOBAL, interspersed=False).parse([*options, "ps"]))


def test_which_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment: dict[str, str] = {}
    for module in (hosts, __import__("dockwright.cli.settings", fromlist=["x"])):
        monkeypatch.setattr(module, "environment", lambda name: environment.get(name, ""))
    folder = ["--config", str(tmp_path)]
    assert hosts.chosen(context(*folder)) == ("", None)
    assert hosts.chosen(context(*folder, "-H", "tcp://h:1")) == ("tcp://h:1", None)
    assert hosts.chosen(context(*folder, "-H", "h")) == ("tcp://h", None)
    meta = tmp_path / "contexts/meta/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"  # of "test"
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": "test", "Endpoints": {"docker": {"Host": "unix:///ctx"}}}))
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "test"}))
    assert hosts.chosen(context(*folder)) == ("unix:///ctx", None)
    environment["DOCKER_HOST"] = "unix:///env"
    assert hosts.chosen(context(*folder)) == ("unix:///env", None)
    assert hosts.chosen(context(*folder, "-c", "test")) == ("unix:///ctx", None)
    with pytest.raises(Failure, match='context "nosuch": context not found'):
        hosts.chosen(context(*folder, "-c", "nosuch"))
    with pytest.raises(Failure, match="Specify only one -H"):
        hosts.chosen(context("-H", "a", "-H", "b"))
    with pytest.raises(Failure, match=f"resolve docker endpoint: open {tmp_path}/ca.pem: no such file or directory"):
        hosts.connect(context(*folder, "--tlsverify=false", "-H", "tcp://h:1"))
