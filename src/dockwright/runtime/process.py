"""From a prepared container to the user's program: identity, limits, privileges, execve(2).

`Program` is worked out before privileges are given up; `become` then does only prepared system calls (DECISIONS 23).
Order of the drop: a filter without no_new_privs needs CAP_SYS_ADMIN, so it is loaded first; with no_new_privs last.
"""

from __future__ import annotations

import errno
import os
import stat

from dockwright.kernel import process as k
from dockwright.kernel.libc import check, invoke, libc, prepare, string_array, syscall
from dockwright.runtime import apparmor, capabilities, scheduling
from dockwright.runtime.failure import RuntimeFailure, explain, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.kernel.seccomp import Filter

TIOCSCTTY = 0x540E
PTY_MAJORS = (136, 143)  # Unix98 pty slaves (Documentation/admin-guide/devices.txt)
PASSWD_LIMIT = 10 << 20  # bytes read of an image's /etc/passwd (CVE-2026-47262)
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RLIMITS = (
    "CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS", "LOCKS", "SIGPENDING",
    "MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
)  # fmt: skip


PERSONALITIES = {"LINUX": 0, "LINUX32": 0x0008}  # include/uapi/linux/personality.h


class Program:
    """The user's process as the spec's `process` describes it.

    Args:
        process: the OCI process object.
        seccomp: the filter to load, or None. personality: linux.personality of the spec, or None.

    Raises:
        RuntimeFailure: it has no arguments.
    """

    def __init__(self, process: dict[str, Any], seccomp: Filter | None, personality: dict[str, Any] | None) -> None:
        self.arguments: list[str] = process.get("args") or []
        self.environment: list[str] = list(process.get("env") or [])
        self.cwd: str = process.get("cwd") or "/"
        size = process.get("consoleSize") or {}
        self.console_size = (size.get("height", 0), size.get("width", 0))
        self.no_new_privileges = bool(process.get("noNewPrivileges"))
        self.apparmor: str = process.get("apparmorProfile") or ""
        self.rlimits: list[dict[str, Any]] = process.get("rlimits") or []
        self.seccomp = seccomp
        self.personality = PERSONALITIES[personality["domain"]] if personality else None
        self.io_priority: dict[str, Any] | None = process.get("ioPriority")
        self.scheduler: dict[str, Any] | None = process.get("scheduler")
        user = process.get("user") or {}
        self.uid, self.gid = user.get("uid", 0), user.get("gid", 0)
        self.groups: list[int] = user.get("additionalGids") or []
        self.umask: int | None = user.get("umask")
        caps = process.get("capabilities")
        self.capabilities = None if caps is None else {key: capabilities.mask(value) for key, value in caps.items()}
        if not self.arguments:
            raise RuntimeFailure("args must not be empty")
        self._refuse_nul()

    def _refuse_nul(self) -> None:
        """No program has a NUL in its name, and none can be given one (execve(2))."""
        name = self.arguments[0]
        if "\0" in name:
            shown = name.replace("\0", "\\x00")
            raise RuntimeFailure(f'exec: "{shown}": executable file not found in $PATH')
        if any("\0" in text for text in (*self.arguments, *self.environment)):
            raise RuntimeFailure(f'exec: "{name}": invalid argument')

    def limit(self, pid: int) -> None:
        """Set the resource limits of process `pid`, from outside (prlimit(2)).

        Raises:
            RuntimeFailure: an unknown name, or more than we hold without CAP_SYS_RESOURCE.
        """
        from resource import prlimit

        for entry in self.rlimits:
            name = entry["type"].removeprefix("RLIMIT_")
            if name not in RLIMITS:
                raise RuntimeFailure(f"wrong rlimit value: {entry['type']}")
            pair = (_rlimit(entry["soft"]), _rlimit(entry["hard"]))
            try:
                prlimit(pid, RLIMITS.index(name), pair)
            except (OSError, ValueError) as error:
                reason = words(error) if isinstance(error, OSError) else "invalid argument"  # a soft limit above the hard one
                prefix = "error during container init: error setting rlimits for ready process: error setting rlimit type"
                raise RuntimeFailure(f"{prefix} {RLIMITS.index(name)}: {reason}") from None

    def locate(self) -> str:
        """The path of the executable, looked up as execvp(3) does in the container's PATH.

        Raises:
            RuntimeFailure: in the words from which Docker makes exit codes 126 and 127.
        """
        name = self.arguments[0]
        if "/" in name:
            return self._checked(name)
        denied = False
        for directory in self._path().split(":"):
            candidate = os.path.join(directory or ".", name)
            try:
                if _executable(candidate):
                    return candidate
                denied = True
            except OSError:
                continue
        if denied:
            raise RuntimeFailure(f'exec: "{name}": permission denied')
        raise RuntimeFailure(f'exec: "{name}": executable file not found in $PATH')

    def _path(self) -> str:
        for variable in self.environment:
            if variable.startswith("PATH="):
                return variable[5:]
        return DEFAULT_PATH

    def _checked(self, name: str) -> str:
        try:
            if _executable(name):
                return name
        except OSError as error:
            raise RuntimeFailure(f'exec: "{name}": stat {name}: {words(error)}') from None
        reason = "is a directory" if os.path.isdir(name) else "permission denied"
        raise RuntimeFailure(f'exec: "{name}": {reason}')

    def check_capabilities(self) -> None:
        """See, while the failure can still be told, that we hold what the process is to have.

        Raises:
            RuntimeFailure: in runc's words.
        """
        wanted = (self.capabilities or {}).get("permitted", 0)
        if wanted & ~k.capget()[1]:
            raise RuntimeFailure("unable to apply caps: operation not permitted")

    def home(self) -> None:
        """Add HOME from the container's passwd file where the environment has none, as runc does."""
        if not any(variable.startswith("HOME=") for variable in self.environment):
            self.environment.append("HOME=" + (home_of(self.uid) or "/"))

    def enter_directory(self) -> None:
        """chdir(2) to the working directory, and see that it really is inside the root (CVE-2024-21626)."""
        try:
            os.chdir(self.cwd)
        except OSError as error:
            raise RuntimeFailure(f'chdir to cwd ("{self.cwd}") set in config.json failed: {words(error)}') from None
        try:
            inside = os.getcwd().startswith("/")
        except OSError:
            inside = False  # getcwd(3) has no name for what lies outside our root
        if not inside:
            raise RuntimeFailure("current working directory is outside of container mount namespace root")

    def become(self, path: str) -> None:
        """Drop to the spec's privileges and execve(2) `path`; returns only by an exception.

        All that comes after the seccomp filter is prepared before it: from there on only the system calls of
        `AFTER_FILTER` are made, so that a filter that allows nothing else still lets the program start.

        Raises:
            RuntimeFailure: one of the steps was refused, or the file may not be executed.
        """
        last = self._last_calls()
        execve = self._execve(path)
        try:
            self._first_calls()
            for call, what in last:
                invoke(call, what)
            if self.no_new_privileges and self.seccomp:
                self.seccomp.load()
        except OSError as error:
            raise RuntimeFailure(explain(error)) from None
        try:
            invoke(execve, path)
        except OSError as error:
            if error.errno == errno.EACCES:
                raise RuntimeFailure(f'exec: "{self.arguments[0]}": {words(error)}') from None
            _no_program(path, error)

    def _execve(self, path: str) -> tuple[object, ...]:
        arguments = [os.fsencode(a) for a in self.arguments]
        environment = [os.fsencode(v) for v in _last_of_each(self.environment)]
        return prepare("execve", os.fsencode(path), string_array(arguments), string_array(environment))

    def _first_calls(self) -> None:
        """What needs privileges and more of the kernel than a filter may allow."""
        if self.umask is not None:
            os.umask(self.umask)
        if self.personality is not None:
            syscall("personality", self.personality)
        if self.scheduler:
            scheduling.set_policy(self.scheduler)
        if self.io_priority:
            scheduling.set_io_priority(self.io_priority)
        if self.apparmor:
            apparmor.confine_at_exec(self.apparmor)
        caps = self.capabilities
        if caps is not None:
            drop_bounding(caps.get("bounding", 0))
        k.prctl(k.PR_SET_KEEPCAPS, 1)
        os.setgroups(self.groups)
        check(libc.setresgid(self.gid, self.gid, self.gid), "setgid")
        if self.no_new_privileges:
            k.prctl(k.PR_SET_NO_NEW_PRIVS, 1)
        elif self.seccomp:
            self.seccomp.load()

    def _last_calls(self) -> list[tuple[tuple[object, ...], str]]:
        """setresuid, capset, prctl: the drop that comes after a filter which needs CAP_SYS_ADMIN to be loaded."""
        calls = [(prepare("setresuid", self.uid, self.uid, self.uid), "setuid")]
        caps = self.capabilities
        if caps is None:
            return calls
        sets = [caps.get(name, 0) for name in ("effective", "permitted", "inheritable")]
        calls.append((k.prepare_capset(*sets), "unable to apply caps"))
        calls.append((_ambient(k.PR_CAP_AMBIENT_CLEAR_ALL), "ambient capabilities"))
        # the kernel lets only what is permitted and inheritable become ambient; the rest is left out, as runc does
        ambient = caps.get("ambient", 0) & sets[1] & sets[2]
        for number in range(64):
            if ambient >> number & 1:
                calls.append((_ambient(k.PR_CAP_AMBIENT_RAISE, number), "ambient capabilities"))
        return calls

    def own_stdio(self) -> None:
        """Give the user its pipes and terminals (and nothing else: a file is its owner's, CVE-2026-88264)."""
        if not self.uid:
            return
        for fd in range(3):
            info = os.fstat(fd)
            if stat.S_ISFIFO(info.st_mode) or stat.S_ISSOCK(info.st_mode) or _is_terminal(info):
                try:
                    os.fchown(fd, self.uid, info.st_gid)
                except OSError as error:
                    if error.errno not in (errno.EPERM, errno.EINVAL, errno.EROFS):
                        raise  # else: owned by somebody outside our user namespace


