"""Every flag of dockwrightd that is taken changes something that can be seen; every other one is refused (tests/unit/daemon).

Each setting has its observation here. They share a few daemons, each in a network namespace of its own.
"""

import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dockwright.daemon.settings import CARRIED

ROOT = Path(__file__).parents[3]
CODE = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); from dockwright.daemon.main import main; sys.exit(main())"
SETTING_UP = "ip link set lo up; sysctl -qw net.ipv4.ip_forward=0; exec sleep infinity"  # a host may have it on
BRIDGED = [
    "--group", "nogroup", "--log-level", "warn", "--label", "a=b", "--log-opt", "max-size=1m", "--bip", "10.9.0.1/24",
    "--mtu", "1400", "--ip", "127.0.0.1", "--ip-forward=false", "--ip-masq=false", "--icc=false", "--dns", "192.0.2.53",
    "--dns-opt", "ndots:3", "--dns-search", "example.test", "--host-gateway-ip", "10.9.0.77", "--live-restore=false",
    "--shutdown-timeout", "1", "-H", "tcp://127.0.0.1:23750", "--firewall-backend", "iptables",
    "--fixed-cidr", "10.9.0.128/25", "--default-gateway", "10.9.0.254", "--ipv6", "--bip6", "fd77::1/64",
    "--fixed-cidr-v6", "fd77::8000/113", "--default-gateway-v6", "fd77::99",
    *(() if os.path.exists("/sys/fs/selinux/enforce") else ("--selinux-enabled",)),
]  # fmt: skip
POOLED = [
    "--default-address-pool", "base=10.55.0.0/16,size=24", "--log-driver", "none", "--storage-driver", "vfs", "--debug",
    "--iptables=false", "--default-ulimit", "nofile=77:99", "--default-shm-size", "9m", "--default-ipc-mode", "shareable",
    "--default-cgroupns-mode", "private", "--init", "--no-new-privileges", "--seccomp-profile", "unconfined",
    "--cdi-spec-dir", "/nowhere/cdi", "--cgroup-parent", "/dwf-parent", "--insecure-registry", "registry.test:5000",
    "--registry-mirror", "http://mirror.test", "--http-proxy", "http://me:secret@proxy.test:1", "--https-proxy",
    "http://proxy.test:2", "--no-proxy", "near.test",
    "--published-ports", "localhost", "--default-network-opt", "bridge=com.docker.network.driver.mtu=1234",
    "--default-network-opt", "bridge=com.docker.network.bridge.enable_icc=false",
]  # fmt: skip


