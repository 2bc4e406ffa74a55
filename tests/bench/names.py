"""The resolver of container names: questions a second on one core, and how long one takes."""

import json
import os
import subprocess
import sys
from pathlib import Path

from peers import Engine

ASK = """
import json, socket, sys, time
def question(number):
    return number.to_bytes(2, "big") + b"\\1\\0\\0\\1" + bytes(6) + b"\\5named\\0\\0\\1\\0\\1"
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.connect(("127.0.0.11", 53))
sock.settimeout(5)
many, at_once, began = 40000, 32, time.perf_counter()
for number in range(at_once):
    sock.send(question(number))
for number in range(many):
    assert sock.recv(512)[3] & 15 == 0
    if number < many - at_once:
        sock.send(question(number & 0xFFFF))
took, times = time.perf_counter() - began, []
for number in range(5000):
    begin = time.perf_counter()
    sock.send(question(number))
    sock.recv(512)
    times.append((time.perf_counter() - begin) * 1000)
times.sort()
print(json.dumps({"many": many, "took": took, "p50": times[2500], "p99": times[4950]}))
"""


def measured(engine: Engine) -> dict[str, float]:
    """Questions a second of netd's own processor time, p50 and p99 in milliseconds, of one asker in a container's namespace."""
    engine.docker("network", "create", "bench")
    engine.docker("run", "-d", "--name", "named", "--network", "bench", "busybox", "sleep", "1000")
    try:
        pid = engine.docker("inspect", "-f", "{{.State.Pid}}", "named").stdout.strip()
        netd = _netd(engine)
        before = _processor(netd)
        command = ["nsenter", "-t", str(int(pid)), "-n", sys.executable, "-c", ASK]
        found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        used = _processor(netd) - before
        return {"q/s": (found["many"] + 5000) / used, "p50": found["p50"], "p99": found["p99"], "PSS": _pss(netd)}
    finally:
        engine.docker("rm", "-f", "named")
        engine.docker("network", "rm", "bench")


def _netd(engine: Engine) -> int:
    """The pid of the engine's netd: the one that has its socket."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"{engine.root}/exec/netd/s".encode() in path.read_bytes():
                return int(path.parent.name)
        except (FileNotFoundError, ProcessLookupError):
            continue
    raise RuntimeError("no netd")


def _processor(pid: int) -> float:
    """Seconds of processor time a process has used (proc(5), stat: utime, stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _pss(pid: int) -> float:
    """Megabytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