def _no_program(path: str, error: OSError) -> None:
    """End as a process that has started: that a file is no program is told by the process itself, as with runc."""
    try:
        os.write(2, f"exec {path}: {words(error)}\n".encode())
    finally:
        os._exit(1)


NULL = os.makedev(1, 3)  # admin-guide/devices.txt

# what is called between loading the filter and the user's program; tests/root/runtime proves it by strace
AFTER_FILTER = ("setresuid", "capset", "prctl", "seccomp", "execve")


def _ambient(operation: int, number: int = 0) -> tuple[object, ...]:
    return prepare("prctl", k.PR_CAP_AMBIENT, operation, number, 0, 0)


def _last_of_each(environment: list[str]) -> list[str]:
    """One entry per variable, the last one given."""
    entries = {variable.partition("=")[0]: variable for variable in environment if "=" in variable}
    return list(entries.values())


def _is_terminal(info: os.stat_result) -> bool:
    return stat.S_ISCHR(info.st_mode) and PTY_MAJORS[0] <= os.major(info.st_rdev) <= PTY_MAJORS[1]


def _rlimit(value: int) -> int:
    return -1 if value >= 1 << 63 or value < 0 else value


def _executable(path: str) -> bool:
    mode = os.stat(path).st_mode
    return stat.S_ISREG(mode) and bool(mode & 0o111)


