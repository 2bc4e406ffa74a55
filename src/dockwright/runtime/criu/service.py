"""The criu program: found, asked for its version, and given one request as a child of ours (`criu swrk`, criu.org/RPC)."""

from __future__ import annotations

import _socket
import os
from _struct import Struct

from dockwright.runtime import channel
from dockwright.runtime.criu import rpc
from dockwright.runtime.failure import RuntimeFailure, words
from dockwright.runtime.init import default_signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from dockwright.runtime.cgroups.group import Cgroup

    Notified = Callable[[str, int, int], None]

OLDEST = 31600  # 3.16: what is asked of it here it all knows
PLACES = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_INT = Struct("=i")
_LARGEST = 1 << 20


def find(program: str = "criu") -> str:
    """The path of criu: `program` itself if it is a path, else what PATH has under that name.

    Raises:
        RuntimeFailure: it is not there, in runc's words.
    """
    head = "CRIU version check failed: "
    if "/" in program:
        if not os.access(program, os.X_OK):
            reason = "permission denied" if os.path.exists(program) else "no such file or directory"
            raise RuntimeFailure(f"{head}fork/exec {program}: {reason}")
        return os.path.abspath(program)
    for place in os.environ.get("PATH", PLACES).split(":"):
        path = os.path.join(place, program)
        if place.startswith("/") and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise RuntimeFailure(f'{head}exec: "{program}": executable file not found in $PATH')


def check(program: str) -> None:
    """Refuse a criu that is too old.

    Raises:
        RuntimeFailure: in runc's words.
    """
    answer = rpc.message(Service(program).ask([(1, rpc.VERSION)], ()), 10)
    found = rpc.number(answer, 1) * 10000 + rpc.number(answer, 2) * 100 + rpc.number(answer, 4)
    if found < OLDEST:
        raise RuntimeFailure(f"CRIU version {found} must be {OLDEST} or higher")


def check_tracking(program: str) -> None:
    """Refuse to write only what has changed where the kernel cannot tell.

    Raises:
        RuntimeFailure: in runc's words.
    """
    answer = Service(program).ask([(1, rpc.FEATURE_CHECK), (5, rpc.encode([(1, True)]))], ())
    if not rpc.number(rpc.message(answer, 8), 1):
        raise RuntimeFailure("CRIU is missing features")


class Service:
    """One criu with one request.

    Args:
        program: its path. group: the cgroup it works in, whose processes what it restores become; None for ours.
        log: its log file, for the text of a failure. notified: called with each step it tells: its name, the pid it is
            about, a descriptor it came with, -1 for none.

    Raises:
        RuntimeFailure: from `ask`, in runc's words.
    """

    def __init__(self, program: str, log: str = "", group: Cgroup | None = None, notified: Notified | None = None) -> None:
        self.program, self.log, self.group, self.notified = program, log, group, notified

    def ask(self, request: rpc.Fields, fds: tuple[int, ...]) -> dict[int, int | bytes]:
        """Send a request and answer its last response.

        Args:
            fds: descriptors that it names; criu has them under the same numbers.
        """
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
        pid = self._spawn(theirs.fileno(), fds)
        theirs.close()
        try:
            ours.send(rpc.encode(request))
            return self._converse(ours)
        except (ValueError, OSError) as error:
            raise RuntimeFailure(f"criu answered nonsense: {error}\nlog file: {self.log}") from None
        finally:
            ours.close()  # it ends then
            os.waitpid(pid, 0)

    def _converse(self, sock: _socket.socket) -> dict[int, int | bytes]:
        while True:
            data, ancillary, *_ = sock.recvmsg(_LARGEST, _socket.CMSG_SPACE(_INT.size))
            if not data:
                raise RuntimeFailure(f"criu failed: unexpected EOF\nlog file: {self.log}")
            answer = rpc.decode(data)
            kind = rpc.number(answer, 1)
            if not rpc.number(answer, 2):
                name = rpc.NAMES.get(kind, str(kind))
                raise RuntimeFailure(f"criu failed: type {name} errno {rpc.number(answer, 7)}\nlog file: {self.log}")
            if kind != rpc.NOTIFY:
                return answer
            told = rpc.message(answer, 5)
            fd = _INT.unpack(ancillary[0][2])[0] if ancillary else -1
            if self.notified:
                self.notified(rpc.text(told, 1), rpc.number(told, 2), fd)
            sock.send(rpc.encode([(1, rpc.NOTIFY), (3, True)]))

    def _spawn(self, sock: int, fds: tuple[int, ...]) -> int:
        here, there = os.pipe()
        pid = os.fork()
        if not pid:
            self._become(sock, fds, there)
        os.close(there)
        try:
            report = channel.receive(here)
        finally:
            os.close(here)
        if report is not None:
            os.waitpid(pid, 0)
            raise RuntimeFailure(report["error"])
        return pid

    def _become(self, sock: int, fds: tuple[int, ...], report: int) -> None:
        """In the child: into the cgroup, then criu. It never returns."""
        try:
            default_signals()  # it ends helpers of its own by SIGTERM, which a shim ignores
            if self.group:
                self.group.take(os.getpid())
            for fd in (sock, *fds):
                os.set_inheritable(fd, True)
            environment = {"PATH": os.environ.get("PATH", PLACES), "LANG": "C"}
            os.execve(self.program, [self.program, "swrk", str(sock)], environment)
        except OSError as error:
            channel.send(report, {"error": f"fork/exec {self.program}: {words(error)}"})
        finally:
            os._exit(127)