class Place:
    """A daemon with flags of its own, in a network namespace of its own."""

    def __init__(self, flags: list[str]) -> None:
        self.root = tempfile.mkdtemp(prefix="dwf", dir="/tmp")
        self.host = f"unix://{self.root}/s"
        self.namespace = subprocess.Popen(["unshare", "-n", "sh", "-c", SETTING_UP])
        while not (self._is_apart() and self.inside("ip", "link", "show", "up", "lo").stdout):
            time.sleep(0.02)
        self.flags = ["-H", self.host, "--data-root", f"{self.root}/d", "--exec-root", f"{self.root}/e", *flags]
        self.flags += ["--pidfile", f"{self.root}/pid"]
        with open(f"{self.root}/log", "wb") as log:
            self.daemon = subprocess.Popen([*self._enter(), sys.executable, "-c", CODE, *self.flags], stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while self.docker("version").returncode:
            assert time.monotonic() < deadline and self.daemon.poll() is None, self.log
            time.sleep(0.05)

    def _is_apart(self) -> bool:
        """Whether the namespace is made: before that the process is in ours, where lo is up too."""
        return not os.path.samefile(f"/proc/{self.namespace.pid}/ns/net", "/proc/self/ns/net")

    def _enter(self) -> list[str]:
        return ["nsenter", f"--net=/proc/{self.namespace.pid}/ns/net"]

    def inside(self, *command: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run([*self._enter(), *command], capture_output=True, timeout=60, check=False)

    def docker(self, *arguments: str, host: str = "") -> "subprocess.CompletedProcess[bytes]":
        return self.inside("docker", "-H", host or self.host, *arguments)

    def run(self, *arguments: str) -> str:
        made = self.docker("run", "--rm", *arguments)
        return made.stdout.decode() + made.stderr.decode()

    def info(self) -> dict:
        return json.loads(self.docker("info", "--format", "{{json .}}").stdout)

    @property
    def log(self) -> str:
        return Path(f"{self.root}/log").read_text()

    def load(self) -> None:
        spec = importlib.util.spec_from_file_location("test_images", ROOT / "tests/images.py")
        images = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(images)
        Path(f"{self.root}/i.tar").write_bytes(images.docker_archive([images.busybox_layer()], ["busybox:latest"]))
        assert self.docker("load", "-q", "-i", f"{self.root}/i.tar").returncode == 0

    def close(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self.daemon.poll() is None:
                self.docker("rm", "-f", *self.docker("ps", "-aq").stdout.decode().split())
                self.daemon.terminate()
                self.daemon.wait(20)
        self.namespace.kill()
        self.namespace.wait()
        find = ["find", "/sys/fs/cgroup", "-type", "d", "-name", "dwf-parent"]  # others' groups vanish while it looks
        for folder in subprocess.run(find, capture_output=True, text=True, check=False).stdout.split():
            os.rmdir(folder)  # parents that a user has named stay, as with Docker
        shutil.rmtree(self.root, ignore_errors=True)


@contextlib.contextmanager
def place(flags: list[str]) -> Iterator[Place]:
    made = Place(flags)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def bridged() -> Iterator[Place]:
    with place(BRIDGED) as made:
        made.load()
        yield made


@pytest.fixture(scope="module")
def pooled() -> Iterator[Place]:
    with place(POOLED) as made:
        made.load()
        yield made


def masquerades(place: Place) -> bool:
    """Whether what leaves the bridge gets the host's address; the rule for containers' own published ports is another."""
    rules = place.inside("iptables-save").stdout.decode().splitlines()
    return any(rule.startswith("-A DOCKWRIGHT-SOURCE") and " -o " not in rule and "MASQUERADE" in rule for rule in rules)


def talks(place: Place) -> bool:
    """Whether one container of the default bridge reaches another."""
    place.docker("run", "-d", "--name", "listens", "busybox", "nc", "-l", "-p", "9", "-e", "echo", "heard")
    address = place.docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "listens").stdout.decode().strip()
    said = place.run("busybox", "nc", "-w", "1", address, "9")
    place.docker("rm", "-f", "listens")
    return "heard" in said


def published(place: Place) -> str:
    place.docker("run", "-d", "--name", "out", "-p", "8080:80", "busybox", "sleep", "100")
    shown = place.docker("port", "out").stdout.decode()
    place.docker("rm", "-f", "out")
    return shown


def host_config(place: Place) -> dict:
    ident = place.docker("create", "busybox").stdout.decode().strip()
    shown = place.docker("inspect", "-f", "{{json .HostConfig}}", ident).stdout
    place.docker("rm", ident)
    return json.loads(shown)


def new_network(place: Place) -> tuple[dict, dict]:
    """The options of a new network, and of one with an MTU of its own; by the last part of their names."""
    found = []
    for more in ([], ["-o", "com.docker.network.driver.mtu=1300"]):
        ident = place.docker("network", "create", *more, "new").stdout.decode().strip()
        options = json.loads(place.docker("network", "inspect", "-f", "{{json .Options}}", ident).stdout)
        place.docker("network", "rm", ident)
        found.append({name.rpartition(".")[2].removeprefix("enable_"): value for name, value in options.items()})
    return found[0], found[1]


def log_config(place: Place) -> dict:
    return host_config(place)["LogConfig"]


SEEN_BRIDGED: dict[str, Callable[[Place], bool]] = {
    "host": lambda p: all(p.docker("version", host=h).returncode == 0 for h in (p.host, "tcp://127.0.0.1:23750")),
    "group": lambda p: Path(f"{p.root}/s").group() == "nogroup",
    "data-root": lambda p: p.info()["DockerRootDir"] == f"{p.root}/d" and os.path.exists(f"{p.root}/d/metadata.db"),
    "exec-root": lambda p: os.path.exists(f"{p.root}/e/boot-id"),
    "pidfile": lambda p: int(Path(f"{p.root}/pid").read_text()) == p.daemon.pid,
    "log-level": lambda p: "level=info" not in p.log,
    "selinux-enabled": lambda p: os.path.exists("/sys/fs/selinux/enforce") or "could not enable SELinux" in p.log,
    "label": lambda p: p.info()["Labels"] == ["a=b"],
    "log-opt": lambda p: log_config(p) == {"Type": "json-file", "Config": {"max-size": "1m"}},
    "bip": lambda p: "10.9.0." in p.run("busybox", "ip", "-o", "-4", "addr", "show", "eth0"),
    "fixed-cidr": lambda p: "inet 10.9.0.12" in p.run("busybox", "ip", "-o", "addr", "show", "eth0"),
    "default-gateway": lambda p: "via 10.9.0.254" in p.run("busybox", "ip", "route"),
    "ipv6": lambda p: p.docker("network", "inspect", "-f", "{{.EnableIPv6}}", "bridge").stdout == b"true\n",
    "bip6": lambda p: b"inet6 fd77::1/64" in p.inside("ip", "-o", "addr", "show", "docker0").stdout,
    "fixed-cidr-v6": lambda p: "inet6 fd77::80" in p.run("busybox", "ip", "-o", "addr", "show", "eth0"),
    "default-gateway-v6": lambda p: "via fd77::99" in p.run("busybox", "ip", "-6", "route"),
    "mtu": lambda p: p.run("busybox", "cat", "/sys/class/net/eth0/mtu").strip() == "1400",
    "ip": lambda p: published(p) == "80/tcp -> 127.0.0.1:8080\n",
    "ip-forward": lambda p: p.inside("cat", "/proc/sys/net/ipv4/ip_forward").stdout == b"0\n",
    "ip-masq": lambda p: not masquerades(p),
    "firewall-backend": lambda p: b"DOCKWRIGHT-FORWARD" in p.inside("iptables-save").stdout,
    "icc": lambda p: not talks(p),
    "dns": lambda p: "nameserver 192.0.2.53" in p.run("busybox", "cat", "/etc/resolv.conf"),
    "dns-opt": lambda p: "options ndots:3" in p.run("busybox", "cat", "/etc/resolv.conf"),
    "dns-search": lambda p: "search example.test" in p.run("busybox", "cat", "/etc/resolv.conf"),
    "host-gateway-ip": lambda p: "10.9.0.77\tgw" in p.run("--add-host", "gw:host-gateway", "busybox", "cat", "/etc/hosts"),
}
def cgroups(place: Place) -> set[str]:
    """Parents of a container's cgroups."""
    ident = place.docker("run", "-d", "busybox", "sleep", "100").stdout.decode().strip()
    pid = place.docker("inspect", "-f", "{{.State.Pid}}", ident).stdout.decode().strip()
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    place.docker("rm", "-f", ident)
    return {line.split(":")[2].removesuffix(f"/{ident}") for line in lines}


SEEN_POOLED: dict[str, Callable[[Place], bool]] = {
    "default-address-pool": lambda p: "10.55.0." in p.run("busybox", "ip", "-o", "-4", "addr", "show", "eth0"),
    "default-network-opt": lambda p: new_network(p) == ({"mtu": "1234", "icc": "false"}, {"mtu": "1300", "icc": "false"}),
    "log-driver": lambda p: log_config(p)["Type"] == "none",
    "storage-driver": lambda p: p.info()["Driver"] == "vfs",
    "debug": lambda p: p.info()["Debug"] is True,
    "cgroup-parent": lambda p: "/dwf-parent" in cgroups(p),
    "iptables": lambda p: p.inside("nft", "list", "ruleset").stdout == b"",
    "published-ports": lambda p: published(p) == "80/tcp -> 127.0.0.1:8080\n80/tcp -> [::1]:8080\n",
    "default-ulimit": lambda p: "99" in p.run("busybox", "sh", "-c", "ulimit -Hn"),
    "default-shm-size": lambda p: f" {9 << 10} " in p.run("busybox", "df", "-k", "/dev/shm"),
    "default-ipc-mode": lambda p: host_config(p)["IpcMode"] == "shareable",
    "default-cgroupns-mode": lambda p: p.run("busybox", "cat", "/proc/self/cgroup").endswith(":/\n"),
    "init": lambda p: p.run("busybox", "cat", "/proc/1/cmdline").startswith("/sbin/docker-init"),
    "no-new-privileges": lambda p: "NoNewPrivs:\t1" in p.run("busybox", "cat", "/proc/self/status"),
    "seccomp-profile": lambda p: "Seccomp:\t0" in p.run("busybox", "cat", "/proc/self/status"),
    "cdi-spec-dir": lambda p: p.info()["CDISpecDirs"] == ["/nowhere/cdi"],
    "insecure-registry": lambda p: "registry.test:5000" in p.info()["RegistryConfig"]["IndexConfigs"],
    "registry-mirror": lambda p: p.info()["RegistryConfig"]["Mirrors"] == ["http://mirror.test/"],
    "http-proxy": lambda p: p.info()["HttpProxy"] == "http://xxxxx:xxxxx@proxy.test:1",
    "https-proxy": lambda p: p.info()["HttpsProxy"] == "http://proxy.test:2",
    "no-proxy": lambda p: p.info()["NoProxy"] == "near.test",
}
ALONE = {
    "userland-proxy", "ip6tables", "exec-opt", "init-path", "feature",
    "live-restore", "shutdown-timeout", "bridge", "log-format", "raw-logs", "metrics-addr", "config-file", "validate",
}  # fmt: skip
ALONE |= {"add-runtime", "default-runtime", "storage-opt"}
ELSEWHERE = {
    "userns-remap": "tests/api/hostconfig/test_remap.py",
    "experimental": "tests/api/containers/test_checkpoints.py",
    "content-retention": "tests/root/images/test_retention.py", "image-policy": "tests/api/images/test_signed.py",
    "token-server": "tests/root/images/test_pull.py",
    "max-concurrent-downloads": "tests/root/images/test_registry_limits.py",
    "max-concurrent-uploads": "tests/root/images/test_registry_limits.py",
    "max-download-attempts": "tests/root/images/test_registry_limits.py",
    "authorization-plugin": "tests/api/daemon/test_authorization.py",
    **dict.fromkeys(("cpu-rt-period", "cpu-rt-runtime"), "tests/api/daemon/test_realtime.py"),
    **dict.fromkeys(("tls", "tlsverify", "tlscacert", "tlscert", "tlskey"), "tests/api/daemon/test_tls.py"),
    "": "tests/unit/daemon/test_config.py",  # proxies, of daemon.json only
}  # fmt: skip


@pytest.mark.parametrize("flag", SEEN_BRIDGED)
def test_seen(bridged: Place, flag: str) -> None:
    assert SEEN_BRIDGED[flag](bridged)


@pytest.mark.parametrize("flag", SEEN_POOLED)
def test_seen_too(pooled: Place, flag: str) -> None:
    assert SEEN_POOLED[flag](pooled)


def test_the_opposite_is_seen_without_the_flags(pooled: Place) -> None:
    assert talks(pooled), "icc"
    assert "level=info" in pooled.log, "log-level"


def test_each_setting_that_is_taken_is_observed() -> None:
    assert {*SEEN_BRIDGED, *SEEN_POOLED, *ALONE, *ELSEWHERE} == {setting.flag for setting in CARRIED}
    assert all((ROOT / file).exists() for file in ELSEWHERE.values())


@pytest.mark.skipif(os.path.isdir("/run/systemd/system"), reason="systemd runs this host, where this is taken")
def test_the_systemd_driver_needs_systemd() -> None:
    """Its effect is seen by tests/root/systemd."""
    command = [sys.executable, "-c", CODE, "--validate", "--exec-opt"]
    refused = subprocess.run([*command, "native.cgroupdriver=systemd"], capture_output=True, text=True, check=False)
    text = "native.cgroupdriver option systemd not supported: systemd does not run this host\n"
    assert (refused.returncode, refused.stderr) == (1, text)


def test_bridge_none_makes_no_default_network() -> None:
    with place(["--bridge", "none"]) as made:
        names = made.docker("network", "ls", "--format", "{{.Name}}").stdout.split()
        assert names == [b"host", b"none"] and b"docker0" not in made.inside("ip", "-o", "link").stdout


SAYS_X = "while true; do nc -l -p 80 -e echo x; done"


def test_ipv6_of_the_default_bridge_with_and_without_rules() -> None:
    """Without a subnet named it is one of the engine's own prefix; --ip6tables=false writes no rules for it."""
    for flags, ruled in (["--ipv6"], True), (["--ipv6", "--ip6tables=false"], False):
        with place(flags) as made:
            made.load()
            subnets = made.docker("network", "inspect", "-f", "{{range .IPAM.Config}}{{.Subnet}} {{end}}", "bridge").stdout
            assert re.fullmatch(rb"172\.17\.0\.0/16 fd[0-9a-f:]+::/64 \n", subnets)
            made.docker("run", "-d", "--name", "web", "-p", "8080:80", "busybox", "sh", "-c", SAYS_X)
            assert (b"table ip6 dockwright" in made.inside("nft", "list", "ruleset").stdout) is ruled
            six = made.docker("inspect", "-f", "{{.NetworkSettings.GlobalIPv6Address}}", "web").stdout.decode().strip()
            assert f"{six}\t" in made.docker("exec", "web", "cat", "/etc/hosts").stdout.decode()
            deadline = time.monotonic() + 30
            while made.inside("busybox", "nc", "-w", "5", "::1", "8080").stdout != b"x\n":
                assert time.monotonic() < deadline


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--bip=10.9.0.1/24", "--default-gateway=10.8.0.1"], "auxiliary address: "
         "(DefaultGatewayIPv4:10.8.0.1) must belong to the master pool: 10.9.0.0/24"),
        (["--bip=10.9.0.1/24", "--fixed-cidr=10.8.0.0/24"], "parent subnet 10.9.0.0/24 doesn't contain ip-range"),
        (["--default-gateway-v6=fd78::1"], "default-gateway-v6 needs ipv6"),
        (["--ipv6", "--fixed-cidr-v6=fd77::/64", "--default-gateway-v6=fd78::1"], "auxiliary address: "
         "(DefaultGatewayIPv6:fd78::1) must belong to the master pool: fd77::/64"),
    ],
)  # fmt: skip
def test_addresses_the_default_bridge_cannot_have(tmp_path: Path, flags: list[str], text: str) -> None:
    roots = [f"--{name}={tmp_path}/{name}" for name in ("data-root", "exec-root", "pidfile")]
    script = 'ip link set lo up; "$@"; ip -o link'
    command = ["unshare", "-n", "sh", "-c", script, "sh", sys.executable, "-c", CODE, "--config-file=/dev/null"]
    told = subprocess.run([*command, *roots, *flags, "-H", f"unix://{tmp_path}/s"], capture_output=True, text=True, check=False)
    assert text in told.stderr and "docker0" not in told.stdout


