"""All facts about the host, read in one go."""

import os
from dataclasses import dataclass

from dockwright.host import cgroup, security, system
from dockwright.host import warnings as host_warnings
from dockwright.host.cgroup import CgroupFacts
from dockwright.host.files import HostFiles


@dataclass(frozen=True)
class HostFacts:
    """What info says about the host.

    Attributes:
        machine: of uname(2); architecture: the same in images' names. memory: bytes.
    """

    name: str
    kernel: str
    machine: str
    architecture: str
    operating_system: str
    os_version: str
    processors: int
    memory: int
    cgroup: CgroupFacts
    security_options: list[str]
    ipv4_forwarding: bool
    bridge_nf_iptables: bool
    bridge_nf_ip6tables: bool
    warnings: list[str]


def read(files: HostFiles | None = None) -> HostFacts:
    """Probe the host; takes about a millisecond and changes nothing."""
    files = files or HostFiles()
    uname = os.uname()
    cgroups = cgroup.read(files)
    return HostFacts(
        name=uname.nodename,
        kernel=uname.release,
        machine=uname.machine,
        architecture=system.go_architecture(uname.machine),
        operating_system=system.operating_system(files),
        os_version=system.os_release(files).get("VERSION_ID", ""),
        processors=system.processors(),
        memory=system.memory_total(files),
        cgroup=cgroups,
        security_options=security.options(files),
        ipv4_forwarding=host_warnings.ipv4_forwarding(files),
        bridge_nf_iptables=host_warnings.bridge_nf(files, "iptables"),
        bridge_nf_ip6tables=host_warnings.bridge_nf(files, "ip6tables"),
        warnings=host_warnings.warnings(files, cgroups),
    )
