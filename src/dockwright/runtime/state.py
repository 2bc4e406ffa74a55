"""What the runtime keeps of a container between its commands: ROOT/ID/state.json, and exec.fifo while it waits for `start`.

The shim writes the same document for the containers it makes in process, so that the command line reaches them too.
"""

from __future__ import annotations

import marshal
import os
import time

from dockwright.base.files import write_atomic
from dockwright.runtime import document
from dockwright.runtime.cgroups.group import Cgroup
from dockwright.runtime.context import OCI_VERSION, Context
from dockwright.runtime.failure import RuntimeFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FIFO = "exec.fifo"
FILE = "state.json"
_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.")


class State:
    """One container as its state file tells it.

    Args:
        root: the runtime's --root. values: the document.

    Attributes:
        pid: init's, also after it has ended. started: its start time in clock ticks (proc(5), stat field 22), so that a
            later process with the same number is not taken for it. spec: the whole OCI spec. group: its cgroup.
    """

    def __init__(self, root: str, values: dict[str, Any]) -> None:
        self.root, self.values = root, values
        self.id: str = values["id"]
        self.pid: int = values["init_process_pid"]
        self.started: int = values["init_process_start"]
        self.bundle: str = values["bundle"]
        self.spec: dict[str, Any] = _spec(values["config"])
        self.group = Cgroup(values["cgroup_path"])

    @property
    def directory(self) -> str:
        """ROOT/ID."""
        return f"{self.root}/{self.id}"

    @property
    def fifo(self) -> str:
        """What init waits at until `start`."""
        return f"{self.directory}/{FIFO}"

    def alive(self) -> bool:
        """Whether init is there and no zombie."""
        found = process_start(self.pid)
        return found is not None and found == self.started

    def status(self) -> str:
        """ "created", "running", "paused" or "stopped"."""
        if not self.alive():
            return "stopped"
        if self.group.frozen():
            return "paused"
        return "created" if os.path.exists(self.fifo) else "running"

    def document(self, status: str = "") -> dict[str, Any]:
        """The OCI state document (runtime.md, State), with runc's additions."""
        status = status or self.status()
        answer = {
            "ociVersion": OCI_VERSION, "id": self.id, "pid": 0 if status == "stopped" else self.pid, "status": status,
            "bundle": self.bundle, "rootfs": self.values["rootfs"], "created": self.values["created"],
        }  # fmt: skip
        if self.spec.get("annotations"):
            answer["annotations"] = self.spec["annotations"]
        answer["owner"] = ""
        return answer

    def context(self) -> Context:
        """What hooks are told."""
        context = Context(self.id, self.bundle, self.spec.get("annotations") or {})
        context.pid = self.pid if self.alive() else 0
        return context

    def save(self) -> None:
        """Write the state file, whole or not at all."""
        write_atomic(f"{self.directory}/{FILE}", document.dumps(self.values).encode())


def of_init(root: str, container_id: str, spec: dict[str, Any], bundle: str, pid: int, cgroup: str) -> State:
    """The state of a container whose init has just been made."""
    rootfs = os.path.join(bundle, (spec.get("root") or {}).get("path") or "rootfs")
    now = time.time_ns()
    return State(root, {
        "ociVersion": OCI_VERSION, "id": container_id, "init_process_pid": pid,
        "init_process_start": process_start(pid) or 0, "created": timestamp(now), "bundle": bundle, "rootfs": rootfs,
        "cgroup_path": cgroup, "config": spec,
    })  # fmt: skip


def _spec(config: dict[str, Any] | str) -> dict[str, Any]:
    """The spec itself, or what the engine's plan file names as it (a marshal document, see the supervisor's plan)."""
    if isinstance(config, dict):
        return config
    try:
        with open(config, "rb") as file:
            spec: dict[str, Any] = marshal.load(file)["spec"]
    except (OSError, EOFError) as error:
        raise RuntimeFailure(f"the plan {config} of the container cannot be read: {error}") from None
    return spec


def timestamp(nanoseconds: int) -> str:
    """A time in RFC 3339 with nanoseconds, UTC."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:09d}Z"


def load(root: str, container_id: str) -> State:
    """The state of a container.

    Raises:
        RuntimeFailure: it does not exist, or its file is broken.
    """
    check_id(container_id)
    try:
        with open(f"{root}/{container_id}/{FILE}", encoding="utf-8") as file:
            return State(root, document.loads(file.read()))
    except (FileNotFoundError, NotADirectoryError):
        raise RuntimeFailure("container does not exist") from None
    except (ValueError, KeyError, TypeError) as error:
        raise RuntimeFailure(f"container {container_id}: {FILE} is broken: {error}") from None


def check_id(container_id: str) -> None:
    """Refuse ids that are no single path component of runc's characters.

    Raises:
        RuntimeFailure: in runc's words.
    """
    if not container_id or container_id in (".", "..") or not _ALLOWED.issuperset(container_id):
        raise RuntimeFailure("invalid container ID format")


def reserve(root: str, container_id: str) -> str:
    """Make ROOT/ID, which takes the id; returns it.

    Raises:
        RuntimeFailure: the id is malformed or taken.
    """
    check_id(container_id)
    directory = f"{root}/{container_id}"
    try:
        os.makedirs(root, 0o700, exist_ok=True)
        os.mkdir(directory, 0o711)
    except FileExistsError:
        raise RuntimeFailure("container with given ID already exists") from None
    return directory


def remove(directory: str) -> None:
    """Remove ROOT/ID; what is gone already is fine."""
    try:
        for name in os.listdir(directory):
            os.unlink(f"{directory}/{name}")
        os.rmdir(directory)
    except FileNotFoundError:
        return


def identifiers(root: str) -> list[str]:
    """The ids that have a state file."""
    try:
        return sorted(name for name in os.listdir(root) if os.path.exists(f"{root}/{name}/{FILE}"))
    except FileNotFoundError:
        return []


def process_start(pid: int) -> int | None:
    """Start time of a process in clock ticks; None if there is none, or only a zombie (proc(5))."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])
