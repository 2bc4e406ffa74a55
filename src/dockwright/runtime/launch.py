"""What `create` and `run` share: from the words of the command to a container whose init waits."""

from __future__ import annotations

import os

from dockwright.base.files import write_atomic
from dockwright.kernel import process as k
from dockwright.runtime import bundle, console, container, deletion, sealed, state
from dockwright.runtime.arguments import SWITCH, VALUE, Options, UsageError
from dockwright.runtime.failure import RuntimeFailure, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.runtime.main import Globals

LAUNCH_FLAGS = {
    "bundle": VALUE, "config": VALUE, "console-socket": VALUE, "pidfd-socket": VALUE, "pid-file": VALUE,
    "no-pivot": SWITCH, "no-new-keyring": SWITCH, "preserve-fds": VALUE,
}  # fmt: skip
LAUNCH_ALIASES = {"b": "bundle", "f": "config"}
FIRST_INHERITED = 3  # LISTEN_FDS and --preserve-fds count from here (sd_listen_fds(3))


class Launch:
    """One container to be made.

    Args:
        options: parsed by LAUNCH_FLAGS. env: the global flags. detach: whether we end before the container does.

    Attributes:
        master: of the terminal that is ours to attend to, -1 for none.

    Raises:
        RuntimeFailure: the bundle or the options do not fit; nothing has been made.
    """

    def __init__(self, options: Options, env: Globals, *, detach: bool) -> None:
        self.options, self.env, self.detach = options, env, detach
        self.id = options.words[0]
        state.check_id(self.id)
        self.bundle = os.path.abspath(options.text("bundle") or ".")
        self.spec = bundle.load(self.bundle, options.text("config"))
        self.process: dict[str, Any] = self.spec.get("process") or {}
        self.terminal = bool(self.process.get("terminal"))
        self.preserve = inherited(options, self.process)
        self.master = -1
        check_terminal(self.terminal, detach, options.text("console-socket"))
        sealed.ensure(self.spec, self.bundle)

    def create(self, *, wait: bool) -> tuple[container.Init, state.State]:
        """Make it; with `wait` init stands at a fifo that any later process of ours can open.

        Raises:
            RuntimeFailure: nothing is left.
        """
        directory = state.reserve(self.env.root, self.id)
        held: list[int] = []
        init = None
        try:
            init = self._make(directory, wait, held)
            made = state.of_init(self.env.root, self.id, self.spec, self.bundle, init.pid, init.group.path)
            made.save()
            self._tell(init.pid)
        except BaseException:
            if init:
                deletion.undo(init)
            state.remove(directory)
            raise
        finally:
            for fd in held:
                os.close(fd)
        return init, made

    def _make(self, directory: str, wait: bool, held: list[int]) -> container.Init:
        gate = self._fifo(directory) if wait else -1
        here, there = self._terminal()
        held += [fd for fd in (gate, there, here) if fd >= 0]
        try:
            init = container.create(
                self.id, self.spec, bundle=self.bundle, gate=gate, console_socket=there, preserve=self.preserve,
                seccomp_cache=self.env.seccomp_cache, pivot=not self.options.on("no-pivot"),
                keyring=not self.options.on("no-new-keyring"),
            )  # fmt: skip
        except RuntimeFailure as failure:
            raise failure.prefixed("unable to start container process: ") from None
        if here >= 0:
            self.master = console.take(here)
        return init

    def _fifo(self, directory: str) -> int:
        os.mkfifo(f"{directory}/{state.FIFO}", 0o622)
        return os.open(f"{directory}/{state.FIFO}", os.O_RDWR | os.O_CLOEXEC)  # our own end keeps read(2) waiting

    def _terminal(self) -> tuple[int, int]:
        """(our end, init's end) of what the terminal's master is sent over."""
        if not self.terminal:
            return -1, -1
        if self.detach:
            return -1, console.connect(self.options.text("console-socket"))
        return console.pair()

    def _tell(self, pid: int) -> None:
        if self.options.text("pid-file"):
            write_atomic(self.options.text("pid-file"), str(pid).encode(), 0o644)
        if self.options.text("pidfd-socket"):
            tell_pidfd(self.options.text("pidfd-socket"), pid)


def inherited(options: Options, process: dict[str, Any]) -> int:
    """How many descriptors from 3 on the process gets; those of LISTEN_FDS are announced in its environment.

    Raises:
        RuntimeFailure: one of them is not open.
    """
    listening = os.environ.get("LISTEN_FDS", "")
    count = int(listening) if listening.isascii() and listening.isdigit() else 0
    if count:
        process["env"] = [*(process.get("env") or ()), f"LISTEN_FDS={count}", "LISTEN_PID=1"]
    preserve = options.number("preserve-fds")
    if preserve < 0:
        raise UsageError(f'invalid value "{preserve}" for flag -preserve-fds: parse error')
    for fd in range(FIRST_INHERITED, FIRST_INHERITED + count + preserve):
        try:
            os.set_inheritable(fd, True)
        except OSError:
            raise RuntimeFailure(f"file descriptor {fd} is not open: preserve-fds={preserve}") from None
    return count + preserve


def check_terminal(terminal: bool, detach: bool, socket: str) -> None:
    """Refuse what cannot be: a terminal without somebody who holds its master, or a holder without a terminal.

    Raises:
        RuntimeFailure: in runc's words.
    """
    if terminal and detach and not socket:
        raise RuntimeFailure("cannot allocate tty if runc will detach without setting console socket")
    if socket and not (terminal and detach):
        raise RuntimeFailure("cannot use console socket if runc will not detach or allocate tty")


def tell_pidfd(path: str, pid: int) -> None:
    """Send a pidfd of `pid` over the Unix socket at `path`."""
    connection, pidfd = console.connect(path), k.pidfd_open(pid)
    console.hand_out(connection, "pidfd", pidfd)
    os.close(pidfd)
    os.close(connection)


def release(made: state.State) -> None:
    """What `start` does: one byte into the fifo that init reads.

    Raises:
        RuntimeFailure: it does not wait there.
    """
    status = made.status()
    if status != "created":
        texts = {
            "running": "cannot start an already running container",
            "stopped": "cannot start a container that has stopped",
        }
        raise RuntimeFailure(texts.get(status, f"cannot start a container in the {status} state"))
    try:
        fd = os.open(made.fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # ENXIO: nobody reads any more
    except OSError as error:
        raise RuntimeFailure(f"open {made.fifo}: {words(error)}") from None
    os.write(fd, b"g")
    os.close(fd)
    os.unlink(made.fifo)
    try:
        container.after_start(made.spec, made.context())
    except RuntimeFailure:
        deletion.destroy(made)
        raise
