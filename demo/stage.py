"""A stage: commands are shown, run, held against what they should say, and what each took is kept."""

import os
import pty
import re
import select
import shlex
import struct
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from fcntl import ioctl
from termios import TIOCSWINSZ

import terminal
from engine import BIN, Done, Engine

ROWS, COLUMNS = 30, 90
PATIENCE = 20.0


class Stage:
    """Shows commands of one engine.

    Attributes:
        steps: how many things were shown. failed: which of them went wrong, in words.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.steps = 0
        self.failed: list[str] = []

    def command(self, line: str, expect: str = "", status: int = 0, program: str = "", lines: int = 6) -> Done:
        """Run `dockwright LINE` (or `program LINE`); good if it ends with `status` and says `expect`."""
        done = self.engine.docker(*shlex.split(line), program=program)
        good = done.status == status and expect in done.out + done.err
        self.shown(good, f"{os.path.basename(program) or 'dockwright'} {line}", done.took)
        terminal.output(done.out + done.err if lines or not good else "", lines or 6)
        return done

    def doing(self, text: str, action: Callable[[], object]) -> None:
        """Do something that is no command; good unless it raises."""
        began = time.perf_counter()
        try:
            action()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is shown and counted, and the demonstration goes on
            self.shown(False, text, (time.perf_counter() - began) * 1000)
            terminal.output(str(error), 12)
        else:
            self.shown(True, text, (time.perf_counter() - began) * 1000)

    def fetch(self, port: int, expect: str) -> None:
        """GET / from a published port, as somebody outside the container would; the server may need a moment to listen."""
        url = f"http://{self.engine.place.address}:{port}/"
        began = time.perf_counter()
        while expect not in (text := _get(url)) and time.perf_counter() - began < PATIENCE:
            time.sleep(0.05)
        self.shown(expect in text, f"curl {url}", (time.perf_counter() - began) * 1000)
        terminal.output(text)

    def typed(self, line: str, keys: str, expect: tuple[str, ...], status: int) -> None:
        """Run `dockwright LINE` on a terminal and type `keys` once it prompts."""
        began = time.perf_counter()
        text, ended = on_terminal([str(BIN / "dockwright"), *shlex.split(line)], keys, self.engine.environment())
        good = ended == status and all(word in text for word in expect)
        self.shown(good, f"dockwright {line}", (time.perf_counter() - began) * 1000)
        terminal.output(plain(text), 10)

    def shown(self, good: bool, text: str, took: float) -> None:
        """One step, done."""
        self.steps += 1
        if not good:
            self.failed.append(text)
        terminal.line(good, text, took)


def _get(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as answer:
            return str(answer.read().decode("utf-8", "replace"))
    except (urllib.error.URLError, OSError) as error:
        return f"{error}"


def plain(text: str) -> str:
    """What a terminal showed, without its control sequences (ECMA-48, CSI) and empty lines."""
    rows = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "").split("\n")
    return "\n".join(row for row in rows if row.strip())


def on_terminal(argv: list[str], keys: str, environment: dict[str, str]) -> tuple[str, int]:
    """Run `argv` on a pty of its own, type `keys` at its first output; all it printed, and its exit status."""
    pid, master = pty.fork()
    if not pid:
        try:
            ioctl(0, TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
            os.execve(argv[0], argv, environment)
        finally:
            os._exit(127)
    text, typed, deadline = b"", False, time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if select.select([master], [], [], 0.2)[0]:
            piece = _read(master)
            if not piece:
                break
            text += piece
            if not typed:
                os.write(master, keys.encode())
                typed = True
    os.close(master)  # hangs it up if it is still there
    return text.decode("utf-8", "replace"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError:  # EIO: the other side is closed
        return b""
