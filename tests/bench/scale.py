"""Many at once: containers in a list, samples of running ones, starts from several clients, execs one after the other."""

import http.client
import json
import os
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import peers
from parts import Result, compared, pss, shims
from peers import Engine
from timing import command, in_turns

LISTED, SAMPLED, STARTED, CLIENTS, EXECS = 500, 100, 200, 8, 10_000
WATCHED = 15  # seconds that samples are watched


class Api(http.client.HTTPConnection):
    """The Engine API of an engine, on one connection: no client process is in the way."""

    def __init__(self, engine: Engine) -> None:
        super().__init__("localhost", timeout=120)
        self.path = engine.host.removeprefix("unix://")

    def connect(self) -> None:
        """To the engine's socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request; its document. Raises RuntimeError for an error."""
        self.request(method, f"/v1.41{path}", json.dumps(body) if body else None, {"Content-Type": "application/json"})
        answer = self.getresponse()
        data = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {data.decode(errors='replace')}")
        return json.loads(data) if data[:1] in (b"{", b"[") else None


def create(api: Api, name: str, **more: Any) -> str:
    """A container that sleeps."""
    body = {"Image": "busybox", "Cmd": ["sleep", "1000"], **more}
    return str(api.ask("POST", f"/containers/create?name={name}", body)["Id"])


def remove_all(engine: Engine) -> None:
    """All its containers."""
    api = Api(engine)
    for row in api.ask("GET", "/containers/json?all=1"):
        api.ask("DELETE", f"/containers/{row['Id']}?force=1")


def listed(engines: list[Engine], rounds: int) -> list[Result]:
    """`docker ps -a` with many containers."""
    for engine in engines:
        api = Api(engine)
        for number in range(LISTED):
            create(api, f"listed{number}")
    cases = {e.name: command(peers.client(), "-H", e.host, "ps", "-a") for e in engines}
    found = compared(f"ps -a with {LISTED} containers", in_turns(cases, rounds), 2.0)
    for engine in engines:
        remove_all(engine)
    return found


def sampled(engines: list[Engine], _rounds: int) -> list[Result]:
    """What the daemon takes of a processor while `docker stats` watches many containers."""
    own = engines[0]
    api = Api(own)
    for number in range(SAMPLED):
        api.ask("POST", f"/containers/{create(api, f'sampled{number}')}/start")
    daemon = own.pids()[0]
    with subprocess.Popen([peers.client(), "-H", own.host, "stats"], stdout=subprocess.DEVNULL) as watcher:
        time.sleep(3)
        before = processor(daemon)
        time.sleep(WATCHED)
        share = (processor(daemon) - before) / WATCHED * 100
        watcher.kill()
    remove_all(own)
    return [Result(f"stats of {SAMPLED} containers", f"{share:.1f} % of one core", "5 %", share < 5)]


def processor(pid: int) -> float:
    """Seconds of processor time a process has had (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def burst(engines: list[Engine], _rounds: int) -> list[Result]:
    """Many containers started by several clients at once."""
    took = {}
    for engine in engines:
        clients = [threading.Thread(target=_start_some, args=(engine, n)) for n in range(CLIENTS)]
        began = time.perf_counter()
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        took[engine.name] = time.perf_counter() - began
        running = len(Api(engine).ask("GET", "/containers/json"))
        if running != STARTED:
            raise RuntimeError(f"{engine.name}: {running} of {STARTED} run")
        remove_all(engine)
    (name, ours), *others = took.items()
    what = f"{STARTED} containers started from {CLIENTS} clients at once"
    return [
        Result(what, f"{theirs / ours:.1f} times as fast as {other} ({ours:.1f} against {theirs:.1f} s)", "5 times",
               theirs / ours >= 5, {name: {"seconds": ours}, other: {"seconds": theirs}})
        for other, theirs in others
    ]  # fmt: skip


def _start_some(engine: Engine, client: int) -> None:
    api = Api(engine)
    for number in range(STARTED // CLIENTS):
        api.ask("POST", f"/containers/{create(api, f'burst{client}-{number}')}/start")


def execs(engines: list[Engine], _rounds: int) -> list[Result]:
    """What many execs leave: memory, descriptors, files."""
    own = engines[0]
    api = Api(own)
    ident = create(api, "execs")
    api.ask("POST", f"/containers/{ident}/start")
    _execute(api, ident, EXECS // 10)  # what is filled once, is
    before = _held(own)
    _execute(api, ident, EXECS)
    after = _held(own)
    remove_all(own)
    grown = {key: after[key] - before[key] for key in before}
    shown = ", ".join(f"{key} {value:+d}" for key, value in grown.items())
    met = grown["KiB PSS"] < before["KiB PSS"] // 20 and abs(grown["descriptors"]) < 3 and grown["files"] == 0
    return [Result(f"{EXECS} execs leave", shown, "nothing (memory within 5 %)", met, {"before": before, "after": after})]


def _execute(api: Api, ident: str, count: int) -> None:
    for _ in range(count):
        made = api.ask("POST", f"/containers/{ident}/exec", {"Cmd": ["true"]})["Id"]
        api.ask("POST", f"/exec/{made}/start", {"Detach": True})
        while api.ask("GET", f"/exec/{made}/json")["Running"]:
            time.sleep(0.001)


def _held(engine: Engine) -> dict[str, int]:
    """What daemon, zygote and shims hold."""
    time.sleep(1)
    pids = [*engine.pids(), *(set(shims(engine)) - set(engine.pids()))]
    files = sum(len(names) for folder in ("exec", "data/containers") for _, _, names in os.walk(f"{engine.root}/{folder}"))
    return {
        "KiB PSS": sum(map(pss, pids)), "descriptors": sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids), "files": files,
    }  # fmt: skip


def busy(engines: list[Engine], rounds: int) -> list[Result]:
    """`docker exec` in a container with a health check, logs and a restart policy."""
    check = {"Test": ["CMD", "true"], "Interval": 1_000_000_000}
    writes = ["sh", "-c", "while :; do echo line; sleep 0.01; done"]
    for engine in engines:
        api = Api(engine)
        body = {"Cmd": writes, "Healthcheck": check, "HostConfig": {"RestartPolicy": {"Name": "always"}}}
        api.ask("POST", f"/containers/{create(api, 'busy', **body)}/start")
    cases = {e.name: command(peers.client(), "-H", e.host, "exec", "busy", "true") for e in engines}
    found = compared("exec true beside health checks, logs and a restart policy", in_turns(cases, rounds), 2.5)
    for engine in engines:
        remove_all(engine)
    return found


PARTS = {"ps": listed, "stats": sampled, "burst": burst, "execs": execs, "busy": busy}
