"""The daemon's configuration: every flag and key, conflicts, unknown keys, defaults."""

import json

import pytest

from dockwright.base.errors import InvalidParameter
from dockwright.daemon import config as module
from dockwright.daemon import subids, usage
from dockwright.daemon.config import Config, load, reload
from dockwright.daemon.settings import CARRIED, FLAG, LIST, MAP, NUMBER, REFUSED, SETTINGS


@pytest.fixture(autouse=True)
def no_default_file(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CONFIG_FILE", str(tmp_path / "absent.json"))
    (tmp_path / "ids").write_text("nobody:100000:65536\nnogroup:100000:65536\n")
    for name in ("SUBUID", "SUBGID"):
        monkeypatch.setattr(subids, name, str(tmp_path / "ids"))


VALUES = {
    "insecure-registry": ("r:5000", ["r:5000"]),
    "registry-mirror": ("http://m", ["http://m"]),
    "token-server": ("r:5000=auth:5001", ["r:5000=auth:5001"]),
    "max-concurrent-downloads": ("7", 7),
    "max-concurrent-uploads": ("7", 7),
    "max-download-attempts": ("7", 7),
    "http-proxy": ("http://p:1", "http://p:1"),
    "https-proxy": ("http://p:1", "http://p:1"),
    "no-proxy": ("x.org", "x.org"),
    "proxies": ("", {"http-proxy": "http://p:1"}),
    "host": ("tcp://127.0.0.1:2375", ["tcp://127.0.0.1:2375"]),
    "group": ("wheel", "wheel"),
    "data-root": ("/d", "/d"),
    "exec-root": ("/e", "/e"),
    "pidfile": ("/p", "/p"),
    "log-level": ("debug", "debug"),
    "debug": ("true", True),
    "experimental": ("true", True),
    "validate": ("true", True),
    "storage-driver": ("vfs", "vfs"),
    "content-retention": ("unpacked-only", "unpacked-only"),
    "add-runtime": ("crun=/usr/bin/crun", {"crun": "/usr/bin/crun"}),
    "userns-remap": ("nobody:nogroup", "nobody:nogroup"),
    "default-runtime": ("io.containerd.crun.v2", "io.containerd.crun.v2"),
    "storage-opt": ("size=1G", ["size=1G"]),
    "bridge": ("br9", "br9"),
    "bip": ("10.9.0.1/24", "10.9.0.1/24"),
    "fixed-cidr": ("10.9.0.128/25", "10.9.0.128/25"),
    "default-gateway": ("10.9.0.254", "10.9.0.254"),
    "ipv6": ("true", True),
    "bip6": ("fd77::1/64", "fd77::1/64"),
    "fixed-cidr-v6": ("fd77::/80", "fd77::/80"),
    "default-gateway-v6": ("fd77::99", "fd77::99"),
    "default-network-opt": ("bridge=a=b=c", {"bridge": {"a": "b=c"}}),
    "ip6tables": ("false", False),
    "mtu": ("1400", 1400),
    "default-address-pool": ("base=10.0.0.0/8,size=24", ["base=10.0.0.0/8,size=24"]),
    "ip": ("127.0.0.1", "127.0.0.1"),
    "ip-forward": ("false", False),
    "ip-masq": ("false", False),
    "icc": ("false", False),
    "iptables": ("false", False),
    "firewall-backend": ("iptables", "iptables"),
    "published-ports": ("localhost", "localhost"),
    "userland-proxy": ("false", False),
    "host-gateway-ip": ("10.0.0.1", "10.0.0.1"),
    "dns": ("1.1.1.1", ["1.1.1.1"]),
    "dns-opt": ("ndots:1", ["ndots:1"]),
    "dns-search": ("example.org", ["example.org"]),
    "label": ("a=b", ["a=b"]),
    "log-driver": ("none", "none"),
    "log-opt": ("max-size=1m", {"max-size": "1m"}),
    "cgroup-parent": ("/x", "/x"),
    "exec-opt": ("native.cgroupdriver=cgroupfs", ["native.cgroupdriver=cgroupfs"]),
    "live-restore": ("false", False),
    "shutdown-timeout": ("3", 3),
    "default-ulimit": ("nofile=1:2", ["nofile=1:2"]),
    "default-shm-size": ("32m", "32m"),
    "default-ipc-mode": ("shareable", "shareable"),
    "default-cgroupns-mode": ("host", "host"),
    "init": ("true", True),
    "init-path": ("/sbin/tini", "/sbin/tini"),
    "no-new-privileges": ("true", True),
    "seccomp-profile": ("unconfined", "unconfined"),
    "image-policy": ("/policy", "/policy"),
    "cdi-spec-dir": ("/cdi", ["/cdi"]),
    "log-format": ("json", "json"),
    "raw-logs": ("true", True),
    "cpu-rt-period": ("1000", 1000),
    "cpu-rt-runtime": ("500", 500),
    "selinux-enabled": ("true", True),
    "authorization-plugin": ("p", ["p"]),
    "metrics-addr": ("127.0.0.1:9323", "127.0.0.1:9323"),
    "tls": ("false", False),
    "tlscacert": ("/ca", "/ca"),
    "tlscert": ("/cert", "/cert"),
    "tlskey": ("/key", "/key"),
    "feature": ("cdi=false", {"cdi": False}),
}
ELSEWHERE = ("config-file", "", "tlsverify")  # tlsverify needs certificates: test_tls.py


@pytest.mark.parametrize("setting", [s for s in CARRIED if s.flag not in ELSEWHERE], ids=lambda s: s.flag)
def test_each_carried_flag_arrives(setting):
    given, expected = VALUES[setting.flag]
    config = load([f"--{setting.flag}={given}"])
    assert getattr(config, setting.attribute) == expected
    assert getattr(Config(), setting.attribute) != expected


@pytest.mark.parametrize("setting", [s for s in CARRIED if s.key and s.flag != "tlsverify"], ids=lambda s: s.key)
def test_each_carried_key_arrives(setting, tmp_path):
    _, value = VALUES[setting.flag or setting.key]
    written = {
        "default-address-pools": [{"base": "10.0.0.0/8", "size": 24}],
        "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1, "Hard": 2}},
        "runtimes": {"crun": {"path": "/usr/bin/crun"}},
    }.get(setting.key, value)
    expected = written if setting.key == "runtimes" else value
    assert getattr(from_file(tmp_path, {setting.key: written}), setting.attribute) == expected


def from_file(tmp_path, keys, *flags):
    path = tmp_path / "daemon.json"
    path.write_text(keys if isinstance(keys, str) else json.dumps(keys))
    return load([f"--config-file={path}", *flags])


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--exec-opt=native.cgroupdriver=other", "native.cgroupdriver option other not supported"),
        ("--log-format=xml", "invalid log format: xml"),
        ("--exec-opt=unknown=1", "exec-opt unknown=1 is not implemented"),
        ("--exec-opt=native.cgroupdriver=systemd", "systemd does not run this host"),
    ],
)
def test_execution_options_that_cannot_be(flag, said, monkeypatch):
    monkeypatch.setattr(module.systemd, "booted", lambda: False)
    with pytest.raises(InvalidParameter, match=said):
        load([flag])


