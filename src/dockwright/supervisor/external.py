"""An OCI runtime that is not ours, driven by runc's command line: create, start, exec, kill, pause, resume, delete.

It runs as a child of a maker, or of the shim. What it makes becomes the shim's own child when it ends, for the shim is the
subreaper. The container's root is mounted at EXEC/roots/ID, beside and not below the task's folder: that one is removed as
a tree, and nothing of a container's may ever be in it.
"""

from __future__ import annotations

import _socket
import os
import select

from dockwright.kernel import mount as m
from dockwright.kernel.process import pidfd_open, settable_signals
from dockwright.runtime import console, document, tree
from dockwright.runtime.failure import RuntimeFailure, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Plan = dict[str, Any]

DEADLINE = 60.0  # seconds for one command
VERSION = "1.0.2"  # of the specification: what we ask for is in it, and older runtimes refuse newer ones
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"}
LOG, CONFIG, PID, PROCESS = "log.json", "config.json", "init.pid", "process"


def root_of(directory: str) -> str:
    """Where the root of the task in folder EXEC/tasks/ID is mounted."""
    exec_root, ident = os.path.dirname(os.path.dirname(directory)), os.path.basename(directory)
    return os.path.join(exec_root, "roots", ident)


def unmount_root(directory: str) -> None:
    """Take a task's root away; one that is not mounted is fine. Nothing in it is ever removed.

    Raises:
        OSError: it cannot be.
    """
    point = root_of(directory)
    while os.path.ismount(point):
        m.umount2(point, m.MNT_DETACH | m.UMOUNT_NOFOLLOW)
    try:
        os.rmdir(point)
    except FileNotFoundError:
        return


def clear(wanted: Plan, ident: str, directory: str) -> None:
    """The end of a container whose processes are gone: what its runtime knows of it, and its root.

    Raises:
        OSError: its root cannot be taken away.
    """
    External(wanted, ident, directory).delete()
    unmount_root(directory)


