"""ps, stats, top: what is seen of containers."""

import json
import os
import subprocess
import time
from typing import Any

import pytest

from dockwright.runtime.cgroups.layout import layout

NONE = ("--network", "none")


def listed(ask: Any, **filters: list[str]) -> list[str]:
    query = json.dumps(filters).replace('"', "%22").replace(" ", "")
    status, rows = ask("GET", f"/containers/json?all=1&filters={query}")
    assert status == 200, rows
    return [row["Names"][0].removeprefix("/") for row in rows]


def test_a_running_containers_numbers(sleeper: str, ask: Any) -> None:
    begun = time.monotonic()
    status, sample = ask("GET", f"/containers/{sleeper}/stats?stream=0")
    assert status == 200
    assert time.monotonic() - begun > 0.9
    assert sample["name"] == "/sleeper"
    assert sample["cpu_stats"]["cpu_usage"]["total_usage"] >= sample["precpu_stats"]["cpu_usage"]["total_usage"] > 0
    assert sample["cpu_stats"]["system_cpu_usage"] > sample["precpu_stats"]["system_cpu_usage"]
    assert sample["read"] > sample["preread"] > "2"
    assert sample["pids_stats"]["current"] == 1
    assert 0 < sample["memory_stats"]["usage"] < sample["memory_stats"]["limit"]
    assert ("max_usage" in sample["memory_stats"]) == (not layout().is_v2)
    assert "total_inactive_file" in sample["memory_stats"]["stats"] or layout().is_v2
    assert "networks" not in sample


def test_one_shot_and_a_stopped_container(sleeper: str, ask: Any, tidy: Any) -> None:
    begun = time.monotonic()
    sample = ask("GET", f"/containers/{sleeper}/stats?stream=0&one-shot=1")[1]
    assert time.monotonic() - begun < 0.5
    assert sample["precpu_stats"]["cpu_usage"]["total_usage"] == 0
    tidy.docker("kill", sleeper)
    sample = ask("GET", f"/containers/{sleeper}/stats?stream=0")[1]
    assert sample["memory_stats"] == {}
    assert sample["blkio_stats"]["io_service_bytes_recursive"] is None


def test_docker_stats_shows_the_limit(tidy: Any) -> None:
    tidy.docker("run", *NONE, "-d", "--name", "small", "-m", "32m", "--pids-limit", "50", "busybox", "sleep", "1000")
    shown = tidy.docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}} {{.PIDs}} {{.NetIO}}").stdout.decode()
    name, _, _, limit, pids, *net = shown.split()
    assert (name, limit, pids, net) == ("small", "32MiB", "1", ["0B", "/", "0B"])


def test_a_stream_of_samples_ends_with_the_container(sleeper: str, tidy: Any) -> None:
    shown = subprocess.Popen(["docker", "-H", tidy.host, "stats", sleeper, "--format", "{{.PIDs}}"], stdout=subprocess.PIPE)
    assert shown.stdout
    assert b"1" in shown.stdout.readline() + shown.stdout.readline() + shown.stdout.readline()
    shown.kill()
    shown.wait(10)


def test_top(sleeper: str, tidy: Any, ask: Any) -> None:
    if subprocess.run(["ps", "-ef"], capture_output=True, check=False).returncode:
        pytest.skip("ps(1) itself fails here")
    lines = tidy.docker("top", sleeper).stdout.decode().splitlines()
    assert lines[0].split()[:3] == ["UID", "PID", "PPID"]
    assert len(lines) == 2
    assert lines[1].endswith("sleep 1000")
    assert tidy.docker("top", sleeper, "-o", "pid,args").stdout.decode().splitlines()[1].split()[1:] == ["sleep", "1000"]
    assert ask("GET", f"/containers/{sleeper}/top?ps_args=-o%20args") == (
        500, {"message": "Couldn't find PID field in ps output"})  # fmt: skip
    status, answer = ask("GET", f"/containers/{sleeper}/top?ps_args=-o%20x=PID")
    assert (status, answer["message"]) == (400, 'specifying "x=PID" is not allowed')
    status, answer = ask("GET", f"/containers/{sleeper}/top?ps_args=--nosuch")
    assert status == 500
    assert answer["message"].startswith("ps: ")


