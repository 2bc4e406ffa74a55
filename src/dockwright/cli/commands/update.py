"""dockwright update: other limits, or another restart policy, for containers that are there."""

from __future__ import annotations

from dockwright.cli.each import each
from dockwright.cli.failure import Failure
from dockwright.cli.faults import InvalidOptions
from dockwright.cli.hostconfig import restart_policy
from dockwright.cli.options import CONVERTERS as CREATE_CONVERTERS
from dockwright.cli.terminal import out
from dockwright.client.query import quote
from dockwright.grammar.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.context import Context
    from dockwright.grammar.flags import Given

FLAGS = Flags(
    "blkio-weight:uint16 cpu-period:int cpu-quota:int cpu-rt-period:int cpu-rt-runtime:int c/cpu-shares:int cpus:decimal "
    "cpuset-cpus cpuset-mems m/memory:bytes memory-reservation:bytes memory-swap:bytes pids-limit:int restart"
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
        answer = context.client.post(f"/containers/{quote(name)}/update", None, document) or {}
        warnings.extend(answer.get("Warnings") or ())

    status = each(given.rest, update)
    out("".join(f"{warning}\n" for warning in warnings))
    return status
