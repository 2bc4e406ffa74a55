"""The attached part of run, start, attach and exec: one poll loop over the daemon's stream, our stdin, the exit, signals.

Nothing blocks: what stdin has and the daemon does not take yet waits here, so that a container which writes while it does
not read cannot hold us. Source of the order of endings: observed with docker.
"""

from __future__ import annotations

import posix
import select

from dockwright.cli.terminal import STDERR, STDIN, STDOUT, write_all
from dockwright.client.errors import ConnectionFailed
from dockwright.client.stdcopy import STDERR as STDERR_STREAM
from dockwright.client.stdcopy import Demultiplexer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dockwright.cli.detach import Scanner
    from dockwright.cli.signals import Signals
    from dockwright.client.client import Hijacked, Waiting

READ = 1 << 15
GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL


class Streams:
    """What is attached.

    Args:
        stream: the hijacked connection. tty: raw bytes in one stream. stdin: forward ours.
        outputs: stdout or stderr is attached. scanner: looks for the detach keys in what is typed.
    """

    def __init__(
        self, stream: Hijacked, tty: bool, stdin: bool, outputs: bool = True, scanner: Scanner | None = None
    ) -> None:
        self._stream = stream
        self._tty = tty
        self._demultiplexer = Demultiplexer()
        self._scanner = scanner
        self._pending = b""
        self._stdin_open = stdin
        self._half_closed = not stdin
        self._output_open = outputs
        self._outputs = outputs
        self.detached = False

    def run(self, signals: Signals | None = None, exit_: Waiting | None = None) -> None:
        """Copy until the streams have ended and, if there is an `exit_`, that is known too.

        Raises:
            ConnectionFailed: the daemon broke off. BrokenPipeError: nobody reads our output.
        """
        self._stream.sock.setblocking(False)
        if not self._stdin_open:
            self._end_input()
        if self._stream.wire.early:
            self._take(self._stream.wire.receive())
        while not self.detached and not (self._ended() and (exit_ is None or exit_.done)):
            self._turn(signals, exit_)

    def _ended(self) -> bool:
        return not self._output_open if self._outputs else self._half_closed and not self._stream.unsent

    def _turn(self, signals: Signals | None, exit_: Waiting | None) -> None:
        for fd, events in self._poll(signals, exit_).poll():
            if fd == self._stream.sock.fileno():
                self._stream_ready(events)
            elif signals and fd == signals.fd:
                signals.handle()
            elif exit_ and fd == exit_.fileno():
                exit_.feed()
            elif fd == STDIN and self._stdin_open:
                self._type()

    def _poll(self, signals: Signals | None, exit_: Waiting | None) -> select.poll:
        poll = select.poll()
        events = select.POLLIN if self._output_open or not self._outputs else 0
        events |= select.POLLOUT if self._pending or self._stream.unsent else 0
        if events and not self._stream.closed:
            poll.register(self._stream.sock.fileno(), events)
        if self._stdin_open and not self._pending:
            poll.register(STDIN, select.POLLIN)
        if signals:
            poll.register(signals.fd, select.POLLIN)
        if exit_ and not exit_.done:
            poll.register(exit_.fileno(), select.POLLIN)
        return poll

    def _stream_ready(self, events: int) -> None:
        if events & select.POLLOUT:
            self._flush()
        if events & (select.POLLIN | GONE):
            self._receive()

    def _receive(self) -> None:
        try:
            data = self._stream.sock.recv(READ << 1)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if data:
            self._take(data)
        else:
            self._output_open = False
            self._stdin_open = False
            self._half_closed = True
            self._stream.close()

    def _take(self, data: bytes) -> None:
        if self._tty:
            write_all(STDOUT, data)
            return
        try:
            for stream, part in self._demultiplexer.feed(data):
                write_all(STDERR if stream == STDERR_STREAM else STDOUT, part)
        except ValueError as error:
            raise ConnectionFailed(str(error).capitalize()) from error

    def _type(self) -> None:
        """Take what stdin has; its end becomes a half-close."""
        try:
            data = posix.read(STDIN, READ)
        except BlockingIOError:
            return
        except OSError:  # a terminal that has hung up, or a descriptor that is closed
            data = b""
        if not data:
            self._stdin_open = False
            self._end_input()
            return
        if self._scanner:
            data, self.detached = self._scanner.feed(data)
        self._pending += data
        self._flush()

    def _flush(self) -> None:
        try:
            if self._pending or self._stream.unsent:
                self._pending = self._pending[self._stream.sock.send(self._pending) :]
        except BlockingIOError:
            return
        except OSError:  # the daemon takes no more; what it still says is read on
            self._pending, self._stdin_open, self._half_closed = b"", False, True
            return
        if not (self._stdin_open or self._pending or self._half_closed):
            self._end_input()

    def _end_input(self) -> None:
        if not self._pending:
            self._half_closed = True
            self._stream.close_write()