def test_a_parent_must_be_a_slice_for_the_systemd_driver(monkeypatch):
    monkeypatch.setattr(module.systemd, "booted", lambda: True)
    flags = ["--exec-opt=native.cgroupdriver=systemd", "--cgroup-parent=a.slice"]
    assert load(flags).cgroup_driver == "systemd"
    with pytest.raises(InvalidParameter, match="should be a valid slice"):
        load([*flags[:1], "--cgroup-parent=/x"])


def sample(setting):
    return {FLAG: "true", NUMBER: "7", LIST: "x", MAP: "a=b"}.get(setting.kind, "x")


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--default-gateway=foo"], 'failed to parse IP: "foo"'),
        (["--fixed-cidr-v6=foo"], "invalid fixed-cidr-v6: invalid CIDR address: foo"),
        (["--fixed-cidr-v6=10.0.0.0/24"], "invalid fixed-cidr-v6: fixed-cidr-v6 is not an IPv6 subnet"),
        (["--fixed-cidr=10.0.0.0"], "invalid fixed-cidr: invalid CIDR address: 10.0.0.0"),
        (["--bip6=10.0.0.1/24", "--ipv6"], "invalid CIDR address: 10.0.0.1/24"),
        (["--userland-proxy-path=/p"], "userland-proxy-path /p: such a program does not exist here"),
        (["--default-network-opt=bridge=foo"], 'invalid value "bridge=foo" for map option, should be root-key=key=value'),
    ],
)
def test_networks_that_cannot_be(flags, text):
    with pytest.raises(InvalidParameter) as error:
        load(flags)
    assert text in error.value.message


