"""The mounts of a container: Docker's defaults, tmpfs, the engine's files, binds and volumes, each replacing what it covers."""

from typing import TYPE_CHECKING, Any

from dockwright.base.errors import Internal

if TYPE_CHECKING:
    from dockwright.spec.build import Inputs

DEFAULT_SHM = 64 << 20
_TMPFS_WORDS = {
    "ro", "rw", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "sync", "async", "atime", "noatime", "diratime",
    "nodiratime", "relatime", "norelatime", "strictatime", "nostrictatime",
}  # fmt: skip
_TMPFS_KEYS = {"size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol", "huge"}


def build(inputs: "Inputs") -> list[dict[str, Any]]:
    """All OCI mounts, outer ones first."""
    given = [*_tmpfs(inputs), *inputs.binds]
    covered = {mount["destination"] for mount in given}
    kept = [mount for mount in _defaults(inputs) if not _covered(mount["destination"], covered)]
    return sorted(kept, key=_order) + sorted(given, key=lambda mount: mount["destination"].count("/"))


def _order(mount: dict[str, Any]) -> int:
    return [
        "/proc",
        "/dev",
        "/dev/pts",
        "/sys",
        "/sys/fs/cgroup",
        "/dev/mqueue",
        "/dev/shm",
        "/sbin/docker-init",
    ].index(mount["destination"])


def _covered(destination: str, covered: set[str]) -> bool:
    """Whether a user's mount replaces this default one; one on /dev takes all of /dev/*."""
    return destination in covered or ("/dev" in covered and destination.startswith("/dev/"))


def _defaults(inputs: "Inputs") -> list[dict[str, Any]]:
    privileged = bool(inputs.host.Privileged)
    state = "rw" if privileged else "ro"
    quiet = ["nosuid", "noexec", "nodev"]
    cgroup = "cgroup2" if inputs.cgroup_v2 else "cgroup"
    entries = [
        _mount("/proc", "proc", "proc", quiet),
        _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount(
            "/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]
        ),
        _mount("/sys", "sysfs", "sysfs", [*quiet, state]),
        _mount("/sys/fs/cgroup", cgroup, "cgroup", [state, *quiet]),
        _mount("/dev/mqueue", "mqueue", "mqueue", quiet),
    ]
    entries += _shared_memory(inputs, quiet)
    if inputs.init_path:
        entries.append(_mount("/sbin/docker-init", "bind", inputs.init_path, ["bind", "ro"]))
    return entries


def _shared_memory(inputs: "Inputs", quiet: list[str]) -> list[dict[str, Any]]:
    mode = inputs.host.IpcMode or "private"
    if mode == "none":
        return []
    if inputs.shared_memory:
        shared = _mount("/dev/shm", "bind", "/dev/shm", ["rbind", "rprivate", *quiet])
        return [{**shared, "namespace": inputs.shared_memory}]  # ours: where the shim opens the source
    if mode == "host":
        return [_mount("/dev/shm", "bind", "/dev/shm", ["rbind", "rprivate", *quiet])]
    size = inputs.host.ShmSize or DEFAULT_SHM
    return [_mount("/dev/shm", "tmpfs", "shm", [*quiet, "mode=1777", f"size={size}"])]


def _tmpfs(inputs: "Inputs") -> list[dict[str, Any]]:
    return [tmpfs(destination, options) for destination, options in (inputs.host.Tmpfs or {}).items()]


def tmpfs(destination: str, options: str) -> dict[str, Any]:
    """One `--tmpfs`: noexec,nosuid,nodev and what the user adds.

    Raises:
        Internal: an option tmpfs does not have, in Docker's words.
    """
    given = [option for option in options.split(",") if option]
    for option in given:
        if option not in _TMPFS_WORDS and option.partition("=")[0] not in _TMPFS_KEYS:
            raise Internal(f'invalid tmpfs option "{option}"')
    chosen = {_family(option): option for option in ["noexec", "nosuid", "nodev", *given]}
    return _mount(destination, "tmpfs", "tmpfs", list(chosen.values()))


def _family(option: str) -> str:
    """Options that exclude each other share a family: the later one counts."""
    word = option.partition("=")[0]
    return {"exec": "noexec", "suid": "nosuid", "dev": "nodev", "ro": "rw"}.get(word, word)


def _mount(destination: str, kind: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": source, "options": options}
