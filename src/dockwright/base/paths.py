"""Every absolute place the engine uses, derived from two roots and nowhere else.

The data root holds what the user asked for, the exec root what the kernel has now; a reboot voids the second.
"""

DATA_ROOT = "/var/lib/dockwright"
EXEC_ROOT = "/run/dockwright"


class Paths:
    """The places below one data root and one exec root.

    Args:
        data_root: absolute path, kept across reboots.
        exec_root: absolute path, short: AF_UNIX paths end at 108 bytes (unix(7)).
    """

    def __init__(self, data_root: str = DATA_ROOT, exec_root: str = EXEC_ROOT) -> None:
        self.data_root = data_root
        self.exec_root = exec_root
        self.database = f"{data_root}/metadata.db"
        self.engine_id = f"{data_root}/engine-id"
        self.lock = f"{data_root}/lock"
        self.content = f"{data_root}/content"
        self.volumes = f"{data_root}/volumes"
        self.trash = f"{data_root}/trash"
        self.temporary = f"{data_root}/tmp"
        self.netns = f"{exec_root}/netns"
        self.sockets = f"{exec_root}/s"
        self.tasks = f"{exec_root}/tasks"
        self.runtime_root = f"{exec_root}/runc"
        self.seccomp_cache = f"{exec_root}/seccomp"

    def snapshotter(self, driver: str) -> str:
        """The folder of a storage driver, named as Docker names it (`overlay2`, `vfs`)."""
        return f"{self.data_root}/{driver}"

    def container(self, container_id: str) -> str:
        """Logs, hosts, hostname and resolv.conf of one container."""
        return f"{self.data_root}/containers/{container_id}"

    def task(self, container_id: str) -> str:
        """Bundle and exit record of one running or just ended container."""
        return f"{self.tasks}/{container_id}"

    def shim_socket(self, container_id: str) -> str:
        """The path a shim listens on: 16 hex digits keep it below unix(7)'s 108 bytes."""
        return f"{self.sockets}/{container_id[:16]}"
