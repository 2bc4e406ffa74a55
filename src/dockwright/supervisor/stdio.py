"""A process's input and output in the shim: pipes or a pty, a log, and any number of attached clients.

Output goes to the log first, then to whoever is attached, in Docker's frames (8 bytes: stream, 0, 0, 0, length BE) or
raw from a terminal. A client that does not read holds the process up, as a pipe would; nothing is dropped. Only one that
has read nothing for ten minutes is let go itself, so that no container waits for ever for somebody who was suspended.
"""

from __future__ import annotations

import errno
import os
from time import monotonic, time_ns

from dockwright.runtime.console import resize

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from typing import Any

    from dockwright.supervisor.loop import Loop

READ = 64 * 1024
HIGH = 1 << 20  # bytes waiting for one client at which the process is held up
IN_HIGH = 256 * 1024
STALLED = 600.0  # seconds without reading anything after which a client of the container's own process is let go
STREAMS = {1: "stdout", 2: "stderr"}


class Client:
    """One attached connection: output to it, stdin from it."""

    def __init__(self, stdio: Stdio, sock: _socket.socket, streams: tuple[str, ...]) -> None:
        self.stdio, self.sock, self.streams = stdio, sock, streams
        self.out = bytearray()
        self.reading = True
        self.closing = False
        self.ended = False  # its input has
        self.moved = monotonic()  # when it last took something
        stdio.loop.add(sock.fileno(), self.on_event, read=True)

    def send(self, stream: int, data: bytes) -> None:
        """Queue output for this client."""
        if STREAMS[stream] not in self.streams:
            return
        if not self.stdio.tty:
            self.out += bytes((stream, 0, 0, 0)) + len(data).to_bytes(4, "big")
        self.out += data
        self._flush()

    def finish(self) -> None:
        """No more output: close when all is sent."""
        self.closing = True
        self._flush()

    def on_event(self, readable: bool, writable: bool) -> None:
        """The loop's call."""
        if readable and not self.ended:
            self._read()
        elif readable:
            return self.drop()  # nothing is read any more, so this says that the client has hung up for good
        if writable:
            self._flush()
        return None

    def _read(self) -> None:
        try:
            data = self.sock.recv(READ)
        except BlockingIOError:
            return None
        except OSError:
            return self.drop()
        if not data:
            self.ended, self.reading = True, False
            self._interest()
            if "stdin" in self.streams:
                self.stdio.stdin_ended()
        elif "stdin" in self.streams:
            self.stdio.feed(data)
            self.reading = not self.stdio.input_full
            self._interest()
        return None

    def resume(self) -> None:
        """There is room for stdin again."""
        if not self.reading and not self.closing and not self.ended:
            self.reading = True
            self._interest()

    def _flush(self) -> None:
        try:
            while self.out:
                sent = self.sock.send(self.out[:READ])
                del self.out[:sent]
                self.moved = monotonic()
        except BlockingIOError:
            return self._interest()
        except OSError:
            return self.drop()
        if self.closing:
            return self.drop()
        self._interest()
        self.stdio.relax()
        return None

    def _interest(self) -> None:
        self.stdio.loop.change(self.sock.fileno(), read=self.reading, write=bool(self.out))

    def drop(self) -> None:
        """Let go of the connection."""
        if self.sock.fileno() >= 0:
            self.stdio.loop.remove(self.sock.fileno())
            self.sock.close()
        if self in self.stdio.clients:
            self.stdio.clients.remove(self)
        self.stdio.relax()
        self.stdio.settle()


