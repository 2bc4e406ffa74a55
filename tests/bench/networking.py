"""What networks cost: a bridge beside none at a start, a connect, many networks, bytes between containers."""

import http.client
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from peers import Engine

PORTS = 1000
NETWORKS = 100
SECONDS = 1.5
STREAM = """
import socket, sys, time
if sys.argv[1] == "take":
    server = socket.create_server(("", 7777)); print("ready", flush=True)
    sock, _ = server.accept(); got = 0; began = time.perf_counter()
    while data := sock.recv(1 << 18): got += len(data)
    print(got * 8 / (time.perf_counter() - began) / 1e9)
else:
    sock = socket.create_connection((sys.argv[2], 7777)); data = bytes(1 << 18); end = time.perf_counter() + float(sys.argv[3])
    while time.perf_counter() < end: sock.sendall(data)
"""


class _Raw(http.client.HTTPConnection):
    """One connection to the daemon, kept."""

    def __init__(self, engine: Engine) -> None:
        super().__init__("d", timeout=60)
        self._path = engine.host.removeprefix("unix://")

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The document of an answer."""
        self.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        answer = self.getresponse()
        data = answer.read()
        assert answer.status < 300, data
        return json.loads(data) if data else None


def _timed(work: Callable[[], Any]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def starts(engine: Engine, rounds: int) -> dict[str, float]:
    """p50 in ms of a start without a network, on the default bridge and on a network of the user, in turns, while a container
    has 1,000 ports published."""
    raw, found = _Raw(engine), dict[str, list[float]](none=[], bridge=[], bench=[])
    engine.docker("network", "create", "bench")
    engine.docker("run", "-d", "-p", f"20000-{20000 + PORTS - 1}:20000-{20000 + PORTS - 1}", "busybox", "sleep", "1000")
    for _ in range(rounds):
        for mode, times in found.items():
            body = {"Image": "busybox", "Cmd": ["sleep", "100"], "HostConfig": {"NetworkMode": mode}}
            ident = raw.ask("POST", "/containers/create", body)["Id"]
            time.sleep(0.12)
            times.append(_timed(lambda ident=ident: raw.ask("POST", f"/containers/{ident}/start")))
            raw.ask("DELETE", f"/containers/{ident}?force=1")
            time.sleep(0.12)
    return {mode: statistics.median(times) for mode, times in found.items()}


def changes(engine: Engine, rounds: int) -> dict[str, float]:
    """p50 in ms of a connect and a disconnect; all of 100 creates and 100 removals, in ms."""
    raw = _Raw(engine)
    box = raw.ask("POST", "/containers/create", {"Image": "busybox", "Cmd": ["sleep", "1000"]})["Id"]
    raw.ask("POST", f"/containers/{box}/start")
    names = [f"many{number}" for number in range(NETWORKS)]
    created = sum(_timed(lambda name=name: raw.ask("POST", "/networks/create", {"Name": name})) for name in names)
    connects, disconnects = [], []
    for name in names[:rounds]:
        body = {"Container": box}
        connects.append(_timed(lambda name=name: raw.ask("POST", f"/networks/{name}/connect", body)))  # noqa: B023
        disconnects.append(_timed(lambda name=name: raw.ask("POST", f"/networks/{name}/disconnect", body)))  # noqa: B023
    removed = sum(_timed(lambda name=name: raw.ask("DELETE", f"/networks/{name}")) for name in names)
    raw.ask("DELETE", f"/containers/{box}?force=1")
    return {
        "connect": statistics.median(connects), "disconnect": statistics.median(disconnects), "create": created,
        "remove": removed,
    }  # fmt: skip


def throughput(engine: Engine, rounds: int = 5) -> dict[str, float]:
    """Gbit/s of one TCP stream between two containers, and between two namespaces joined by hand, in turns: the medians."""
    ends = []
    for name in ("taker", "giver"):
        engine.docker("run", "-d", "--name", name, "busybox", "sleep", "1000")
        shown = engine.docker("inspect", "-f", "{{.State.Pid}} {{.NetworkSettings.IPAddress}}", name).stdout.split()
        ends.append((["nsenter", "-t", shown[0].decode(), "-n"], shown[1].decode()))
    by_hand = _by_hand(engine)
    found = dict[str, list[float]](containers=[], hand=[])
    try:
        for _ in range(rounds):
            found["containers"].append(_stream(ends[0][0], ends[1][0], ends[0][1]))
            found["hand"].append(_stream(*by_hand, "10.250.0.1"))
    finally:
        for name in ("bha", "bhb"):
            subprocess.run(["ip", "netns", "delete", engine.netns + name], check=False)
        engine.docker("rm", "-f", "taker", "giver")
    return {name: statistics.median(values) for name, values in found.items()}


def _by_hand(engine: Engine) -> tuple[list[str], list[str]]:
    """Two namespaces on a bridge in the engine's, made with ip(8)."""
    inside = ["nsenter", f"--net=/run/netns/{engine.netns}"]
    lines = ["ip link add brhand type bridge", "ip link set brhand up"]
    ends = []
    for number, name in enumerate(("bha", "bhb"), 1):
        full = engine.netns + name
        lines += [
            f"ip netns add {full}", f"ip link add vh{number} type veth peer name eth0 netns {full}",
            f"ip link set vh{number} master brhand up",
            f"nsenter --net=/run/netns/{full} ip addr add 10.250.0.{number}/24 dev eth0",
            f"nsenter --net=/run/netns/{full} ip link set eth0 up",
        ]  # fmt: skip
        ends.append(["nsenter", f"--net=/run/netns/{full}"])
    subprocess.run([*inside, "sh", "-ec", "; ".join(lines)], check=True)
    return ends[0], ends[1]


def _stream(taker: list[str], giver: list[str], address: str) -> float:
    taking = subprocess.Popen([*taker, sys.executable, "-c", STREAM, "take"], stdout=subprocess.PIPE, text=True)
    assert taking.stdout and taking.stdout.readline() == "ready\n"
    subprocess.run([*giver, sys.executable, "-c", STREAM, "give", address, str(SECONDS)], check=True)
    return float(taking.communicate()[0])
