"""An attached client: bytes between its hijacked connection and the container's shim, until it detaches or the end comes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from dockwright.base.errors import EngineError, InvalidParameter
from dockwright.containers.framing import Bare, frame

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
DEFAULT_KEYS = "ctrl-p,ctrl-q"


class Stream(Protocol):
    """The client's side."""

    async def read(self) -> bytes: ...
    def write(self, data: bytes) -> None: ...
    async def drain(self) -> None: ...
    def write_eof(self) -> None: ...
    def close(self) -> None: ...


def detach_sequence(keys: str, refusal: str) -> bytes:
    """The bytes that detach a terminal.

    Raises:
        InvalidParameter: `refusal` (attach and exec word it differently).
    """
    sequence = b""
    for key in (keys or DEFAULT_KEYS).split(","):
        if len(key) == 1:
            sequence += key.encode()
        elif key.startswith("ctrl-") and len(key) == 6 and key[5] in "abcdefghijklmnopqrstuvwxyz@[\\]^_":
            sequence += bytes([ord(key[5].upper()) & 0x1F])
        else:
            raise InvalidParameter(refusal)
    return sequence


def _conversion(tty: bool, bare: bool) -> Callable[[bytes], bytes]:
    """What makes of a process's output, framed unless it has a terminal, what its client wants to see."""
    if tty == bare:
        return lambda data: data
    return Bare().feed if bare else lambda data: frame("stdout", data)


class Session:
    """One attach or exec.

    Args:
        connection: to the shim, or None for the replay only.
        until: what the end of the stream waits for: an exec's client asks for the exit code as soon as it sees the end.
        replay: what is sent first: the log so far.
        on_detach: called when the client has typed the detach keys.
        bare: whether the client wants output without frames; as the terminal has it unless it says otherwise.

    Attributes:
        multiplexed: whether output is in frames.
    """

    def __init__(
        self,
        connection: "asyncio.Future[Connection] | None",
        tty: bool,
        stdin: bool,
        detach: bytes,
        until: "asyncio.Future[None] | None" = None,
        replay: AsyncIterator[bytes] | None = None,
        on_detach: Callable[[], None] | None = None,
        bare: bool | None = None,
    ) -> None:
        self._connection, self._until, self._replay, self._on_detach = connection, until, replay, on_detach
        self.tty, self.multiplexed = tty, not (tty if bare is None else bare)
        self._shown = _conversion(tty, not self.multiplexed)
        self._stdin, self._detach = stdin, detach
        self.detached = False

    def abandon(self) -> None:
        """Let go of a connection that is not to be relayed."""
        if self._connection and self._connection.done() and not self._connection.exception():
            self._connection.result()[1].close()

    async def run(self, stream: Stream) -> None:
        """Relay until the output ends, the client goes or detaches."""
        try:
            if self._connection is None:
                await self._send_replay(stream)
                return stream.close()
            self._reader, self._writer = await self._connection
        except (EngineError, ConnectionError):
            return stream.close()  # the start has failed, which the starter is told; or the client has gone
        return await self._relay(stream)

    async def _send_replay(self, stream: Stream) -> None:
        if self._replay:
            async for piece in self._replay:
                stream.write(piece)
                await stream.drain()

    async def _relay(self, stream: Stream) -> None:
        feeder = asyncio.create_task(self._feed(stream))
        try:
            await self._send_replay(stream)
            await self._deliver(stream)
        except ConnectionError:
            self.detached = True
        finally:
            feeder.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await feeder
            self._writer.close()
            stream.close()

    async def _deliver(self, stream: Stream) -> None:
        while data := await self._reader.read(1 << 16):
            stream.write(self._shown(data))
            await stream.drain()
        if self._until and not self.detached:
            await asyncio.shield(self._until)

    async def _feed(self, stream: Stream) -> None:
        matched = 0
        while data := await stream.read():
            if not self._stdin:
                continue
            if self.tty:
                data, matched = self._watch(data, matched)
            if data:
                self._writer.write(data)
                await self._writer.drain()
            if matched == len(self._detach):
                self.detached = True
                self._writer.close()
                if self._on_detach:
                    self._on_detach()
                return
        if self._stdin:
            self._writer.write_eof()

    def _watch(self, data: bytes, matched: int) -> tuple[bytes, int]:
        """Hold back bytes that may be the detach keys; a partial match is passed on when it breaks."""
        out = bytearray()
        for byte in data:
            if byte == self._detach[matched]:
                matched += 1
                if matched == len(self._detach):
                    break
            else:
                out += self._detach[:matched]
                matched = 1 if byte == self._detach[0] else 0
                if not matched:
                    out.append(byte)
        return bytes(out), matched