class Stdio:
    """The three streams of one process.

    Args:
        loop: the shim's loop. tty: a pty instead of pipes. want_stdin: keep stdin open for clients.
        stdin_once: close stdin when the client that fed it leaves. log: a supervisor.logs.log.Log, or None.
        on_end: called with this when the output has ended and all clients have it.
        patience: seconds after which a client that takes nothing is let go, 0 for never.

    A terminal is made inside the container; until its master comes with `begin`, input waits here.
    """

    def __init__(
        self, loop: Loop, tty: bool, want_stdin: bool, stdin_once: bool, log: Any, on_end: Any,
        patience: float = 0.0,
    ) -> None:  # fmt: skip
        self.loop, self.tty, self.stdin_once, self.log, self.on_end = loop, tty, stdin_once, log, on_end
        self.patience = patience
        self.clients: list[Client] = []
        self.logged = log is None
        if log:
            log.when_room(self.relax)
        self.outputs: dict[int, int] = {}
        self.paused = self.ended = self.close_after = self.watching = False
        self.input = bytearray()
        self.stdin = -1
        self.child: tuple[int, int, int] = (-1, -1, -1)
        self.awaited = True
        self.size: tuple[int, int] | None = None
        if not tty:
            self._open_pipes(want_stdin)

    @property
    def given(self) -> tuple[int, ...]:
        """The descriptors the process gets; none for a terminal."""
        return () if self.tty else self.child

    def when_log_ready(self, then: Any) -> None:
        """Call `then` when there is a log to write to, or with the reason why there is none."""
        if self.log:
            self.log.when_ready(then)
        else:
            then("")

    def _open_pipes(self, want_stdin: bool) -> None:
        if want_stdin:
            child_in, self.stdin = os.pipe()
            os.set_blocking(self.stdin, False)
        else:
            child_in = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        out, child_out = os.pipe()
        error, child_error = os.pipe()
        for fd in (out, error):
            os.set_blocking(fd, False)
        self.outputs = {out: 1, error: 2}
        self.child = (child_in, child_out, child_error)

    def begin(self, master: int = -1) -> None:
        """The child has its ends: close ours of them and listen.

        Args:
            master: of the process's terminal.
        """
        self._close_child()
        self.awaited = False
        if self.tty:
            os.set_blocking(master, False)
            self.stdin, self.outputs = master, {master: 1}
            if self.size:
                resize(master, *self.size)
        for fd in self.outputs:
            self.loop.add(fd, self._reader(fd), read=True)
        self._flush_input()

    def _close_child(self) -> None:
        for fd in {*self.child} - {-1}:
            os.close(fd)
        self.child = (-1, -1, -1)

    def resize(self, height: int, width: int) -> None:
        """Set the terminal's size in characters, now or when it is there."""
        self.size = (height, width)
        if self.stdin >= 0:
            resize(self.stdin, height, width)

    def abandon(self) -> None:
        """The process was never born: close everything; clients see the end."""
        self._close_child()
        for fd in {*self.outputs, self.stdin} - {-1}:
            os.close(fd)
        self.outputs, self.stdin, self.awaited = {}, -1, False
        self._end()

    def attach(self, sock: _socket.socket, streams: tuple[str, ...]) -> Client:
        """A client that hears what comes from now on."""
        client = Client(self, sock, streams)
        self.clients.append(client)
        if self.ended:
            client.finish()
        return client

    def _reader(self, fd: int) -> Any:
        def on_event(readable: bool, writable: bool) -> None:
            if writable:
                self._flush_input()
            if readable:
                self._read(fd)

        return on_event

    def _read(self, fd: int) -> None:
        try:
            data = os.read(fd, READ)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            data = b""  # a pty whose last slave was closed
        if data:
            self._deliver(self.outputs[fd], data)
        else:
            self._close_output(fd)

    def _deliver(self, stream: int, data: bytes) -> None:
        if self.log:
            self.log.write(STREAMS[stream], data, time_ns())
        for client in tuple(self.clients):
            client.send(stream, data)
        if any(len(client.out) > HIGH for client in self.clients) or (self.log and self.log.full):
            self._pause(True)
            self._watch_clients()

    def _watch_clients(self) -> None:
        """See later whether those who hold the process up have moved."""
        if self.patience and not self.watching:
            self.watching = True
            self.loop.later(self.patience, self._let_go)

    def _let_go(self) -> None:
        """Drop clients that have taken nothing for too long."""
        self.watching, late = False, monotonic() - self.patience
        for client in tuple(self.clients):
            if len(client.out) > HIGH and client.moved <= late:
                client.drop()
        if self.paused and self.clients:
            self._watch_clients()

    def _pause(self, paused: bool) -> None:
        self.paused = paused
        for fd in self.outputs:
            self.loop.change(fd, read=not paused, write=fd == self.stdin and bool(self.input))

    def relax(self) -> None:
        """A client took something, or the log: read on if nobody is far behind any more."""
        behind = any(len(client.out) > HIGH // 2 for client in self.clients) or (self.log and self.log.full)
        if self.paused and not behind:
            self._pause(False)

    def _close_output(self, fd: int) -> None:
        self.loop.remove(fd)
        del self.outputs[fd]
        if fd == self.stdin:
            self.stdin = -1
        os.close(fd)
        if not self.outputs:
            self._end()

    def drain(self) -> None:
        """The process has ended: take what is in the pipes now, and wait no longer for others who hold them."""
        for fd in tuple(self.outputs):
            while fd in self.outputs:
                before = self.outputs.get(fd)
                try:
                    data = os.read(fd, READ)
                except BlockingIOError:
                    break
                except OSError:
                    data = b""
                if not data:
                    self._close_output(fd)
                elif before:
                    self._deliver(before, data)

    def cut(self) -> None:
        """Stop listening, whoever still holds the other ends."""
        for fd in tuple(self.outputs):
            self._close_output(fd)

    def _end(self) -> None:
        if self.ended:
            return
        self.ended = True
        if self.log:
            log, self.log = self.log, None
            log.finish(time_ns())
            log.when_drained(self._drained)
        self.close_stdin()
        for client in tuple(self.clients):
            client.finish()
        self.settle()

    def _drained(self) -> None:
        """The log has all that was written to it."""
        self.logged = True
        self.settle()

    def settle(self) -> None:
        """Say so when the output has ended and everybody has taken it."""
        if self.ended and self.logged and not self.clients:
            self.on_end(self)

    # stdin

    @property
    def input_full(self) -> bool:
        """Whether the process has not read what it was given for long enough to stop taking more."""
        return len(self.input) > IN_HIGH

    def feed(self, data: bytes) -> None:
        """Input from a client."""
        if self.stdin >= 0 or (self.tty and self.awaited):
            self.input += data
            self._flush_input()

    def stdin_ended(self) -> None:
        """A client has no more input."""
        if self.stdin_once and not self.tty:
            self.close_after = True
            self._flush_input()

    def close_stdin(self) -> None:
        """Close our end of a stdin pipe. A pty stays: it is the output too."""
        if self.stdin >= 0 and self.stdin not in self.outputs:
            if self.loop.has(self.stdin):
                self.loop.remove(self.stdin)
            os.close(self.stdin)
            self.stdin = -1

    def _flush_input(self) -> None:
        try:
            while self.input and self.stdin >= 0:
                del self.input[: os.write(self.stdin, self.input[:4096])]
        except BlockingIOError:
            return self._await_room()
        except OSError:
            self.input.clear()  # the process closed its stdin
            return self.close_stdin()
        self._await_room()
        if self.close_after:
            self.close_stdin()
        for client in self.clients:
            client.resume()
        return None

    def _await_room(self) -> None:
        waiting = bool(self.input)
        if self.stdin in self.outputs:
            self.loop.change(self.stdin, read=not self.paused, write=waiting)
        elif self.stdin >= 0 and waiting and not self.loop.has(self.stdin):
            self.loop.add(self.stdin, lambda _readable, _writable: self._flush_input(), write=True)
        elif self.stdin >= 0 and not waiting and self.loop.has(self.stdin):
            self.loop.remove(self.stdin)