def test_an_init_program_of_ones_own() -> None:
    with place(["--bridge", "none", "--init-path", "/bin/busybox"]) as made:
        made.load()
        said = made.docker("run", "--rm", "--network", "none", "--init", "busybox", "true")
        assert made.info()["InitBinary"] == "/bin/busybox"
        assert said.returncode == 127 and b"docker-init: applet not found" in said.stderr


def test_described_devices_can_be_switched_off() -> None:
    with place(["--bridge", "none", "--feature", "cdi=false"]) as made:
        made.load()
        said = made.docker("run", "--rm", "--network", "none", "--device", "vendor.com/null=x", "busybox")
        assert b'could not select device driver "cdi" with capabilities: []' in said.stderr
        assert made.info()["CDISpecDirs"] == []


def test_runtimes_are_shown_and_taken() -> None:
    with place(["--bridge", "none", "--add-runtime", "other=/nowhere", "--default-runtime", "other"]) as made:
        made.load()
        assert made.info()["Runtimes"]["other"] == {"path": "/nowhere"}
        assert made.info()["DefaultRuntime"] == "other"
        assert b"fork/exec /nowhere" in made.docker("run", "--rm", "--network", "none", "busybox").stderr
        assert made.docker("run", "--rm", "--network", "none", "--runtime", "runc", "busybox", "true").returncode == 0


