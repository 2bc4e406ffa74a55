"""One attached session: terminal, keys, signals and streams put together for run, start, attach and exec."""

from __future__ import annotations

from dockwright.cli.failure import Failure
from dockwright.cli.streams import Streams
from dockwright.cli.terminal import STDIN, STDOUT, is_terminal, size
from dockwright.client.errors import ApiError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from dockwright.cli.context import Context
    from dockwright.cli.raw import RawTerminal
    from dockwright.cli.signals import Signals
    from dockwright.client.client import Hijacked, Waiting

SIGNALLED = 128
RESIZE_TRIES = 10
RESIZE_PAUSE = 0.01


def check_tty(stdin: bool, tty: bool) -> None:
    """Refuse -it without a terminal. Raises Failure in docker's words."""
    if tty and stdin and not is_terminal(STDIN):
        raise Failure("the input device is not a TTY\n")


def detach_keys(context: Context, given: str) -> str:
    """--detach-keys, else config.json's detachKeys; "" for the default."""
    return given or str(context.config.get("detachKeys", ""))


class Session:
    """What happens between the hijack and the end.

    Args:
        stream: the hijacked connection. tty, stdin, outputs: as `Streams`.
        keys: detach keys as given, "" for the default.
        forward: sends a signal by name; None without --sig-proxy.
        resize: tells the daemon (height, width); None if there is nothing to resize.
    """

    def __init__(
        self,
        stream: Hijacked,
        tty: bool,
        stdin: bool,
        outputs: bool = True,
        keys: str = "",
        forward: Callable[[str], None] | None = None,
        resize: Callable[[int, int], None] | None = None,
    ) -> None:
        scanner = None
        if tty and stdin:
            from dockwright.cli.detach import DEFAULT, Scanner, parse_keys

            try:
                scanner = Scanner(parse_keys(keys or DEFAULT))
            except ValueError as error:
                raise Failure(f"invalid detach keys ({keys}): {error}\n") from error
        self._stream = stream
        self._streams = Streams(stream, tty, stdin, outputs, scanner)
        self._forward = forward
        self._resize = resize if tty and is_terminal(STDOUT) else None
        self._raw = self._terminal() if tty and stdin and is_terminal(STDIN) else None

    def _terminal(self) -> RawTerminal:
        from dockwright.cli.raw import RawTerminal

        return RawTerminal(STDIN)

    def run(self, exit_: Waiting | None = None) -> bool:
        """Copy to the end; False if the user detached. The terminal is itself again afterwards."""
        signals = None
        try:
            signals = self._signals()
            if self._resize:
                self._first_resize()
            self._streams.run(signals, exit_)
        finally:
            if signals:
                signals.close()
            self.restore()
        return not self._streams.detached

    def _signals(self) -> Signals | None:
        """What is sent on, the window's size, and what would end us with the terminal still raw."""
        if not (self._forward or self._resize or self._raw):
            return None
        from dockwright.cli.signals import DEADLY, Signals

        resized = self._resized if self._resize else None
        return Signals(self._forward, resized) if self._forward else Signals(_end, resized, DEADLY.values())

    def restore(self) -> None:
        """The terminal as it was, and the connection closed."""
        if self._raw:
            self._raw.restore()
            self._raw = None
        self._stream.close()

    def _resized(self) -> None:
        try:
            self._send_size()
        except ApiError:
            return  # it has ended meanwhile, which the streams will say

    def _send_size(self) -> None:
        height, width = size(STDOUT)
        if self._resize and height and width:
            self._resize(height, width)

    def _first_resize(self) -> None:
        """An exec may not have begun yet: try for a moment, as docker does."""
        import time

        for attempt in range(RESIZE_TRIES):
            try:
                self._send_size()
            except ApiError:
                time.sleep(RESIZE_PAUSE * (attempt + 1))
            else:
                return


def _end(name: str) -> None:
    """A signal that ends us: the status a shell would show, after the terminal has been restored."""
    from dockwright.cli.signals import DEADLY

    raise Failure("", SIGNALLED + DEADLY[name])
