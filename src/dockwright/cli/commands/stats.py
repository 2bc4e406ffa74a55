"""dockwright stats: what containers use, once or as it changes."""

from __future__ import annotations

from dockwright.cli.formatting import Table, render
from dockwright.cli.terminal import out
from dockwright.client.errors import ApiError
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags("a/all:bool format no-stream:bool no-trunc:bool")
ARGUMENTS = (0, -1)
HEADERS = {
    "Container": "CONTAINER", "ID": "CONTAINER ID", "Name": "NAME", "CPUPerc": "CPU %", "MemUsage": "MEM USAGE / LIMIT",
    "MemPerc": "MEM %", "NetIO": "NET I/O", "BlockIO": "BLOCK I/O", "PIDs": "PIDS",
}  # fmt: skip
DEFAULT = "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}"
TABLE = Table(HEADERS, DEFAULT, "ID", "*container.statsContext")
INTERVAL = 0.5
HOME, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


def run(context: Context, given: Given) -> int:
    """Print one sample, or a screen twice a second until interrupted."""
    form = given.text("format") or str(context.config.get("statsFormat", ""))
    short = not given.flag("no-trunc")
    names = given.rest or _all(context, given.flag("all"))
    if given.flag("no-stream"):
        rows = [row(name, _sample(context, name), short) for name in names]
        out(render(TABLE, rows, form))
        return 0
    from dockwright.cli.watching import Watch

    watch = Watch(context, names, not given.rest, given.flag("all"))
    while watch.wait(INTERVAL):
        rows = [row(name, sample, short) for name, sample in watch.samples()]
        lines = render(TABLE, rows, form).splitlines()
        out(HOME + "".join(f"{line}{CLEAR_LINE}\n" for line in lines) + CLEAR_BELOW)
    return 0


def _all(context: Context, stopped: bool) -> list[str]:
    return [container["Id"][:12] for container in context.client.get("/containers/json", {"all": stopped})]


def _sample(context: Context, name: str) -> dict[str, Any]:
    try:
        sample: dict[str, Any] = context.client.get(f"/containers/{quote(name)}/stats?stream=0")
    except ApiError as error:
        if error.status == 404:
            raise
        return {}
    return sample


def row(name: str, sample: dict[str, Any], short: bool) -> dict[str, Any]:
    """A container's fields as docker prints them; `--` where there is no sample."""
    if not sample:
        return {**dict.fromkeys(HEADERS, "--"), "Container": name, "MemUsage": "-- / --"}
    from dockwright.grammar.units import bytes_size, human_size_three

    memory = sample.get("memory_stats") or {}
    used, limit = memory_used(memory), memory.get("limit", 0)
    networks = (sample.get("networks") or {}).values()
    received, sent = sum(n["rx_bytes"] for n in networks), sum(n["tx_bytes"] for n in networks)
    read, written = _blocks(sample.get("blkio_stats") or {})
    ident = sample.get("id", "")
    return {
        "Container": name,
        "ID": ident[:12] if short else ident,
        "Name": sample.get("name", "").removeprefix("/"),
        "CPUPerc": f"{cpu_share(sample):.2f}%",
        "MemUsage": f"{bytes_size(used)} / {bytes_size(limit)}",
        "MemPerc": f"{used / limit * 100 if limit else 0:.2f}%",
        "NetIO": f"{human_size_three(received)} / {human_size_three(sent)}",
        "BlockIO": f"{human_size_three(read)} / {human_size_three(written)}",
        "PIDs": str((sample.get("pids_stats") or {}).get("current", 0)),
    }


def cpu_share(sample: dict[str, Any]) -> float:
    """Per cent of one CPU between the sample and the one before it."""
    now, before = sample.get("cpu_stats") or {}, sample.get("precpu_stats") or {}
    used = now.get("cpu_usage", {}).get("total_usage", 0) - before.get("cpu_usage", {}).get("total_usage", 0)
    passed = now.get("system_cpu_usage", 0) - before.get("system_cpu_usage", 0)
    cpus = now.get("online_cpus") or len(now.get("cpu_usage", {}).get("percpu_usage") or ())
    return used / passed * cpus * 100 if used > 0 and passed > 0 else 0.0


def memory_used(memory: dict[str, Any]) -> int:
    """Without the page cache that can be given back at once (v1: total_inactive_file, v2: inactive_file)."""
    usage, details = memory.get("usage", 0), memory.get("stats") or {}
    for name in ("total_inactive_file", "inactive_file"):
        if name in details and details[name] < usage:
            return int(usage - details[name])
    return int(usage)


def _blocks(blkio: dict[str, Any]) -> tuple[int, int]:
    read = written = 0
    for entry in blkio.get("io_service_bytes_recursive") or ():
        if entry["op"][:1] in ("r", "R"):
            read += entry["value"]
        elif entry["op"][:1] in ("w", "W"):
            written += entry["value"]
    return read, written
