"""Starting the zygote: from a sealed copy of the interpreter, by posix_spawn(3) (security: CVE-2019-5736).

init is forked, not exec'ed, so /proc/<init>/exe is the interpreter the zygote runs. A memfd that is sealed against
writing can be reached by a hostile container, but not changed.
"""

import contextlib
import fcntl
import os
import sys

_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
SOURCE_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def interpreter() -> str:
    """The real path of the interpreter, not a virtual environment's link to it."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def sealed_copy(path: str) -> int:
    """A memfd with the content of `path`, sealed. The caller closes it."""
    fd = os.memfd_create("dockwright", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(path, "rb") as source:
        while os.sendfile(fd, source.fileno(), None, 1 << 24):
            continue
    os.fchmod(fd, 0o511)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    return fd


def start_zygote(sock: int) -> int:
    """Start a zygote that serves socket `sock`; returns its pid.

    Raises:
        OSError: posix_spawn failed.
    """
    keep_descriptors()
    program = interpreter()
    code = f"import sys; sys.path.insert(0, {SOURCE_ROOT!r}); from dockwright.supervisor import zygote; zygote.main(3)"
    copy = sealed_copy(program)
    try:
        nothing = (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)
        actions = [(os.POSIX_SPAWN_DUP2, sock, 3), nothing, (os.POSIX_SPAWN_DUP2, 2, 1)]
        arguments = [program, "-I", "-S", "-B", "-c", code]
        return os.posix_spawn(f"/proc/self/fd/{copy}", arguments, {"LC_ALL": "C.UTF-8"}, file_actions=actions)
    finally:
        os.close(copy)


def keep_descriptors() -> None:
    """Libraries open some without close-on-exec (libnftables does): no child shall have them."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the one the folder was listed with
            if int(name) > 2 and os.get_inheritable(int(name)):
                os.set_inheritable(int(name), False)