@pytest.mark.parametrize("setting", [s for s in REFUSED if s.flag], ids=lambda s: s.flag)
def test_each_other_flag_is_refused(setting):
    with pytest.raises(InvalidParameter, match=r"is not implemented yet|does not exist|have been removed"):
        load([f"--{setting.flag}={sample(setting)}"])


@pytest.mark.parametrize("setting", [s for s in REFUSED if s.key], ids=lambda s: s.key)
def test_each_other_key_is_refused(setting, tmp_path):
    value = {FLAG: True, NUMBER: 7, LIST: ["x"], MAP: {"a": "b"}}.get(setting.kind, "x")
    with pytest.raises(InvalidParameter, match=r"is not implemented yet|does not exist|have been removed"):
        from_file(tmp_path, {setting.key: value})


@pytest.mark.parametrize("setting", [s for s in REFUSED if s.harmless], ids=lambda s: s.flag)
def test_values_that_change_nothing_are_taken(setting, tmp_path):
    assert from_file(tmp_path, {setting.key: setting.harmless[0]} if setting.key else {}).debug is False


def test_every_attribute_has_its_flag():
    assert {setting.attribute for setting in CARRIED} == set(module.fields())
    assert len({setting.flag for setting in SETTINGS if setting.flag}) == len([s for s in SETTINGS if s.flag])


def test_conflict_between_flag_and_file(tmp_path):
    with pytest.raises(InvalidParameter) as error:
        from_file(tmp_path, {"hosts": ["unix:///a"], "debug": True}, "-H", "unix:///b", "-D")
    assert error.value.message == (
        f"unable to configure the Docker daemon with file {tmp_path}/daemon.json: "
        "the following directives are specified both as a flag and in the configuration file: "
        "hosts: (from flag: [unix:///b], from file: [unix:///a]), "
        "debug: (from flag: true, from file: true)"
    )


def test_unknown_keys(tmp_path):
    with pytest.raises(InvalidParameter) as error:
        from_file(tmp_path, {"nonsense": 1})
    assert error.value.message == (
        f"unable to configure the Docker daemon with file {tmp_path}/daemon.json: "
        "the following directives don't match any configuration option: nonsense"
    )


@pytest.mark.parametrize("text", ["{", "[]", "5", '{"debug":"yes"}', '{"mtu":true}', '{"hosts":"x"}', '{"hosts":[1]}'])
def test_bad_files(tmp_path, text):
    with pytest.raises(InvalidParameter, match="unable to configure the Docker daemon with file"):
        from_file(tmp_path, text)


def test_a_named_file_must_exist(tmp_path):
    with pytest.raises(InvalidParameter, match=r"open /nope\.json: no such file or directory"):
        load(["--config-file", "/nope.json"])


def test_an_empty_file_is_fine(tmp_path):
    assert from_file(tmp_path, "").hosts == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nope"], "unknown flag: --nope"),
        (["-x"], "unknown shorthand flag: 'x' in -x"),
        (["--host"], "flag needs an argument: --host"),
        (["-H"], "flag needs an argument: 'H' in -H"),
        (["word"], '"dockwrightd" accepts no argument(s).'),
        (["--debug=maybe"], 'invalid argument "maybe" for "-D, --debug" flag: strconv.ParseBool: parsing "maybe": invalid'),
        (["--mtu=x"], 'invalid argument "x" for "--mtu" flag: strconv.ParseInt: parsing "x": invalid syntax'),
        (["--add-runtime=crun"], 'invalid argument "crun" for "--add-runtime" flag'),
        (["--log-level=loud"], "invalid logging level: loud"),
        (["--storage-opt=foo"], "error initializing graphdriver: Unable to parse key/value option: foo"),
        (["-H", "ftp://x"], 'invalid bind address (ftp://x): unsupported proto'),
        (["-H", "tcp://x:99999"], "invalid bind address (tcp://x:99999): invalid port: 99999"),
        (["--bip=10.0.0.1"], "invalid CIDR address: 10.0.0.1"),
        (["--bip=10.0.0.1/24", "-b", "br0"], "You specified -b & --bip, mutually exclusive options"),
        (["--dns=x"], "invalid IP address: x"),
        (["--default-runtime=kata"], "specified default runtime 'kata' does not exist"),
        (["--add-runtime=runc=/x"], "runtime name 'runc' is reserved"),
        (["--label=a=1", "--label=a=2"], "conflict labels for a=2 and a=1"),
        (["--dns-search=a b"], "a b is not a valid domain"),
        (["--ip=x"], 'failed to parse IP: "x"'),
        (["--label=x"], "bad attribute format: x"),
        (["--default-address-pool=base=x"], "invalid default address pool"),
        (["--data-root=rel"], "data-root must be an absolute path: rel"),
    ],
)
def test_bad_flags(arguments, message):
    with pytest.raises(InvalidParameter) as error:
        load(arguments)
    assert error.value.message.startswith(message)


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("unix:///x", "unix:///x"),
        ("/x", "unix:///x"),
        ("fd://", "fd://"),
        ("tcp://:2375", "tcp://localhost:2375"),
        ("127.0.0.1:80", "tcp://127.0.0.1:80"),
        ("tcp://[::1]:80", "tcp://[::1]:80"),
    ],
)
def test_hosts_are_completed(given, full):
    assert load(["-H", given]).hosts == [full]


