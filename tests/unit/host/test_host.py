"""Probes on made-up hosts, and once on this one."""

import pytest

from dockwright import host
from dockwright.host import cgroup, security, system, warnings
from dockwright.host.files import HostFiles


@pytest.fixture
def made_up(tmp_path):
    def make(files):
        for path, text in files.items():
            target = tmp_path / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        return HostFiles(str(tmp_path))

    return make


def test_os_release_is_unquoted(made_up):
    files = made_up({"/etc/os-release": "# c\nPRETTY_NAME=\"My \\\"OS\\\" 1\"\nVERSION_ID='12'\nID=my\n"})
    assert system.os_release(files) == {"PRETTY_NAME": 'My "OS" 1', "VERSION_ID": "12", "ID": "my"}
    assert system.operating_system(files) == 'My "OS" 1'


def test_inside_a_container_it_says_so(made_up):
    files = made_up({"/usr/lib/os-release": "PRETTY_NAME=X\n", "/proc/1/cgroup": "4:memory:/docker/1\n0::/\n"})
    assert system.operating_system(files) == "X (containerized)"


def test_a_hosts_init_is_in_the_root_cgroup_or_its_scope(made_up):
    files = made_up({"/usr/lib/os-release": "PRETTY_NAME=X\n", "/proc/1/cgroup": "4:memory:/init.scope\n0::/\n"})
    assert system.operating_system(files) == "X"


def test_a_host_without_os_release(made_up):
    assert system.operating_system(made_up({})) == "Linux"


def test_memory(made_up):
    assert system.memory_total(made_up({"/proc/meminfo": "MemFree: 1 kB\nMemTotal:       2048 kB\n"})) == 2048 * 1024
    assert system.memory_total(HostFiles("/nowhere")) == 0


def test_unified_cgroups(made_up):
    facts = cgroup.read(made_up({"/sys/fs/cgroup/cgroup.controllers": "cpu memory pids\n", "/proc/swaps": ""}))
    assert facts == cgroup.CgroupFacts("2", True, True, False, True, True, True, False, True)


def test_legacy_cgroups(made_up):
    files = made_up({"/sys/fs/cgroup/memory/memory.limit_in_bytes": "1", "/sys/fs/cgroup/cpu/cpu.shares": "1"})
    facts = cgroup.read(files)
    assert facts == cgroup.CgroupFacts("1", True, False, False, False, False, True, False, False)


def test_warnings_in_dockerds_words(made_up):
    files = made_up({"/sys/fs/cgroup/cgroup.controllers": "cpu", "/proc/sys/net/ipv4/ip_forward": "0\n"})
    assert warnings.warnings(files, cgroup.read(files)) == [
        "WARNING: No memory limit support",
        "WARNING: No swap limit support",
        "WARNING: No cpuset support",
        "WARNING: IPv4 forwarding is disabled",
        "WARNING: bridge-nf-call-iptables is disabled",
        "WARNING: bridge-nf-call-ip6tables is disabled",
    ]


def test_security_options(made_up):
    files = made_up(
        {
            "/sys/module/apparmor/parameters/enabled": "Y\n",
            "/sys/kernel/security/apparmor": "",
            "/proc/sys/kernel/seccomp/actions_avail": "kill",
            "/proc/self/ns/cgroup": "",
            "/sys/fs/cgroup/cgroup.controllers": "cpu",
        }
    )
    assert security.options(files) == ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"]
    assert not security.selinux(files)


def test_no_security_modules():
    assert security.options(HostFiles("/nowhere")) == []


def test_architectures_by_their_names_in_images():
    assert (system.go_architecture("x86_64"), system.go_architecture("riscv64")) == ("amd64", "riscv64")


def test_this_host():
    facts = host.read()
    assert facts.processors > 0
    assert facts.memory > 1 << 20
    assert facts.cgroup.version in ("1", "2")
    assert facts.kernel