def test_an_option_of_the_storage_driver(tmp_path: Path) -> None:
    roots = [f"--{name}={tmp_path}/{name}" for name in ("data-root", "exec-root", "pidfile")]
    wanted = ["--storage-driver=overlay2", "--storage-opt=overlay2.foo=1", "--config-file=/dev/null"]
    told = subprocess.run(["unshare", "-n", sys.executable, "-c", CODE, *wanted, *roots], capture_output=True, check=False)
    assert told.returncode == 1
    assert b"error initializing graphdriver: overlay2: unknown option overlay2.foo" in told.stderr


def test_a_seccomp_profile_that_is_not_there(tmp_path: Path) -> None:
    roots = [f"--{name}={tmp_path}/{name}" for name in ("data-root", "exec-root", "pidfile")]
    command = [sys.executable, "-c", CODE, "--seccomp-profile=/nowhere", "--config-file=/dev/null", *roots]
    told = subprocess.run(command, capture_output=True, check=False)
    assert told.returncode == 1 and b"opening seccomp profile (/nowhere) failed: open /nowhere: no such file" in told.stderr


def told(tmp_path: Path, *flags: str) -> str:
    """The first line of a daemon that ends at once, as a terminal gets it."""
    roots = [f"--{name}={tmp_path}/{name}" for name in ("data-root", "exec-root", "pidfile")]
    ends = ["--seccomp-profile=/nowhere", "--config-file=/dev/null"]
    command = [sys.executable, "-c", CODE, *ends, *roots, *flags]
    ours, its = os.openpty()
    subprocess.run(command, stdout=its, stderr=its, check=False, timeout=60)
    os.close(its)
    with open(ours, "rb", buffering=0) as terminal:
        return terminal.read(1 << 16).decode().splitlines()[-1]


