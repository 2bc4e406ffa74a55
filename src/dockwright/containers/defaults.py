"""What the daemon gives containers that do not say otherwise: dockerd's --default-*, --init and their like."""

from dataclasses import dataclass, field

from dockwright.containers.remap import Remap
from dockwright.containers.runtimes import Runtimes
from dockwright.host.cdi import DIRECTORIES
from dockwright.types.container import HostConfig, LogConfig, Ulimit

SHM_SIZE = 64 << 20


@dataclass(frozen=True)
class Defaults:
    """The daemon's say. It is looked at when a container is created, what stands after the blank line when it starts.

    Attributes:
        log: driver and options. ulimits: those a container does not name. shm_size: bytes. ipc_mode: "private" or "shareable".
        cgroupns_mode: "private", "host", or "" for what the host's cgroup version suggests.

        init: whether an init program comes first. init_path: which; "" to look for one.
        no_new_privileges: as the security option. seccomp: "builtin", "unconfined" or a profile's JSON text.
        cdi_directories: where devices are described; none when that is switched off.
        runtimes: the OCI runtimes there are. remap: the ids of containers' users.
        rt_period, rt_runtime: of the parents of containers' cgroups, in microseconds; 0 is left as it is.
    """

    log: LogConfig
    ulimits: tuple[Ulimit, ...] = ()
    shm_size: int = SHM_SIZE
    ipc_mode: str = "private"
    cgroupns_mode: str = ""
    init: bool = False
    init_path: str = ""
    no_new_privileges: bool = False
    seccomp: str = "builtin"
    cdi_directories: tuple[str, ...] = DIRECTORIES
    runtimes: Runtimes = field(default_factory=Runtimes)
    remap: Remap | None = None
    rt_period: int = 0
    rt_runtime: int = 0

    def fill_in(self, host: HostConfig, cgroup_v2: bool) -> None:
        """Give `host` what it does not say."""
        host.Runtime = host.Runtime or self.runtimes.default
        host.ShmSize = host.ShmSize or self.shm_size
        host.IpcMode = host.IpcMode or self.ipc_mode
        host.CgroupnsMode = host.CgroupnsMode or self.cgroupns_mode or ("private" if cgroup_v2 else "host")
        named = {limit.Name for limit in host.Ulimits or ()}
        if added := [limit for limit in self.ulimits if limit.Name not in named]:
            host.Ulimits = [*(host.Ulimits or ()), *added]
