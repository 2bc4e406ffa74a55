"""Keeping the host's interpreter out of a container's reach (CVE-2019-5736; DECISIONS 25).

init is forked from the interpreter, so until execve(2) its /proc/self/exe is a file of the host. A container whose
program leads the kernel back there (a script that begins with `#!/proc/self/exe`, say) could keep a handle to it and
write to it later. Such a container is made by a copy of the interpreter in a sealed memfd(2), which nothing can change.

The copy and the second start cost 8 ms. They are saved where the kernel cannot be led there: the program is, in the
container's own root and below no mount of the spec, an ELF file or a script of one, and init is alone in a new pid
namespace. Whoever can write to that root while the container is being made could cheat this look: sharing one writable
root between containers that do not trust each other is not safe anyway.
"""

from __future__ import annotations

import os
import sys

from dockwright.kernel.mount import O_PATH
from dockwright.runtime import paths
from dockwright.runtime.process import DEFAULT_PATH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAME = "dockwright-runc"
F_ADD_SEALS, F_GET_SEALS, ALL_SEALS = 1033, 1034, 15  # fcntl(2): SEAL, SHRINK, GROW, WRITE
SCRIPTS = 4  # how often one script may be interpreted by another (kernel fs/exec.c)


def ensure(spec: dict[str, Any], bundle: str) -> None:
    """Go on as a sealed copy if the container to be made could reach the interpreter; returns if there is no need."""
    if not sealed() and reachable(spec, bundle):
        become_sealed()


def ensure_entering(spec: dict[str, Any]) -> None:
    """The same before a process enters a running container, whose files may change at any moment."""
    if not sealed() and not unprivileged(spec):
        become_sealed()


def sealed() -> bool:
    """Whether this process runs from a sealed copy: known by the seals, not by its name or environment."""
    if not os.readlink("/proc/self/exe").startswith(f"/memfd:{NAME} "):
        return False
    import fcntl

    fd = os.open("/proc/self/exe", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return fcntl.fcntl(fd, F_GET_SEALS) == ALL_SEALS
    finally:
        os.close(fd)


def become_sealed() -> None:
    """Execute the same command line from a sealed copy of the interpreter."""
    import fcntl

    program = os.path.realpath("/proc/self/exe")
    fd = os.memfd_create(NAME, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    source = os.open(program, os.O_RDONLY | os.O_CLOEXEC)
    while os.sendfile(fd, source, None, 1 << 24):
        continue
    os.fchmod(fd, 0o511)
    fcntl.fcntl(fd, F_ADD_SEALS, ALL_SEALS)
    home = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    code = f"import sys; sys.path[:0] = [{home!r}]; from dockwright.runtime.main import main; main()"
    cache = ["-X", f"pycache_prefix={sys.pycache_prefix}"] if sys.pycache_prefix else []
    os.execve(fd, [program, "-I", "-S", *cache, "-c", code, *sys.argv[1:]], os.environ)


def unprivileged(spec: dict[str, Any]) -> bool:
    """Whether root inside is nobody outside: then the interpreter's own permissions protect it."""
    linux = spec.get("linux") or {}
    if not any(n["type"] == "user" and not n.get("path") for n in linux.get("namespaces") or ()):
        return False
    return all(int(m.get("hostID", 0)) > 0 for m in linux.get("uidMappings") or ())


def reachable(spec: dict[str, Any], bundle: str) -> bool:
    """Whether the program of a container to be made might lead the kernel to init's own executable."""
    if unprivileged(spec):
        return False
    new = {n["type"] for n in (spec.get("linux") or {}).get("namespaces") or () if not n.get("path")}
    hooks = spec.get("hooks") or {}
    if not {"pid", "mount"} <= new or hooks.get("createContainer") or hooks.get("startContainer"):
        return True
    process = spec.get("process") or {}
    try:
        root = os.open(os.path.join(bundle, spec["root"]["path"]), O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return True  # an error whose text is made later
    try:
        look = _Look(root, [str(m["destination"]) for m in spec.get("mounts") or ()], process.get("cwd") or "/")
        return not look.harmless(look.find(process["args"][0], process.get("env") or []))
    finally:
        os.close(root)


class _Look:
    """A look into a container's root, before anything is mounted there."""

    def __init__(self, root: int, mounts: list[str], cwd: str) -> None:
        self.root, self.cwd = root, cwd
        self.base = os.readlink(f"/proc/self/fd/{root}")
        self.covered = [paths.clean(where) for where in mounts]
        self.covered += [self._real(where) for where in self.covered]

    def _real(self, path: str) -> str:
        """Where `path` leads inside the root; itself if there is nothing."""
        try:
            fd = paths.open_in_root(self.root, path)
        except OSError:
            return path
        try:
            return os.readlink(f"/proc/self/fd/{fd}")[len(self.base.rstrip("/")) :] or "/"
        finally:
            os.close(fd)

    def find(self, name: str, environment: list[str]) -> str:
        """The path of the program `name`; "" if it is not there."""
        if "/" in name:
            return os.path.join(self.cwd, name)
        search = next((v[5:] for v in reversed(environment) if v.startswith("PATH=")), DEFAULT_PATH)
        for directory in search.split(":"):
            path = os.path.join(self.cwd, directory, name)
            try:
                os.close(paths.open_in_root(self.root, path))
                return path
            except OSError:
                continue
        return ""

    def harmless(self, path: str, depth: int = 0) -> bool:
        """Whether `path` is an ELF file of the root itself, or a script whose interpreter is."""
        if not path.startswith("/") or depth > SCRIPTS:
            return False
        places = (paths.clean(path), self._real(path))
        if any(_within(place, where) for place in places for where in self.covered):
            return False
        try:
            fd = paths.open_in_root(self.root, path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            return False
        try:
            head = os.read(fd, 256)
        except OSError:
            return False
        finally:
            os.close(fd)
        if head.startswith(b"#!"):
            interpreter = head[2:].split(b"\n")[0].split()
            return bool(interpreter) and self.harmless(os.fsdecode(interpreter[0]), depth + 1)
        return head.startswith(b"\x7fELF")


def _within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")
