"""What info warns about: limits that this host cannot set, and packets that it will not forward."""

from dockwright.host.cgroup import CgroupFacts
from dockwright.host.files import HostFiles


def warnings(files: HostFiles, cgroup: CgroupFacts) -> list[str]:
    """The warnings in dockerd's words and order."""
    missing = [
        (cgroup.memory_limit, "No memory limit support"),
        (cgroup.swap_limit, "No swap limit support"),
        (cgroup.oom_kill_disable or cgroup.version == "2", "No oom kill disable support"),
        (cgroup.cpu_cfs_quota, "No cpu cfs quota support"),
        (cgroup.cpu_cfs_period, "No cpu cfs period support"),
        (cgroup.cpu_shares, "No cpu shares support"),
        (cgroup.cpuset, "No cpuset support"),
        (ipv4_forwarding(files), "IPv4 forwarding is disabled"),
        (bridge_nf(files, "iptables"), "bridge-nf-call-iptables is disabled"),
        (bridge_nf(files, "ip6tables"), "bridge-nf-call-ip6tables is disabled"),
    ]
    return [f"WARNING: {text}" for there, text in missing if not there]


def ipv4_forwarding(files: HostFiles) -> bool:
    """Whether the host forwards packets between interfaces (net.ipv4.ip_forward)."""
    return files.text("/proc/sys/net/ipv4/ip_forward") == "1"


def bridge_nf(files: HostFiles, table: str) -> bool:
    """Whether bridged packets pass `table` (net.bridge.bridge-nf-call-*)."""
    return files.text(f"/proc/sys/net/bridge/bridge-nf-call-{table}") == "1"