def test_short_flags_bundle():
    config = load(["-DH=unix:///a", "-Hunix:///b", "-lerror", "-G", "adm"])
    assert config.debug
    assert config.hosts == ["unix:///a", "unix:///b"]
    assert (config.log_level, config.group, config.level) == ("error", "adm", "debug")


def test_reload_takes_over_what_may_change(tmp_path):
    running = from_file(tmp_path, {"debug": False, "labels": ["a=b"]})
    (tmp_path / "daemon.json").write_text('{"debug": true, "labels": ["a=c"], "data-root": "/other"}')
    assert reload(running, [f"--config-file={tmp_path}/daemon.json"]) == ["debug", "labels"]
    assert running.labels == ["a=c"]
    assert running.data_root == Config().data_root


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"registry-mirrors": ["ftp://m"]}, 'invalid mirror: unsupported scheme "ftp" in "ftp://m"'),
        ({"insecure-registries": ["r.org/path"]}, 'insecure registry r.org/path is not valid: invalid host "r.org"'),
        ({"token-servers": ["https://a"]}, "invalid token server 'https://a': REGISTRY[:PORT]=HOST[:PORT] expected"),
        ({"max-concurrent-downloads": 0}, "invalid max concurrent downloads: 0"),
        ({"max-download-attempts": -1}, "invalid max download attempts: -1"),
        ({"proxies": {"ftp-proxy": "x"}}, "the following directives don't match any configuration option: ftp-proxy"),
    ],
)
def test_settings_about_registries_that_cannot_be(tmp_path, keys, text):
    with pytest.raises(InvalidParameter) as error:
        from_file(tmp_path, keys)
    assert text in error.value.message


def test_a_proxy_is_given_once(tmp_path):
    with pytest.raises(InvalidParameter, match="specified both as a flag and in the configuration file: http-proxy"):
        from_file(tmp_path, {"proxies": {"http-proxy": "http://a"}}, "--http-proxy=http://b")


def test_a_bad_file_at_reload_changes_nothing(tmp_path):
    running = from_file(tmp_path, {"debug": False})
    (tmp_path / "daemon.json").write_text("{")
    with pytest.raises(InvalidParameter):
        reload(running, [f"--config-file={tmp_path}/daemon.json"])
    assert running.debug is False


def test_flag_errors_say_where_to_read_on():
    with pytest.raises(InvalidParameter, match=r"unknown flag: --nope\nSee 'dockwrightd --help'\."):
        load(["--nope"])


def test_errors_of_a_merged_configuration_name_the_file(tmp_path):
    with pytest.raises(InvalidParameter) as error:
        from_file(tmp_path, {"log-level": "loud"})
    text = f"unable to configure the Docker daemon with file {tmp_path}/daemon.json: {module.MERGED}: "
    assert error.value.message == text + "invalid logging level: loud"


def test_help_has_each_setting_that_is_carried():
    assert set(usage.HELP) == {setting.flag for setting in CARRIED if setting.flag}
    lines = usage.text().splitlines()
    assert "  -H, --host list" in {line[:17] for line in lines} and "Usage:  dockwrightd [OPTIONS]" in lines


def test_a_log_driver_that_is_not_there() -> None:
    with pytest.raises(InvalidParameter, match='logger: no log driver named "nosuch" is registered'):
        load(["--log-driver", "nosuch"])


def test_the_data_root_of_remapped_containers():
    assert load(["--userns-remap=nobody:nogroup", "--data-root=/d"]).data_root == "/d/100000.100000"