def test_the_forms_of_the_log(tmp_path: Path) -> None:
    what = "failed to start daemon: opening seccomp profile (/nowhere) failed: open /nowhere: no such file or directory"
    assert re.fullmatch(rf"\x1b\[31mFATA\x1b\[0m\[2.*Z\] {re.escape(what)} ", told(tmp_path))
    assert re.fullmatch(rf'time="2.*Z" level=fatal msg="{re.escape(what)}"', told(tmp_path, "--raw-logs"))
    document = json.loads(told(tmp_path, "--log-format=json"))
    assert document.pop("time").endswith("Z") and document == {"level": "fatal", "msg": what}


def numbers(place: Place) -> dict[str, float]:
    """What /metrics says, by name and labels."""
    text = place.inside("curl", "-sf", "http://127.0.0.1:9323/metrics").stdout.decode()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in text.splitlines() if line[0] != "#")}


def test_the_engines_numbers() -> None:
    checks, failed = "engine_daemon_health_checks_total", "engine_daemon_health_checks_failed_total"
    with place(["--bridge", "none", "--metrics-addr", "127.0.0.1:9323"]) as made:
        made.load()
        before = numbers(made)
        assert before['engine_daemon_container_states_containers{state="running"}'] == 0
        assert before["builder_builds_triggered_total"] == 0
        assert before["engine_daemon_engine_cpus_cpus"] == made.info()["NCPU"]
        assert next(name for name in before if "engine_info" in name).count(made.info()["ID"]) == 1
        assert made.docker("run", "--rm", "--network", "none", "busybox", "true").returncode == 0
        checked = ("--health-cmd", "false", "--health-interval", "10ms")
        made.docker("run", "-d", "--network", "none", *checked, "busybox", "sleep", "100")
        deadline = time.monotonic() + 30
        while (seen := numbers(made))[checks] == 0:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        action = 'engine_daemon_container_actions_seconds_{}{{action="{}"}}'.format
        counts = [seen[action("count", name)] for name in ("create", "start", "delete", "commit", "changes")]
        assert counts == [2, 2, 1, 0, 0] and seen[action("sum", "start")] > 0
        assert seen['engine_daemon_container_actions_seconds_bucket{action="start",le="+Inf"}'] == 2
        assert seen['engine_daemon_network_actions_seconds_count{action="allocate"}'] == 2
        assert seen['engine_daemon_container_states_containers{state="running"}'] == 1
        assert seen["engine_daemon_events_total"] > before["engine_daemon_events_total"] and seen[failed] == 0
        assert made.inside("curl", "-s", "http://127.0.0.1:9323/").stdout == b"404 page not found\n"


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("foo", "error parsing tcp address: address foo: missing port in address"),
        ("127.0.0.1:99999", "listen tcp: address 99999: invalid port"),
    ],
)
def test_no_place_for_the_numbers(tmp_path: Path, address: str, text: str) -> None:
    roots = [f"--{name}={tmp_path}/{name}" for name in ("data-root", "exec-root", "pidfile")]
    flags = ["--config-file=/dev/null", "--bridge=none", f"--metrics-addr={address}", "-H", f"unix://{tmp_path}/s"]
    command = ["unshare", "-n", sys.executable, "-c", CODE, *roots, *flags]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 1 and f"failed to start metrics server: {text}" in told.stderr


