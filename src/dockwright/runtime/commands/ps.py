"""Show the processes of a container."""

from __future__ import annotations

import os

from dockwright.runtime import state
from dockwright.runtime.arguments import VALUE, Options
from dockwright.runtime.document import dumps
from dockwright.runtime.failure import RuntimeFailure
from dockwright.runtime.main import Globals, say

FLAGS = {"format": VALUE}
ALIASES = {"f": "format"}
WORDS = (1, 1 << 30)
PROGRAMS = ("/usr/bin/ps", "/bin/ps")  # callers may give us no PATH


def run(options: Options, env: Globals) -> int:
    """`ps [--format json|table] ID [-- PS OPTIONS]`: `ps -ef` by default, of which only the container's lines are shown."""
    found = state.load(env.root, options.words[0])
    form = options.text("format", "table")
    pids = found.group.pids()
    if form == "json":
        return say((dumps(pids) if pids else "null") + "\n")
    if form != "table":
        raise RuntimeFailure("invalid format option")
    return say(select(_ps(options.words[1:] or ["-ef"]), pids))


def _ps(arguments: list[str]) -> str:
    program = next((path for path in PROGRAMS if os.access(path, os.X_OK)), "")
    if not program:
        raise RuntimeFailure('exec: "ps": executable file not found in $PATH')
    out, into = os.pipe()
    pid = os.posix_spawn(program, ["ps", *arguments], {"LC_ALL": "C"}, file_actions=[(os.POSIX_SPAWN_DUP2, into, 1)])
    os.close(into)
    with open(out, encoding="utf-8", errors="surrogateescape") as output:
        text = output.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        raise RuntimeFailure(f"exit status {status}")
    return text


def select(text: str, pids: list[int]) -> str:
    """The head of ps's output and the lines of `pids`.

    Raises:
        RuntimeFailure: there is no PID column to go by.
    """
    head, *lines = text.splitlines()
    names = head.split()
    if "PID" not in names:
        raise RuntimeFailure("couldn't find PID field in ps output")
    column = names.index("PID")
    wanted = {str(pid) for pid in pids}
    chosen = [line for line in lines if len(line.split()) > column and line.split()[column] in wanted]
    return "\n".join([head, *chosen]) + "\n"
