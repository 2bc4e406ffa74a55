"""The shim: the one process that belongs to a container and outlives the daemon.

It is a fork of the zygote: single-threaded, one epoll loop, parent of the container's init and of all exec'ed
processes. It owns their streams, the log and the exit record, and serves any number of connections: the daemon's, and
after a restart the next daemon's. It ends when it is told to, or by itself once the container has ended, the record is
written and nobody is connected.
"""

from __future__ import annotations

import _socket
import os

from dockwright.base.errors import Conflict, EngineError
from dockwright.kernel import process as k
from dockwright.supervisor import frames, lastwords
from dockwright.supervisor.loop import Loop
from dockwright.supervisor.work import Task

TYPE_CHECKING = False
if TYPE_CHECKING:

    from dockwright.supervisor.frames import Message


NAME, SPARE_NAME = "dockwright-shim", "dockwright-wait"  # as ps shows them


class Connection:
    """One connection of a daemon: requests in, answers and events out, in order."""

    def __init__(self, shim: Shim, sock: _socket.socket) -> None:
        self.shim, self.sock = shim, sock
        self.decoder = frames.Decoder()
        self.out = bytearray()
        sock.setblocking(False)
        shim.loop.add(sock.fileno(), self.on_event, read=True)
        self.send(
            {
                "hello": "dockwright-shim",
                "versions": [frames.OLDEST, frames.VERSION],
                "shim": os.getpid(),
                **shim.task.summary(),
            }
        )

    def send(self, message: Message) -> None:
        """Queue a message."""
        self.out += frames.encode(message)
        self._flush()

    def on_event(self, readable: bool, writable: bool) -> None:
        """The loop's call."""
        if writable:
            self._flush()
        if readable and self.sock.fileno() >= 0:
            self._read()

    def _read(self) -> None:
        try:
            data = self.sock.recv(1 << 16)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if not data:
            return self.close()
        try:
            messages = self.decoder.feed(data)
        except frames.FrameError:
            return self.close()
        for message in messages:
            self.shim.handle(self, message)
        return None

    def _flush(self) -> None:
        try:
            while self.out:
                del self.out[: self.sock.send(self.out[: 1 << 16])]
        except BlockingIOError:
            pass  # the loop tells when there is room
        except OSError:
            return self.close()
        self.shim.loop.change(self.sock.fileno(), read=True, write=bool(self.out))
        return None

    def become_stream(self) -> _socket.socket | None:
        """Give the socket away: what follows on it is a raw stream. What is queued is sent first.

        None: the other side has gone.
        """
        try:
            self.sock.setblocking(True)
            self.sock.sendall(bytes(self.out))
        except OSError:
            self.close()
            return None
        self.out.clear()
        self.shim.loop.remove(self.sock.fileno())
        self.shim.connections.remove(self)
        self.sock.setblocking(False)
        return self.sock

    def close(self) -> None:
        """The other side has gone."""
        if self.sock.fileno() >= 0:
            self.shim.loop.remove(self.sock.fileno())
            self.sock.close()
        if self in self.shim.connections:
            self.shim.connections.remove(self)
        self.shim.maybe_end()