def test_validate_and_config_file(tmp_path: Path) -> None:
    file = tmp_path / "daemon.json"
    file.write_text('{"labels": ["from=file"]}')
    command = [sys.executable, "-c", CODE, "--validate", f"--config-file={file}", f"--data-root={tmp_path}/d"]
    checked = subprocess.run(command, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, b"configuration OK\n") and not (tmp_path / "d").exists()
    file.write_text('{"labels": ["from"]}')
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


def test_sighup_reads_the_file_again(tmp_path: Path) -> None:
    file = tmp_path / "daemon.json"
    file.write_text('{"labels": ["from=file"]}')
    with place(["--config-file", str(file)]) as made:
        assert made.info()["Labels"] == ["from=file"]
        file.write_text('{"labels": ["from=reload"], "debug": true}')
        made.daemon.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 5
        while made.info()["Labels"] != ["from=reload"]:
            assert time.monotonic() < deadline, made.log
            time.sleep(0.05)
        assert made.info()["Debug"] is True
        # what is about registries holds for the next pull: nobody is at that address, with TLS or without
        assert b'Get "http://127.1.1.1:9/v2/"' in made.docker("pull", "127.1.1.1:9/a").stderr
        assert b'Get "https://192.0.2.1:9/v2/"' in made.docker("pull", "192.0.2.1:9/a").stderr
        file.write_text('{"labels": ["from=reload"], "debug": true, "insecure-registries": ["192.0.2.0/24"]}')
        made.daemon.send_signal(signal.SIGHUP)
        while b'Get "http://192.0.2.1:9/v2/"' not in made.docker("pull", "192.0.2.1:9/a").stderr:
            assert time.monotonic() < deadline + 5, made.log
        time.sleep(1)  # docker events takes whole seconds
        told = made.docker("events", "--since", "1m", "--until", "0s", "--filter", "type=daemon", "--format", "{{.Action}}")
        assert told.stdout == b"reload\nreload\n"
        file.write_text("{")
        made.daemon.send_signal(signal.SIGHUP)
        while "not reloaded" not in made.log:
            assert time.monotonic() < deadline + 5
            time.sleep(0.05)
        assert made.info()["Labels"] == ["from=reload"]


