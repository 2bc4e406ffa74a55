"""Who this host is: operating system, kernel, processors, memory.

Sources: os-release(5), proc_meminfo(5), uname(2), sched_getaffinity(2).
"""

import os

from dockwright.host.files import HostFiles

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def os_release(files: HostFiles) -> dict[str, str]:
    """The keys of os-release(5), unquoted; /etc comes before /usr/lib."""
    text = files.text("/etc/os-release") or files.text("/usr/lib/os-release")
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): _unquoted(value.strip()) for key, _, value in pairs}


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    for escaped in '\\"$`':
        value = value.replace("\\" + escaped, escaped)
    return value


def operating_system(files: HostFiles) -> str:
    """The host's pretty name, as `Operating System` of info; inside a container that is said."""
    name = os_release(files).get("PRETTY_NAME", "Linux")
    return f"{name} (containerized)" if _containerized(files) else name


def _containerized(files: HostFiles) -> bool:
    """Whether process 1 is in a cgroup other than a host's init is in: see cgroups(7), /proc/pid/cgroup."""
    places = [line.rpartition(":")[2] for line in files.text("/proc/1/cgroup").splitlines()]
    return any(place not in ("/", "/init.scope") for place in places)


def memory_total(files: HostFiles) -> int:
    """Physical memory in bytes, 0 if it cannot be read."""
    for line in files.text("/proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        if name == "MemTotal":
            return int(value.split()[0]) * 1024
    return 0


def processors() -> int:
    """The processors this process may run on."""
    return len(os.sched_getaffinity(0))


def go_architecture(machine: str) -> str:
    """`machine` of uname(2) in the names images use."""
    return ARCHITECTURES.get(machine, machine)
