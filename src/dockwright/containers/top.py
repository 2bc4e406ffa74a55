"""GET /containers/{id}/top: what ps(1) of the host says of a container's processes."""

import re
from typing import Any

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.supervisor import spawner

_RENAMED_PID = re.compile(r"\s+(\S*)=\s*(PID\S*)", re.IGNORECASE)


def arguments(text: str) -> list[str]:
    """The arguments of ps, `-ef` if none are given.

    Raises:
        InvalidParameter: the PID column is given another name, by which it would not be found.
    """
    found = _RENAMED_PID.search(f" {text}")
    if found and found[1] != "pid":
        raise InvalidParameter(f'specifying "{found[1]}={found[2]}" is not allowed')
    return text.split() or ["-ef"]


async def processes(args: str, pids: list[int]) -> dict[str, Any]:
    """{"Titles", "Processes"} of the processes `pids`.

    Raises:
        InvalidParameter, Internal: in Docker's words.
    """
    program = spawner.find("ps")
    wanted = arguments(args)
    if not program:
        raise Internal('exec: "ps": executable file not found in $PATH')
    status, out, error = await spawner.run([program, *wanted, f"-q{','.join(map(str, pids))}"])
    if status:  # a ps without -q, or one whose other options do not go with it
        status, out, error = await spawner.run([program, *wanted])
    if status:
        raise Internal(f"ps: {error.decode(errors='replace').strip().partition(chr(10))[0]}")
    return parse(out.decode(errors="replace"), {str(pid) for pid in pids})


def parse(output: str, pids: set[str]) -> dict[str, Any]:
    """The rows of ps's output that are about `pids`.

    Raises:
        Internal: there is no PID column.
    """
    head, *lines = output.splitlines() or [""]
    titles = head.split()
    if "PID" not in titles:
        raise Internal("Couldn't find PID field in ps output")
    column = titles.index("PID")
    rows, last = [], False
    for line in lines:
        fields = line.split(None, len(titles) - 1)
        if len(fields) <= column:
            continue
        last = fields[column] in pids or (last and fields[column] == "-")  # "-": a thread of the process above
        if last:
            rows.append([field.rstrip() for field in fields])
    return {"Titles": titles, "Processes": rows}