def test_what_a_stopped_container_refuses(tidy: Any, ask: Any) -> None:
    ident = tidy.docker("create", *NONE, "--name", "idle", "busybox").stdout.decode().strip()
    text = {"message": f"container {ident} is not running"}
    assert ask("GET", "/containers/idle/top") == (409, text)
    assert ask("POST", "/containers/idle/exec", {"Cmd": ["true"]}) == (409, text)
    assert ask("POST", "/containers/idle/resize?h=1&w=1") == (409, text)
    assert ask("POST", "/containers/idle/pause") == (409, text)
    killed = {"message": f"cannot kill container: idle: container {ident} is not running"}
    assert ask("POST", "/containers/idle/kill") == (409, killed)
    assert ask("POST", "/containers/idle/unpause") == (500, {"message": f"Container {ident} is not paused"})
    assert ask("POST", "/containers/idle/stop")[0] == 304


def test_filters(tidy: Any, ask: Any) -> None:
    made: dict[str, str] = {}
    for name, label, script in (("one", "a=1", "exit 3"), ("two", "a=2", "exit 0"), ("three", "b", "sleep 1000")):
        done = tidy.docker("run", *NONE, "-d", "--name", name, "--label", label, "busybox", "sh", "-c", script)
        made[name] = done.stdout.decode().strip()
    tidy.docker("create", *NONE, "--name", "four", "busybox")
    tidy.docker("wait", "one", "two")
    assert listed(ask) == ["four", "three", "two", "one"]
    assert listed(ask, status=["exited"]) == ["two", "one"]
    assert listed(ask, status=["created", "running"]) == ["four", "three"]
    assert listed(ask, exited=["3"]) == ["one"]
    assert listed(ask, label=["a"]) == ["two", "one"]
    assert listed(ask, label=["a=2"]) == ["two"]
    assert listed(ask, label=["a", "b"]) == []
    assert listed(ask, name=["^t"]) == ["three", "two"]
    assert listed(ask, name=["/one$", "four"]) == ["four", "one"]
    assert listed(ask, id=[made["two"][:12]]) == ["two"]
    assert listed(ask, id=["zz"]) == []
    assert listed(ask, before=["three"]) == ["two", "one"]
    assert listed(ask, since=["two"]) == ["four", "three"]
    assert listed(ask, ancestor=["busybox"]) == ["four", "three", "two", "one"]
    assert listed(ask, ancestor=["nosuch"]) == []
    assert listed(ask, network=["none"]) == ["four", "three", "two", "one"]
    assert listed(ask, network=["other"]) == []
    assert listed(ask, health=["none"]) == ["four", "three", "two", "one"]
    assert listed(ask, health=["healthy"]) == []
    assert listed(ask, volume=["v"]) == []
    assert tidy.docker("ps", "-q", "--no-trunc").stdout.decode().split() == [made["three"]]
    assert tidy.docker("ps", "-q", "--no-trunc", "-n", "2").stdout.decode().split()[1] == made["three"]
    assert tidy.docker("ps", "-l", "--format", "{{.Names}}").stdout == b"four\n"


@pytest.mark.parametrize(
    ("filters", "status", "text"),
    [
        ('{"foo":["x"]}', 400, "invalid filter 'foo'"),
        ('{"status":["x"]}', 400, "invalid filter 'status=x'"),
        ('{"exited":["x"]}', 400, "invalid filter 'exited=x': strconv.Atoi: parsing \"x\": invalid syntax"),
        ('{"before":["nosuch"]}', 404, "No such container: nosuch"),
        ('{"publish":["x"]}', 500, "invalid filter: x: invalid port"),
        ("{", 400, "invalid filter"),
    ],
)
def test_filters_that_cannot_be(ask: Any, filters: str, status: int, text: str) -> None:
    quoted = filters.replace('"', "%22")
    assert ask("GET", f"/containers/json?filters={quoted}") == (status, {"message": text})


