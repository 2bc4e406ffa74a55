"""dockwright update: other limits, another restart policy, or other published ports, for containers that are there."""

from __future__ import annotations

from dockwright.cli.each import each
from dockwright.cli.failure import Failure
from dockwright.cli.faults import InvalidOptions
from dockwright.cli.hostconfig import published, restart_policy
from dockwright.cli.options import CONVERTERS as CREATE_CONVERTERS
from dockwright.cli.terminal import out
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags(
    "blkio-weight:uint16 cpu-period:int cpu-quota:int cpu-rt-period:int cpu-rt-runtime:int c/cpu-shares:int cpus:decimal "
    "cpuset-cpus cpuset-mems m/memory:bytes memory-reservation:bytes memory-swap:bytes pids-limit:int restart "
    "p/publish:list unpublish:list"
)
ARGUMENTS = (1, -1)
CONVERTERS = {"memory-swap": CREATE_CONVERTERS["memory-swap"]}
NUMBERS = {
    "blkio-weight": "BlkioWeight", "cpu-period": "CpuPeriod", "cpu-quota": "CpuQuota", "cpu-rt-period": "CpuRealtimePeriod",
    "cpu-rt-runtime": "CpuRealtimeRuntime", "cpu-shares": "CpuShares", "cpus": "NanoCpus", "memory": "Memory",
    "memory-reservation": "MemoryReservation", "memory-swap": "MemorySwap", "pids-limit": "PidsLimit",
}  # fmt: skip


def run(context: Context, given: Given) -> int:
    """Update each; the daemon's warnings come last."""
    if not given.values:
        raise Failure("you must provide one or more flags when using this command\n")
    document: dict[str, object] = {field: given.number(flag) for flag, field in NUMBERS.items() if flag in given}
    document |= {"CpusetCpus": given.text("cpuset-cpus"), "CpusetMems": given.text("cpuset-mems")}
    try:
        document["RestartPolicy"] = restart_policy(given, "")
    except InvalidOptions as error:
        raise Failure(error.text + "\n") from error

    warnings: list[str] = []

    def update(name: str) -> None:
        if "publish" in given or "unpublish" in given:
            current = context.client.get(f"/containers/{quote(name)}/json")["HostConfig"]["PortBindings"]
            document["PortBindings"] = _bindings(current or {}, given)
        answer = context.client.post(f"/containers/{quote(name)}/update", None, document) or {}
        warnings.extend(answer.get("Warnings") or ())

    status = each(given.rest, update)
    out("".join(f"{warning}\n" for warning in warnings))
    return status


def _bindings(current: dict[str, Any], given: Given) -> dict[str, Any]:
    """What is to be published: what is now, without --unpublish, with -p. Raises Failure."""
    from dockwright.grammar.ports import PortError, parse_key, split_key

    bindings = {key: list(entries or ()) for key, entries in current.items()}
    try:
        for text in given.list("unpublish"):
            port, protocol = split_key(text)
            if bindings.pop(f"{parse_key(f'{port}/{protocol}')[0]}/{protocol}", None) is None:
                raise Failure(f"port {port}/{protocol} is not published\n")
    except PortError as error:
        raise Failure(f"{error}\n") from error
    for key, entries in published(given).items():
        there = bindings.setdefault(key, [])
        there += [entry for entry in entries if entry not in there]
    return bindings
