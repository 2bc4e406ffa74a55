"""Which security modules confine containers here, in the form of info's SecurityOptions."""

from dockwright.host.files import HostFiles


def apparmor(files: HostFiles) -> bool:
    """Whether AppArmor is enabled and its interface is there."""
    enabled = files.text("/sys/module/apparmor/parameters/enabled").startswith("Y")
    return enabled and files.exists("/sys/kernel/security/apparmor")


def selinux(files: HostFiles) -> bool:
    """Whether SELinux is loaded."""
    return files.exists("/sys/fs/selinux/enforce")


def seccomp(files: HostFiles) -> bool:
    """Whether the kernel filters system calls."""
    return files.exists("/proc/sys/kernel/seccomp/actions_avail")


def options(files: HostFiles) -> list[str]:
    """What confines containers on this host: `name=apparmor`, `name=seccomp,profile=builtin`, `name=cgroupns`.

    The last is said where a container's cgroup namespace is private by default: on cgroup v2.
    """
    found = []
    if apparmor(files):
        found.append("name=apparmor")
    if seccomp(files):
        found.append("name=seccomp,profile=builtin")
    if files.exists("/proc/self/ns/cgroup") and files.exists("/sys/fs/cgroup/cgroup.controllers"):
        found.append("name=cgroupns")
    return found