def test_status_texts(tidy: Any, sleeper: str) -> None:
    tidy.docker("run", *NONE, "--name", "ended", "busybox", "sh", "-c", "exit 9")
    tidy.docker("create", *NONE, "--name", "made", "busybox")
    tidy.docker("pause", sleeper)
    lines = tidy.docker("ps", "-a", "--format", "{{.Names}}|{{.Status}}").stdout.decode().splitlines()
    shown = dict(line.split("|") for line in lines)
    assert shown["made"] == "Created"
    assert shown["ended"] in ("Exited (9) Less than a second ago", "Exited (9) 1 second ago")
    assert shown[sleeper].startswith("Up ")
    assert shown[sleeper].endswith(" (Paused)")


def test_the_image_is_shown_by_id_once_its_name_means_another(tidy: Any) -> None:
    tidy.docker("tag", "busybox", "mine:1")
    tidy.docker("create", *NONE, "--name", "made", "mine:1")
    assert tidy.docker("ps", "-a", "--format", "{{.Image}}").stdout == b"mine:1\n"
    tidy.docker("rmi", "mine:1")
    assert tidy.docker("ps", "-a", "--format", "{{.Image}}").stdout.strip() not in (b"mine:1", b"")


def test_rename_and_its_event(tidy: Any, ask: Any, heard: Any) -> None:
    tidy.docker("create", *NONE, "--name", "old", "busybox")
    tidy.docker("create", *NONE, "--name", "other", "busybox")
    assert ask("POST", "/containers/old/rename?name=old")[1] == {
        "message": "Renaming a container with the same name as its current name"}  # fmt: skip
    assert ask("POST", "/containers/old/rename?name=")[1] == {"message": "Neither old nor new names may be empty"}
    status, answer = ask("POST", "/containers/old/rename?name=other")
    assert status == 409
    assert answer["message"].startswith('Error when allocating new name: Conflict. The container name "/other"')
    status, answer = ask("POST", "/containers/old/rename?name=a%20b")
    assert (status, answer["message"][:53]) == (400, "Error when allocating new name: Invalid container nam")
    assert ask("POST", "/containers/old/rename?name=new")[0] == 204
    assert ask("GET", "/containers/old/json")[0] == 404
    renames = [event for event in heard() if event["Action"] == "rename"]
    assert renames[-1]["Actor"]["Attributes"]["oldName"] == "/old"
    assert renames[-1]["Actor"]["Attributes"]["name"] == "new"
    tidy.docker("create", *NONE, "--name", "old", "busybox")
    assert ask("GET", "/containers/old/json")[0] == 200


def test_lookup(tidy: Any, ask: Any) -> None:
    ident = tidy.docker("create", *NONE, "--name", "found", "busybox").stdout.decode().strip()
    for ref in (ident, ident[:12], ident[:3], "found"):
        assert ask("GET", f"/containers/{ref}/json")[1]["Id"] == ident
    assert ask("GET", "/containers/nope/json") == (404, {"message": "No such container: nope"})
    assert ask("POST", "/containers/nope/kill") == (404, {"message": "cannot kill container: nope: No such container: nope"})


def test_the_order_of_inspect(sleeper: str, ask: Any) -> None:
    document = ask("GET", f"/v1.47/containers/{sleeper}/json")[1]
    assert " ".join(document) == (
        "Id Created Path Args State Image ResolvConfPath HostnamePath HostsPath LogPath Name RestartCount Driver Platform "
        "MountLabel ProcessLabel AppArmorProfile ExecIDs HostConfig GraphDriver Mounts Config NetworkSettings"
    )
    assert list(document["State"]) == (
        "Status Running Paused Restarting OOMKilled Dead Pid ExitCode Error StartedAt FinishedAt".split()
    )
    assert os.path.exists(document["LogPath"])
