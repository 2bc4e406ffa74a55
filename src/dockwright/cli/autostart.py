"""Starting our daemon when nobody listens on its socket and the caller is root."""

from __future__ import annotations

import fcntl
import posix
import sys
import time

from dockwright.cli.failure import Failure
from dockwright.cli.sockets import listens

LOG = "/var/log/dockwright.log"
LOCK = "/run/dockwright.lock"
PATIENCE = 30.0
PAUSE = 0.02
ENVIRONMENT = ("PATH", "LANG", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "TMPDIR")
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def start(socket: str) -> None:
    """Start `dockwrightd` beside our own interpreter, in a session of its own, and wait until it answers.

    It logs to /var/log/dockwright.log. Of two command lines that do this at once one waits, and finds the other's daemon.

    Raises:
        Failure: there is no daemon to start, or it does not come up; with its last words.
    """
    program = f"{sys.executable.rpartition('/')[0]}/dockwrightd"
    if not posix.access(program, posix.X_OK):
        raise Failure(f"Cannot connect to the Docker daemon at unix://{socket}. Is the docker daemon running?\n")
    lock = posix.open(LOCK, posix.O_RDWR | posix.O_CREAT | posix.O_NOFOLLOW | posix.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not listens(socket):
            began = _log_size()
            _wait(socket, _spawn(program), began)
    finally:
        posix.close(lock)


def _spawn(program: str) -> int:
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND | posix.O_NOFOLLOW
    actions = [
        (posix.POSIX_SPAWN_OPEN, 0, "/dev/null", posix.O_RDONLY, 0),
        (posix.POSIX_SPAWN_OPEN, 1, LOG, flags, 0o640),
        (posix.POSIX_SPAWN_DUP2, 1, 2),
    ]
    environment = {name: posix.environ[name.encode()] for name in ENVIRONMENT if name.encode() in posix.environ}
    environment.setdefault("PATH", DEFAULT_PATH.encode())
    return posix.posix_spawn(program, [program], environment, file_actions=actions, setsid=True)


def _log_size() -> int:
    try:
        return posix.stat(LOG).st_size
    except OSError:
        return 0


def _wait(socket: str, pid: int, began: int) -> None:
    deadline, ended = time.monotonic() + PATIENCE, False
    while not listens(socket):
        if not ended and posix.waitpid(pid, posix.WNOHANG)[0]:
            ended, deadline = True, min(deadline, time.monotonic() + 2)  # somebody else may be starting one
        if time.monotonic() > deadline:
            raise Failure(f"dockwrightd could not be started, see {LOG}:\n{_last_words(began)}")
        time.sleep(PAUSE)


def _last_words(began: int) -> str:
    try:
        with open(LOG, "rb") as file:
            file.seek(began)
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError as error:
        return f"{error.strerror}\n"
    return "".join(f"  {line}\n" for line in lines[-5:])