class External:
    """One container of such a runtime.

    Args:
        wanted: {"path", "args", "root"} of the program. directory: the task's folder, which is the bundle.
    """

    def __init__(self, wanted: Plan, ident: str, directory: str) -> None:
        self.program, self.arguments, self.root = wanted["path"], wanted["args"], wanted["root"]
        self.ident, self.directory = ident, directory
        self.pid = 0

    def create(self, spec: Plan, rootfs: Plan, base: str, stdio: tuple[int, ...]) -> int:
        """Make the container up to its execve; returns the master of its terminal, -1 without one.

        Raises:
            RuntimeFailure: in the runtime's own words; nothing is left then.
        """
        if os.path.isdir(os.path.join(self.root, self.ident)):
            self.delete()  # left by a shim that was killed
        held: list[int] = []
        try:
            self._mount(rootfs, base)
            self._write(CONFIG, document.dumps(_standard(spec, root_of(self.directory), held)))
            arguments = ["create", "--bundle", self.directory, "--pid-file", self._path(PID)]
            master = self._with_terminal(bool(spec["process"].get("terminal")), arguments, stdio)
            self.pid = self._read_pid(PID)
            return master
        except (OSError, RuntimeFailure):
            self.delete()
            unmount_root(self.directory)
            raise
        finally:
            for fd in held:
                os.close(fd)

    def _mount(self, rootfs: Plan, base: str) -> None:
        point = root_of(self.directory)
        unmount_root(self.directory)
        os.makedirs(point, 0o700)
        if tree.plain(rootfs):
            os.chdir(base)
            tree.mount_plain(rootfs, point)
            os.chdir("/")
            return
        fd = tree.mounted(rootfs, base)
        m.move_mount(fd, m.AT_FDCWD, point)
        os.close(fd)

    def start(self) -> None:
        """Let init go."""
        self.call("start", self.ident)

    def execute(self, process: Plan, stdio: tuple[int, ...], name: str) -> tuple[int, int]:
        """Run another process; returns its pid and the master of its terminal, -1 without one.

        Args:
            name: of the files of this exec.
        """
        self._write(f"{PROCESS}.{name}", document.dumps(_said(process)))
        arguments = ["exec", "--process", self._path(f"{PROCESS}.{name}"), "--detach", "--pid-file", self._path(f"pid.{name}")]
        try:
            master = self._with_terminal(bool(process.get("terminal")), arguments, stdio)
            return self._read_pid(f"pid.{name}"), master
        finally:
            for file in (f"{PROCESS}.{name}", f"pid.{name}"):
                _unlink(self._path(file))

    def delete(self) -> None:
        """Remove what the runtime has of the container, whatever state it is in; it says nothing if there is nothing."""
        try:
            self.call("delete", "--force", self.ident)
        except RuntimeFailure:
            return  # it has told its log; the cgroup is cleared by who asks

    def call(self, *arguments: str) -> None:
        """One command of the runtime.

        Raises:
            RuntimeFailure: in its own words.
        """
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        try:
            self._run(list(arguments), (null, null, null))
        finally:
            os.close(null)

    def _with_terminal(self, terminal: bool, arguments: list[str], stdio: tuple[int, ...]) -> int:
        """Run `arguments` for this container; with a terminal its master comes over a socket of ours."""
        if not terminal:
            self._run([*arguments, self.ident], stdio)
            return -1
        path = os.path.join(os.path.dirname(os.path.dirname(self.directory)), "s", f"{self.ident[:16]}.{os.getpid()}")
        listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        try:
            listener.bind(path)
            listener.listen(1)
            self._run([*arguments, "--console-socket", path, self.ident], stdio)
            listener.settimeout(DEADLINE)
            fd, _ = listener._accept()  # type: ignore[attr-defined]
            try:
                return console.take(fd)
            finally:
                os.close(fd)
        finally:
            listener.close()
            _unlink(path)

    def _run(self, arguments: list[str], stdio: tuple[int, ...]) -> None:
        log = self._path(LOG) if os.path.isdir(self.directory) else "/dev/null"
        _unlink(self._path(LOG))
        command = [self.program, *self.arguments, "--root", self.root, "--log", log, "--log-format", "json", *arguments]
        actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(_apart(stdio))]
        try:
            pid = os.posix_spawn(
                self.program, command, ENVIRONMENT, file_actions=actions, setsigmask=[], setsigdef=settable_signals()
            )
        except OSError as error:
            raise RuntimeFailure(f"fork/exec {self.program}: {words(error)}") from None
        status = _wait(pid)
        if status:
            raise RuntimeFailure(self._complaint(arguments[0], status))

    def _complaint(self, verb: str, status: int) -> str:
        """The last error of the runtime's log."""
        text = ""
        try:
            with open(self._path(LOG), encoding="utf-8", errors="replace") as file:
                for line in file:
                    text = _message(line) or text
        except FileNotFoundError:
            missing = f"open {self._path(LOG)}: no such file or directory"
            return f"unable to retrieve OCI runtime error ({missing}): exit status {status}"
        return text or f"{os.path.basename(self.program)} {verb}: exit status {status}"

    def _read_pid(self, name: str) -> int:
        with open(self._path(name), encoding="ascii") as file:
            return int(file.read())

    def _write(self, name: str, text: str) -> None:
        fd = os.open(self._path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(fd, "w", encoding="utf-8") as file:
            file.write(text)

    def _path(self, name: str) -> str:
        return os.path.join(self.directory, name)


def _standard(spec: Plan, root: str, held: list[int]) -> Plan:
    """The spec as every runtime reads it: its root mounted, and mounts whose sources are plain paths.

    Args:
        held: takes descriptors that must stay open until the container is made.
    """
    mounts = []
    for entry in spec["mounts"]:
        plain = {key: value for key, value in entry.items() if key not in ("subpath", "namespace")}
        if entry.get("namespace"):
            plain["source"] = entry["namespace"].replace("/ns/mnt", "/root") + entry["source"]
        if entry.get("subpath"):
            plain["source"] = _inside(entry["source"], entry["subpath"], held)
        mounts.append(plain)
    rest = {"root": {**spec["root"], "path": root}, "mounts": mounts, "process": _said(spec["process"])}
    return {**spec, "ociVersion": VERSION, **rest}


def _said(process: Plan) -> Plan:
    """A process without empty texts, which some runtimes take for names."""
    return {key: value for key, value in process.items() if value != ""}


def _inside(source: str, subpath: str, held: list[int]) -> str:
    """A name of `subpath` of `source` that no link can lead astray: it goes through a descriptor of ours."""
    directory = os.open(source, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        held.append(m.openat2(directory, subpath, m.O_PATH, m.RESOLVE_IN_ROOT))
    finally:
        os.close(directory)
    return f"/proc/{os.getpid()}/fd/{held[-1]}"


def _message(line: str) -> str:
    """The text of one line of a log, if it tells an error."""
    try:
        entry = document.loads(line)
    except (ValueError, RuntimeFailure):
        return ""
    return str(entry.get("msg") or "") if isinstance(entry, dict) and entry.get("level") == "error" else ""


def _apart(stdio: tuple[int, ...]) -> tuple[int, ...]:
    """The three streams as descriptors above 2: one that is put into place must not be overwritten first."""
    given = stdio if len(stdio) == 3 else (0, 1, 2)
    return tuple(fd if fd > 2 else os.dup(fd) for fd in given)


def _wait(pid: int) -> int:
    """The exit status of a command; one that hangs is killed."""
    pidfd = pidfd_open(pid)
    try:
        if not select.select([pidfd], [], [], DEADLINE)[0]:
            os.kill(pid, 9)
    finally:
        os.close(pidfd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
