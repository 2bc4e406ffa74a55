"""How fast a container can write its log, and whether a follower sees all of it."""

import subprocess
import tempfile
import time
from pathlib import Path

import peers
from parts import Result
from peers import Engine

MB = 1_000_000
SIZES = {"100 B": (100, 100 * MB), "16 kB": (16_000, 400 * MB)}
DRIVERS = ("json-file", "local")
LEAST = 300  # MB/s
TURNS = 3
FOLLOWED = 300_000  # lines


def logs(engines: list[Engine], _rounds: int) -> list[Result]:
    """The rate of each driver at two lengths of lines, in turns, the best of each; then a follower."""
    found = []
    with tempfile.TemporaryDirectory(prefix="dwl", dir="/tmp") as folder:
        for name, (length, total) in SIZES.items():
            path = Path(folder, "lines")
            path.write_bytes((b"x" * (length - 1) + b"\n") * (total // length))
            for driver in DRIVERS:
                best = {engine.name: 0.0 for engine in engines}
                for _ in range(TURNS):
                    for engine in engines:
                        best[engine.name] = max(best[engine.name], rate(engine, driver, path, total))
                found.append(result(f"log of {name} lines, driver {driver}", best, driver == "local" or length > 1000))
    return [*found, followed(engines[0])]


def rate(engine: Engine, driver: str, path: Path, total: int) -> float:
    """MB/s from the start of a container that writes the file to its log, to its end."""
    ident = engine.docker(
        "create", "--network", "none", "--log-driver", driver, "-v", f"{path}:/lines:ro", "busybox", "dd", "if=/lines", "bs=64k",
    ).stdout.decode().strip()  # fmt: skip
    begun = time.perf_counter()
    engine.docker("start", ident)
    engine.docker("wait", ident)
    took = time.perf_counter() - begun
    engine.docker("rm", ident)
    return total / MB / took


def result(what: str, best: dict[str, float], absolute: bool) -> Result:
    """Ours against a number, or against the fastest of the others."""
    (own, ours), *others = best.items()
    value = ", ".join(f"{name} {speed:.0f} MB/s" for name, speed in best.items())
    fastest = max((speed for _, speed in others), default=0.0)
    if absolute:
        return Result(what, value, f"{LEAST} MB/s", ours >= LEAST, {own: ours})
    return Result(what, value, "at least dockerd's rate", ours >= fastest, {own: ours})


def followed(engine: Engine) -> Result:
    """`docker logs -f` of a container that counts: each line once, in order."""
    script = f"sleep 0.3; seq {FOLLOWED}"
    ident = engine.docker("run", "-d", "--network", "none", "busybox", "sh", "-c", script).stdout.decode().strip()
    begun = time.perf_counter()
    seen = subprocess.run([peers.client(), "-H", engine.host, "logs", "-f", ident], capture_output=True, check=False).stdout
    took = time.perf_counter() - begun
    engine.docker("rm", "-f", ident)
    whole = seen == b"".join(b"%d\n" % number for number in range(1, FOLLOWED + 1))
    return Result("a follower sees each line once and in order", f"{whole}, {FOLLOWED} lines in {took:.1f} s", "all", whole)


PARTS = {"logs": logs}
