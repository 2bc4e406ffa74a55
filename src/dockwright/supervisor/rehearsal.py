"""What shims and makers do, done a few times in the zygote before any is forked.

The interpreter rewrites code as it runs (PEP 659) and fills caches in its types. Done before the fork, that is shared by
all shims; done after it, every shim pays for pages of its own: a third of its memory, and of the time of its start.
Nothing is left: pipes and a socketpair of the rehearsal's own are closed again, the log is /dev/null.
"""

from __future__ import annotations

import _socket
import os

from dockwright.runtime.cgroups.layout import layout
from dockwright.supervisor import frames, warmup
from dockwright.supervisor.logs import writer
from dockwright.supervisor.loop import Loop
from dockwright.supervisor.shim import Connection, Shim
from dockwright.supervisor.stdio import Stdio

TIMES = 10  # the interpreter specializes code after eight runs
LOG = {"driver": "json-file", "path": "/dev/null", "max_size": 1 << 30}
TALK = {"n": 1, "op": "prepare", "cgroup": "/", "stdio": {"tty": False, "log": {}}, "sandbox": {"kind": "private"}}


def rehearse() -> None:
    """Go through a shim's talk, its streams and a maker's plan."""
    layout()
    for _ in range(TIMES):
        _talk()
        _streams()
        warmup.maker()


def _talk() -> None:
    """A daemon's requests and their answers."""
    ours, theirs = _socket.socketpair()
    shim = Shim("rehearsal", "/", "")
    shim.connections.append(Connection(shim, theirs))
    for operation in ("state", "kill", "resize"):
        ours.sendall(frames.encode({**TALK, "op": operation}))
        shim.loop.turn(0)
    frames.Decoder().feed(ours.recv(1 << 16))
    shim.announce({"event": "exit", "exec": "", "status": 0, "oom_killed": False, "at": 0})
    shim.loop.remove(theirs.fileno())
    shim.loop.close()
    ours.close()
    theirs.close()


def _streams() -> None:
    """One process's output and input, with a client."""
    ours, theirs = _socket.socketpair()
    loop = Loop()
    log = writer.open_log(LOG, loop)
    stdio = Stdio(loop, False, True, True, log, lambda _stdio: None)
    stdio.attach(theirs, ("stdin", "stdout", "stderr"))
    output = os.dup(stdio.child[1])
    stdio.begin()
    os.write(output, b"output\n")
    ours.sendall(b"input\n")
    loop.turn(0)
    os.close(output)
    stdio.drain()
    stdio.cut()
    loop.close()
    ours.close()