def test_one_daemon_for_a_data_root() -> None:
    with place([]) as made:
        flags = ["-H", f"unix://{made.root}/other", "--data-root", f"{made.root}/d", "--exec-root", f"{made.root}/e"]
        command = [sys.executable, "-c", CODE, *flags, "--pidfile", f"{made.root}/other-pid"]
        second = subprocess.run(command, capture_output=True, check=False, timeout=30)
        assert second.returncode == 1 and f"process with PID {made.daemon.pid}" in second.stderr.decode()
        assert made.docker("version").returncode == 0


def test_without_live_restore_the_end_stops_containers_within_the_time() -> None:
    with place(["--live-restore=false", "--shutdown-timeout", "1", "--bridge", "none"]) as made:
        made.load()
        deaf = ["sh", "-c", 'trap "" TERM; while :; do sleep 0.05; done']
        assert made.docker("run", "-d", "--network", "none", "--name", "deaf", "busybox", *deaf).returncode == 0
        pid = int(made.docker("inspect", "-f", "{{.State.Pid}}", "deaf").stdout)
        began = time.monotonic()
        made.daemon.terminate()
        made.daemon.wait(20)
        assert 0.8 < time.monotonic() - began < 8, "its own stop timeout would be 10 s"
        assert not os.path.exists(f"/proc/{pid}")
