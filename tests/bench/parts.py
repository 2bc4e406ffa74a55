"""What is timed: one function per part. Each answers a list of results."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import names
import networking
import peers
from peers import BIN, Engine
from timing import Figures, command, in_turns


@dataclass
class Result:
    """One comparison.

    Attributes:
        what: in words. goal: what is to be reached, in words; "" for none. value: what was reached. met: whether it was.
    """

    what: str
    value: str
    goal: str = ""
    met: bool | None = None
    figures: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """For the JSON report."""
        return asdict(self)


def compared(what: str, figures: dict[str, Figures], times: float) -> list[Result]:
    """Ours (the first) against each of the others: at least `times` as fast at the median."""
    (own, ours), *others = figures.items()
    results = []
    for name, theirs in others:
        ratio = theirs.median / ours.median
        value = f"{ratio:.1f} times as fast as {name} ({ours.median:.1f} against {theirs.median:.1f} ms)"
        results.append(
            Result(what, value, f"{times:g} times", ratio >= times, {own: ours.row(), name: theirs.row()})
        )
    return results


def run(engines: list[Engine], rounds: int) -> list[Result]:
    """`docker run --rm busybox true`, on the bridge and without a network; podman beside them."""
    found = []
    for network, times in (("bridge", 8.0), ("none", 6.0)):
        cases = {
            e.name: command(peers.client(), "-H", e.host, "run", "--rm", "--network", network, "busybox", "true")
            for e in engines
        }
        found += compared(f"run --rm --network {network} busybox true", in_turns(cases, rounds), times)
    return found


def floor(engines: list[Engine], rounds: int) -> list[Result]:
    """What the client alone takes: nobody's engine can be faster than this."""
    figures = in_turns({e.name: command(peers.client(), "-H", e.host, "version") for e in engines[:1]}, rounds)
    (name, ours), *_ = figures.items()
    return [Result("docker version (the client and one answer)", f"{ours.median:.1f} ms", figures={name: ours.row()})]


def exec_(engines: list[Engine], rounds: int) -> list[Result]:
    """`docker exec`."""
    for engine in engines:
        engine.docker("run", "-d", "--name", "bench", "busybox", "sleep", "1000")
    cases = {e.name: command(peers.client(), "-H", e.host, "exec", "bench", "true") for e in engines}
    found = compared("exec true", in_turns(cases, rounds), 2.5)
    for engine in engines:
        engine.docker("rm", "-f", "bench")
    return found


def cli(engines: list[Engine], rounds: int) -> list[Result]:
    """Our command line against docker's, on our daemon."""
    own = engines[0]
    tail = ["-H", own.host, "run", "--rm", "busybox", "true"]
    figures = in_turns({"dockwright": command(str(BIN / "dockwright"), *tail), "docker": command(peers.client(), *tail)}, rounds)
    return compared("dockwright run, against docker run on our daemon", figures, 1.0)


def runtime(_engines: list[Engine], rounds: int) -> list[Result]:
    """`run` of a bundle by the runtimes."""
    with tempfile.TemporaryDirectory(prefix="dwr", dir="/tmp") as folder:
        bundle(folder)
        cases = {}
        programs = {"dockwright-runc": str(BIN / "dockwright-runc"), "runc": "/usr/sbin/runc", "crun": "/usr/bin/crun"}
        for name, program in programs.items():
            if os.path.exists(program):
                argv = [program, "--root", f"{folder}/{name}", "run", "--bundle", folder, f"bench-{name}"]
                cases[name] = command(*argv)
        figures = in_turns({name: case for name, case in cases.items() if works(case)}, rounds)
    return compared("run of a bundle", figures, 1.0)


def works(case: Any) -> bool:
    """Whether a peer can run here at all (crun refuses some hosts)."""
    try:
        case()
    except RuntimeError as error:
        print(f"left out: {error}")
        return False
    return True


