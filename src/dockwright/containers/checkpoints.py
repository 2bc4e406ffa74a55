"""Checkpoints of containers: written down, listed, removed, and found again by a start.

Each is a folder of criu's files, DATA/containers/ID/checkpoints/NAME unless the client says where. criu's log is
beside them in DATA/containers/ID/criu, for a checkpoint that failed leaves nothing.
"""

import asyncio
import os
import shutil
import string

from dockwright.base.errors import Conflict, EngineError, Internal
from dockwright.base.measures import CONTAINER_ACTIONS, timed
from dockwright.base.paths import Paths
from dockwright.containers.container import Container
from dockwright.containers.store import Store
from dockwright.runtime.criu import service
from dockwright.supervisor.task import TaskSpec
from dockwright.types.container import CheckpointCreateRequest

_FIRST = frozenset(string.ascii_letters + string.digits)
_MORE = _FIRST | frozenset("_.-")
_RESTORE = "failed to create task for container: failed to create shim task: OCI runtime restore failed: "
_DUMP = "runc did not terminate successfully: exit status 1: "


class Places:
    """Where checkpoints are."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def directory(self, container: Container, directory: str) -> str:
        """The folder that has a container's checkpoints, `directory` if that is not ""."""
        return directory or f"{self._paths.container(container.id)}/checkpoints"

    def existing(self, container: Container, name: str, directory: str, shown: str) -> str:
        """The folder of a checkpoint.

        Args:
            shown: the container's name in the error.

        Raises:
            Internal: there is none, in Docker's words. A name that is none leads nowhere either.
        """
        path = os.path.join(self.directory(container, directory), name)
        if not valid(name) or not os.path.lexists(path):
            raise Internal(f"checkpoint {name} does not exist for container {shown}")
        if not os.path.isdir(path):
            raise Internal(f"{path} exists and is not a directory")
        return path

    def wanted(self, container: Container, name: str, directory: str) -> dict[str, str]:
        """What a start needs to know of the checkpoint it goes on from.

        Raises:
            Internal: it is not there, or criu is not.
        """
        path = self.existing(container, name, directory, f"/{container.name}")
        try:
            return self.described(container, path)
        except EngineError as error:
            raise Internal(f"{_RESTORE}{error.message}: unknown") from None

    def described(self, container: Container, path: str) -> dict[str, str]:
        """A checkpoint as the supervisor reads it.

        Raises:
            EngineError: there is no criu.
        """
        work = f"{self._paths.container(container.id)}/criu"
        os.makedirs(work, mode=0o700, exist_ok=True)
        return {"images": os.path.abspath(path), "work": work, "criu": service.find()}


class Checkpoints:
    """create, ls, rm."""

    def __init__(self, store: Store, paths: Paths) -> None:
        self._store, self._places = store, Places(paths)

    @timed(CONTAINER_ACTIONS, "checkpoint")
    async def create(self, ref: str, request: CheckpointCreateRequest) -> None:
        """POST /containers/{id}/checkpoints. One that ends the container is answered when it has ended.

        Raises:
            Conflict: it does not run. Internal: in Docker's words; it runs on then, and nothing is written.
        """
        container = self._store.find(ref)
        name = request.CheckpointID
        async with container.lock:
            if not container.state.running or not container.task:
                raise Conflict(f"container {container.id} is not running")
            if not valid(name):
                raise Internal(f"Invalid checkpoint ID ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
            path = self._made(container, name, request.CheckpointDir)
            ending = container.next_exit() if request.Exit else None
            before, container.last_run = container.last_run, container.last_run or request.Exit
            try:
                await container.task.checkpoint(self._places.described(container, path), not request.Exit)
            except EngineError as error:
                container.last_run = before
                if ending:
                    ending.cancel()
                await asyncio.to_thread(shutil.rmtree, path)
                raise Internal(f"Cannot checkpoint container {ref}: {_DUMP}{error.message}: unknown") from None
        if ending:
            await ending
        self._store.event(container, "checkpoint")

    def _made(self, container: Container, name: str, directory: str) -> str:
        folder = self._places.directory(container, directory)
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            text = f"checkpoint with name {name} already exists for container {container.name}"
            raise Internal(f"cannot checkpoint container {container.name}: {text}")
        if os.path.lexists(path):
            raise Internal(f"cannot checkpoint container {container.name}: {path} exists and is not a directory")
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            os.mkdir(path, 0o700)
        except OSError as error:
            raise Internal(f"cannot checkpoint container {container.name}: mkdir {path}: {error.strerror}") from None
        return path

    def list(self, ref: str, directory: str) -> list[dict[str, str]]:
        """GET /containers/{id}/checkpoints.

        Raises:
            Internal: `directory` is not there.
        """
        container = self._store.find(ref)
        folder = self._places.directory(container, directory)
        if not os.path.isdir(folder):
            if not directory:
                return []
            raise Internal(f"checkpoint  does not exist for container {container.name}")
        return [{"Name": name} for name in sorted(os.listdir(folder)) if os.path.isdir(os.path.join(folder, name))]

    async def remove(self, ref: str, name: str, directory: str) -> None:
        """DELETE /containers/{id}/checkpoints/{checkpoint}.

        Raises:
            Internal: there is none such.
        """
        container = self._store.find(ref)
        path = self._places.existing(container, name, directory, container.name)
        await asyncio.to_thread(shutil.rmtree, path)


def valid(name: str) -> bool:
    """Whether a checkpoint can have this name: one component of a path, of Docker's characters, two at least."""
    return len(name) > 1 and name[0] in _FIRST and _MORE.issuperset(name)


def fit(spec: TaskSpec, checkpoint: dict[str, str] | None) -> None:
    """Let a task go on from a checkpoint.

    Raises:
        Internal: it is a task of another runtime.
    """
    if checkpoint and spec.runtime:
        raise Internal("checkpoints of containers of another runtime are not supported")
    spec.checkpoint = checkpoint


def explained(error: EngineError, _runtime: str) -> tuple[int, EngineError]:
    """Exit code and text of a start that could not go on from its checkpoint."""
    return 128, Internal(f"{_RESTORE}{error.message}: unknown")
