"""The container manager: the face of this room, one method for each request of the API.

The work is done by one class per idea; they are built on each other in this order: `Store`, `Mounting`, `Creation`, `Stopping`,
`Removal`, `Life`, `Restoring`; `Execs`, `Streams` and `Seeing` stand beside them.
"""

from typing import Any

from dockwright.base.paths import Paths
from dockwright.containers import logopts
from dockwright.containers.archives import Archives
from dockwright.containers.checking import Checker
from dockwright.containers.checkpoints import Checkpoints
from dockwright.containers.commits import Commits
from dockwright.containers.connecting import Connecting
from dockwright.containers.container import Container
from dockwright.containers.creation import Creation
from dockwright.containers.defaults import Defaults
from dockwright.containers.execs import Execs
from dockwright.containers.explaining import Explaining
from dockwright.containers.life import Life
from dockwright.containers.mounting import Mounting
from dockwright.containers.planning import Planning
from dockwright.containers.pruning import Pruning
from dockwright.containers.removal import Removal
from dockwright.containers.restoring import Restoring
from dockwright.containers.seeing import Seeing
from dockwright.containers.stopping import Stopping
from dockwright.containers.store import Store
from dockwright.containers.streams import Streams
from dockwright.containers.updating import Updating
from dockwright.containers.volumefiles import VolumeFiles
from dockwright.containers.waiting import Waiter
from dockwright.events import EventBus
from dockwright.images.manager import ImageManager
from dockwright.metadata import Database
from dockwright.networks import NetworkManager
from dockwright.supervisor.manager import Supervisor
from dockwright.types.streams import ExecCreateRequest
from dockwright.volumes.manager import VolumeManager


class ContainerManager:
    """All containers of one data root. The methods are those of docs/architecture.md, "containers".

    Args:
        defaults: what containers get that do not say otherwise.

    Raises:
        InvalidParameter, NotSupported: the log driver or one of its options.
    """

    def __init__(
        self, database: Database, paths: Paths, events: EventBus, images: ImageManager, supervisor: Supervisor,
        networks: NetworkManager, volumes: VolumeManager, defaults: Defaults,
    ) -> None:  # fmt: skip
        logopts.check(defaults.log)
        store = self._store = Store(database, events)
        execs = self._execs = Execs(store, images.layers, networks, defaults.no_new_privileges)
        mounting = Mounting(store, paths, images, volumes)
        creation = Creation(store, paths, images, mounting, networks, supervisor.placement, defaults)
        stopping = Stopping(store)
        removal = Removal(store, paths, images, supervisor, stopping, networks, mounting, execs)
        life = Life(store, paths, images, supervisor, execs, stopping, removal, networks, mounting, defaults)
        restoring = Restoring(store, paths, supervisor, stopping, removal, life, networks, mounting)
        streams, seeing = Streams(store, paths), Seeing(store, paths, images, networks)
        archives = Archives(store, images.layers, mounting, defaults.remap)

        connecting = Connecting(store, paths, networks)
        planning = Planning(store, paths, images, networks, mounting, creation, supervisor.placement, defaults)
        self.plan = planning.plan
        self.connect, self.disconnect = connecting.connect, connecting.disconnect
        self.create, self.rename, self.remove = creation.create, creation.rename, removal.remove
        self.start, self.restart, self.pause, self.unpause = life.start, life.restart, life.pause, life.unpause
        self.prune = Pruning(store, images, removal).prune
        self.update = Updating(store, networks).update
        self.kill, self.stop = stopping.kill, stopping.stop
        self.attach, self.resize, self.logs = streams.attach, streams.resize, streams.logs
        self.exec_check, self.exec_start = execs.check, execs.start
        self.exec_inspect, self.exec_resize = execs.inspect, execs.resize
        self.inspect, self.list, self.top, self.stats = seeing.inspect, seeing.list, seeing.top, seeing.stats
        self.path_stat, self.get_archive, self.put_archive = archives.stat, archives.get, archives.put
        self.export, self.changes = archives.export, archives.changes
        checker = Checker(store, paths, images)
        self.findings, self.owned = checker.findings, checker.owned
        files = VolumeFiles(volumes)
        self.export_volume, self.import_volume, self.clone_volume = files.export, files.import_, files.clone
        checkpoints = Checkpoints(store, paths)
        self.checkpoint, self.checkpoints = checkpoints.create, checkpoints.list
        self.remove_checkpoint = checkpoints.remove
        self.commit = Commits(store, images, life).commit
        self.why = Explaining(store, paths).why
        self.trace, self.restore, self.shutdown = seeing.trace, restoring.restore, restoring.shutdown

    def find(self, ref: str) -> Container:
        """By full id, name, or unique prefix of an id.

        Raises:
            NotFound, InvalidParameter: in Docker's words.
        """
        return self._store.find(ref)

    def wait(self, ref: str, condition: str) -> Waiter:
        """POST /containers/{id}/wait: listens from now on."""
        return Waiter(self._store.find(ref), condition or "not-running")

    async def exec_create(self, ref: str, request: ExecCreateRequest) -> dict[str, Any]:
        """POST /containers/{id}/exec."""
        return {"Id": self._execs.create(self._store.find(ref), request, ref).id}