def drop_bounding(keep: int) -> None:
    """Drop every capability that is not in `keep` from the bounding set."""
    for number in range(64):
        if keep >> number & 1:
            continue
        try:
            k.prctl(k.PR_CAPBSET_DROP, number)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return  # behind the last one this kernel knows


def home_of(uid: int) -> str:
    """The home directory of `uid` by /etc/passwd, "" if it has none there."""
    try:
        fd = os.open("/etc/passwd", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        regular = stat.S_ISREG(os.fstat(fd).st_mode)
        text = os.pread(fd, PASSWD_LIMIT, 0) if regular else b""
    finally:
        os.close(fd)
    for line in text.split(b"\n"):
        fields = line.split(b":")
        if len(fields) >= 6 and fields[2] == str(uid).encode():
            return os.fsdecode(fields[5])
    return ""


def own_null() -> None:
    """Give the container its own /dev/null where it got the host's: a descriptor of no mount of its cannot be checkpointed."""
    try:
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return  # an image without one keeps what it was given
    if _is_null(null):
        for fd in range(3):
            if _is_null(fd):
                os.dup2(null, fd)
    os.close(null)


def _is_null(fd: int) -> bool:
    info = os.fstat(fd)
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == NULL


def adopt_stdio(stdio: tuple[int, int, int], console: int) -> None:
    """Make `stdio` (or the pty slave `console`) descriptors 0 to 2; a console becomes the controlling terminal."""
    sources = (console,) * 3 if console >= 0 else stdio
    held = [os.dup(fd) for fd in sources]  # so that no dup2 overwrites a source that is still needed
    for target, source in enumerate(held):
        os.dup2(source, target)
    for fd in held:
        os.close(fd)
    if console >= 0:
        check(libc.ioctl(0, TIOCSCTTY, 0), "controlling terminal")