def bundle(folder: str) -> None:
    """busybox, and the spec that runc itself writes, with a program that just ends."""
    os.makedirs(f"{folder}/rootfs/bin")
    shutil.copy("/bin/busybox", f"{folder}/rootfs/bin/true")
    subprocess.run(["/usr/sbin/runc", "spec", "--bundle", folder], check=True)
    path = Path(folder, "config.json")
    document = json.loads(path.read_text())
    document["process"].update(args=["/bin/true"], terminal=False)
    path.write_text(json.dumps(document))


def pss(pid: int) -> int:
    """Proportional set size of a process in KiB (proc(5), smaps_rollup)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def memory(engines: list[Engine], _rounds: int) -> list[Result]:
    """The daemon and its zygote, idle; what one more running container costs beside its own processes."""
    own = engines[0]
    idle = sum(map(pss, own.pids())) / 1024
    found = [Result("daemon and zygote, idle", f"{idle:.1f} MB PSS", "45 MB", idle <= 45)]
    before = shims(own)
    count, started = 100, time.perf_counter()
    for number in range(count):
        done = own.docker("run", "-d", "--name", f"many{number}", "busybox", "sleep", "1000")
        if done.returncode:
            raise RuntimeError(done.stderr.decode())
    each = (time.perf_counter() - started) * 1000 / count
    running = len(own.docker("ps", "-q").stdout.split())
    one = (sum(map(pss, shims(own))) - sum(map(pss, before))) / 1024 / count
    found.append(Result("100 containers at once", f"{running} run, {each:.1f} ms each to start", "100", running == count))
    found.append(Result("per running container, beside its own processes", f"{one:.2f} MB PSS", "1.5 MB", one <= 1.5))
    own.docker("rm", "-f", *(f"many{number}" for number in range(count)))
    return found


def shims(engine: Engine) -> list[int]:
    """The shims of an engine, found by their sockets' folder in their command's tasks."""
    found = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text() == "dockwright-shim\n" and engine.netns == namespace_of(int(path.parent.name)):
                found.append(int(path.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def namespace_of(pid: int) -> str:
    """The name of the network namespace a process is in, "" if it has none."""
    inode = os.stat(f"/proc/{pid}/ns/net").st_ino
    return next((p.name for p in Path("/run/netns").iterdir() if os.stat(p).st_ino == inode), "")


def resolver(engines: list[Engine], _rounds: int) -> list[Result]:
    """Container names, answered by our netd."""
    found = names.measured(engines[0])
    rate, p99 = found["q/s"], found["p99"]
    times = f"p50 {found['p50']:.2f} ms, p99 {p99:.2f} ms"
    return [
        Result("names answered on one core", f"{rate:,.0f} a second", "10,000", rate >= 10000, found),
        Result("a name, asked and answered", times, "p99 2 ms", p99 < 2, found),
        Result("netd, with one resolver", f"{found['PSS']:.1f} MB PSS"),
    ]


def networks(engines: list[Engine], rounds: int) -> list[Result]:
    """A bridge beside none, connects, many networks, bytes: ours alone."""
    changed, speed = networking.changes(engines[0], rounds), networking.throughput(engines[0])
    started = networking.starts(engines[0], rounds)
    extra = {name: started[mode] - started["none"] for name, mode in (("bridge", "bridge"), ("user's network", "bench"))}
    ratio = speed["containers"] / speed["hand"]
    return [
        Result("bytes between containers", f"{ratio:.2f} of a hand-made veth pair's", "as many", ratio > 0.95, speed),
        *(
            Result(f"a start on a {name} beside none, 1,000 ports open", f"{more:.1f} ms more", "5 ms", more <= 5, started)
            for name, more in extra.items()
        ),
        Result("connect", f"{changed['connect']:.1f} ms", "10 ms", changed["connect"] <= 10, changed),
        Result("100 networks created", f"{changed['create']:.0f} ms"),
        Result("100 networks removed", f"{changed['remove']:.0f} ms", "1,000 ms", changed["remove"] < 1000, changed),
    ]


PARTS = {
    "networks": networks, "run": run, "floor": floor, "exec": exec_, "cli": cli, "runtime": runtime, "memory": memory,
    "names": resolver,
}  # fmt: skip
