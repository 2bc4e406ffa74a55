"""The zygote: a small, single-threaded process from which every shim is forked in a third of a millisecond.

It imports all that a shim will ever need, so that shims live on when the interpreter's files are replaced or gone, and
ends when the daemon's socket does. Its children do not depend on it.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import gc
import os

from dockwright.kernel import process as k
from dockwright.supervisor import frames, shim
from dockwright.supervisor.rehearsal import rehearse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.supervisor.frames import Message


def preload() -> None:
    """Import what is otherwise imported at first use, on paths that come late in a shim's life."""
    import _blake2  # noqa: F401
    import resource  # noqa: F401

    import dockwright.kernel.bpf
    import dockwright.kernel.seccomp
    import dockwright.supervisor.checkpoints  # noqa: F401


def main(fd: int) -> None:
    """Serve spawn requests from socket `fd` until it is closed."""
    preload()
    rehearse()
    k.set_name("dockwright-zygote")
    k.prctl(k.PR_SET_DUMPABLE, 0)
    _signal.signal(_signal.SIGCHLD, _signal.SIG_IGN)  # shims are nobody's to wait for
    _signal.signal(_signal.SIGINT, _signal.SIG_IGN)  # a ^C at the daemon's terminal is the daemon's
    gc.collect()
    gc.freeze()
    sock = _socket.socket(fileno=fd)
    decoder = frames.Decoder()
    sock.sendall(frames.encode({"hello": "dockwright-zygote", "pid": os.getpid()}))
    while True:
        data, fds = frames.receive_descriptors(sock)
        if not data:
            return
        for message in decoder.feed(data):
            connection = fds.pop(0)
            spawn(sock, message, connection)
            os.close(connection)
        frames.close_all(fds)


def spawn(sock: _socket.socket, message: Message, connection: int) -> None:
    """Fork one shim that serves `connection`."""
    if os.fork():
        return
    try:
        sock.close()
        os.setsid()
        _signal.signal(_signal.SIGTERM, _signal.SIG_IGN)
        first = _socket.socket(fileno=connection)
        shim.main(message["id"], message["directory"], message["socket"], first)
    finally:
        os._exit(0)