class Shim:
    """The shim of one task.

    Args:
        task_id: the container's id. directory: EXEC/tasks/<id>. path: its socket. All are "" for a spare one.
    """

    def __init__(self, task_id: str, directory: str, path: str) -> None:
        self.loop = Loop()
        self.path = path
        self.connections: list[Connection] = []
        self.deleted = False
        self.task = Task(self.loop, task_id, directory, self.announce, self.maybe_end)

    def open(self, first: _socket.socket | None) -> None:
        """Become what others know as the shim: parent of orphans, listener, and partner of the connection `first`."""
        k.prctl(k.PR_SET_CHILD_SUBREAPER, 1)
        self.task.watch_children()
        if self.path:
            self._listen()
        if first:
            self.connections.append(Connection(self, first))
        self.task.prepare()

    def assign(self, message: Message) -> None:
        """A spare shim learns whose it is: {"id", "directory", "socket"}."""
        if self.path:
            raise Conflict("this shim has a task already")
        self.task.id, self.task.directory, self.path = message["id"], message["directory"], message["socket"]
        k.set_name(NAME)
        self._listen()

    def _listen(self) -> None:
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass  # the normal case; a left-over of a dead shim is replaced
        self.listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        old = os.umask(0o177)
        self.listener.bind(self.path)
        os.umask(old)
        self.listener.listen(16)
        self.listener.setblocking(False)
        self.loop.add(self.listener.fileno(), self._accept, read=True)

    def _accept(self, _readable: bool, _writable: bool) -> None:
        try:
            fd, _ = self.listener._accept()  # type: ignore[attr-defined]
        except OSError:
            return
        self.connections.append(Connection(self, _socket.socket(fileno=fd)))

    def announce(self, event: Message) -> None:
        """Tell everyone connected."""
        for connection in tuple(self.connections):
            connection.send(event)
        self.maybe_end()

    def handle(self, connection: Connection, message: Message) -> None:
        """One request: {"n": number, "op": name, ...} is answered by {"n": number, "ok": ...} or {"n", "error", "kind"}."""
        number = message.get("n", 0)
        operation = str(message.get("op"))
        if operation == "attach":
            return self._attach(connection, number, message)
        if operation == "delete" and self.task.commands:
            return self.task.afterwards.append(lambda: self.handle(connection, message))
        if operation == "delete":
            self._stop_listening()  # first: who hears the answer may give the path to the next shim
            if self.task.runtime:
                self.task.close()  # and may remove what the root that runtime uses is made of
            connection.send({"n": number, "ok": None})
            return self.delete()
        if operation == "assign":
            self.assign(message)
            return connection.send({"n": number, "ok": None})
        try:
            self.task.perform(operation, message, lambda answer: connection.send({"n": number, **answer}))
        except EngineError as error:
            connection.send({"n": number, "kind": type(error).__name__, "error": error.message})
        except (OSError, KeyError, ValueError, TypeError) as error:
            connection.send({"n": number, "kind": "Internal", "error": f"{operation}: {type(error).__name__}: {error}"})
        return None

    def _attach(self, connection: Connection, number: int, message: Message) -> None:
        """The connection becomes a stream; with "stdio" it is an exec's, which begins with it."""
        if "stdio" in message:
            try:
                self.task.prepare_exec(message)
            except (EngineError, OSError) as error:
                text = error.message if isinstance(error, EngineError) else str(error)
                connection.send({"n": number, "kind": type(error).__name__, "error": text})
                return
        stdio = self.task.stdio_of(str(message.get("exec", "")))
        if stdio is None:
            connection.send({"n": number, "kind": "NotFound", "error": "no such process to attach to"})
            return
        log = stdio.log
        position = {"end": log.position(), "rest": log.rest()} if log else None
        connection.send({"n": number, "ok": position})
        sock = connection.become_stream()
        if sock is None:
            return
        early = connection.decoder.take_rest()
        client = stdio.attach(sock, tuple(message["streams"]))
        if early and "stdin" in client.streams:
            stdio.feed(early)

    def delete(self) -> None:
        """Clean up now, and end as soon as attached clients have taken what is still theirs."""
        if not self.deleted:
            self.deleted = True
            self.task.close()
            self._stop_listening()
        self.maybe_end()

    def _stop_listening(self) -> None:
        if not self.path or self.listener.fileno() < 0:
            return
        self.loop.remove(self.listener.fileno())
        self.listener.close()
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass  # the daemon has already cleared away what this task leaves

    def maybe_end(self) -> None:
        """End if there is nothing left to do.

        That is: all output was taken, and we were told to end, or nobody listens and the record is on disk. A shim whose
        daemon has gone before it asked for a start has nothing to wait for either.
        """
        if not self.connections:
            self.task.drop_unasked()
            if self.task.unborn and not self.deleted:
                return self.delete()
        if self.task.delivering:
            return None
        if self.deleted:
            self.loop.running = False
        elif not self.connections and self.task.over:
            self.delete()
        return None


def main(task_id: str, directory: str, path: str, first: _socket.socket | None) -> None:
    """Run a shim to its end, in the process forked for it."""
    k.set_name(NAME if path else SPARE_NAME)
    shim = Shim(task_id, directory, path)
    try:
        shim.open(first)
        shim.loop.run()
    except BaseException as error:
        lastwords.leave("shim", shim.task.directory, error)
        raise
