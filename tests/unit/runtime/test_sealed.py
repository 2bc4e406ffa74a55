"""When a container could reach the interpreter (CVE-2019-5736)."""

import os
from pathlib import Path
from typing import Any

import pytest

from dockwright.runtime import sealed, template

ELF = b"\x7fELF" + bytes(100)


@pytest.fixture
def spec(tmp_path: Path) -> dict[str, Any]:
    for folder in ("bin", "proc", "vol"):
        (tmp_path / "rootfs" / folder).mkdir(parents=True)
    (tmp_path / "rootfs/bin/prog").write_bytes(ELF)
    (tmp_path / "rootfs/bin/script").write_text("#!/bin/prog -x\n")
    made = template.spec()
    made["process"]["args"] = ["/bin/prog"]
    made["root"]["path"] = str(tmp_path / "rootfs")
    return made


def root(spec: dict[str, Any]) -> Path:
    return Path(spec["root"]["path"])


@pytest.mark.parametrize("name", ["/bin/prog", "prog", "/bin/script", "script", "bin/prog"])
def test_programs_of_the_root_cannot(spec: dict[str, Any], name: str) -> None:
    spec["process"]["args"] = [name]
    assert not sealed.reachable(spec, "/")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("bin/evil", "#!/proc/self/exe\n"), ("bin/evil", "#! /proc/self/exe"), ("bin/evil", "#!/bin/none\n"),
        ("bin/evil", "#!\n"), ("bin/evil", "no program"), ("bin/evil", ""), ("bin/evil", "#!prog\n"), ("vol/evil", "\x7fELF"),
    ],
)  # fmt: skip
def test_what_leads_elsewhere_could(spec: dict[str, Any], path: str, text: str) -> None:
    (root(spec) / path).write_text(text)
    spec["mounts"].append({"destination": "/vol", "type": "bind", "source": "/vol"})
    spec["process"]["args"] = [f"/{path}"]
    assert sealed.reachable(spec, "/")


def test_links_are_followed_inside_the_root(spec: dict[str, Any]) -> None:
    (root(spec) / "bin/link").symlink_to("/bin/prog")
    (root(spec) / "bin/exe").symlink_to("/proc/self/exe")
    (root(spec) / "door").symlink_to("vol")
    (root(spec) / "vol/prog").write_bytes(ELF)
    spec["mounts"].append({"destination": "//door", "type": "bind", "source": "/vol"})
    for name, expected in (("/bin/link", False), ("/bin/exe", True), ("/vol/prog", True), ("/door/prog", True)):
        spec["process"]["args"] = [name]
        assert sealed.reachable(spec, "/") is expected, name


def test_scripts_of_scripts_end_somewhere(spec: dict[str, Any]) -> None:
    (root(spec) / "bin/loop").write_text("#!/bin/loop\n")
    spec["process"]["args"] = ["/bin/loop"]
    assert sealed.reachable(spec, "/")


@pytest.mark.parametrize("kind", ["pid", "mount"])
def test_shared_or_joined_namespaces_could(spec: dict[str, Any], kind: str) -> None:
    others = [n for n in spec["linux"]["namespaces"] if n["type"] != kind]
    spec["linux"]["namespaces"] = others
    assert sealed.reachable(spec, "/")
    spec["linux"]["namespaces"] = [*others, {"type": kind, "path": "/proc/1/ns/x"}]
    assert sealed.reachable(spec, "/")


@pytest.mark.parametrize("kind", ["createContainer", "startContainer"])
def test_hooks_inside_could(spec: dict[str, Any], kind: str) -> None:
    spec["hooks"] = {kind: [{"path": "/bin/prog"}]}
    assert sealed.reachable(spec, "/")


def test_a_user_namespace_without_the_hosts_root_cannot(spec: dict[str, Any]) -> None:
    spec["process"]["args"] = ["/proc/self/exe"]
    spec["linux"]["namespaces"].append({"type": "user"})
    spec["linux"]["uidMappings"] = [{"containerID": 0, "hostID": 1000, "size": 10}]
    assert not sealed.reachable(spec, "/")
    spec["linux"]["uidMappings"][0]["hostID"] = 0
    assert sealed.reachable(spec, "/")


def test_a_missing_root_is_no_way_out(spec: dict[str, Any]) -> None:
    spec["root"]["path"] = "/not/there"
    assert sealed.reachable(spec, "/")


def test_this_process_is_not_sealed() -> None:
    assert not sealed.sealed() and os.path.exists("/proc/self/exe")
