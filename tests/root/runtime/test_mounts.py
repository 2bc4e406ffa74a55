"""Mounts: what a container sees of the host, how it sees it, and that nothing gets past the root."""

import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def table(text: str) -> dict[str, str]:
    """/proc/self/mountinfo as mount point: the whole line. The last mount on a point counts."""
    return {line.split()[4]: line for line in text.splitlines()}


def test_the_root_is_the_bundles_and_the_hosts_tree_is_gone(runtime: Any, bundle: Any, host: Any) -> None:
    lines = table(runtime.output(bundle.args("/bin/cat", "/proc/self/mountinfo")))
    assert lines["/"].split()[3].endswith("/rootfs")
    assert not any(point.startswith(str(bundle.path)) for point in lines)
    assert host.mounts() == []


def test_read_only_root(runtime: Any, bundle: Any) -> None:
    bundle.spec["root"]["readonly"] = True
    done = runtime.run(bundle.script("touch /x; touch /dev/shm/y && echo shm"))
    assert "Read-only file system" in done.stderr and done.stdout == "shm\n"


def test_no_pivot(runtime: Any, bundle: Any) -> None:
    """MS_MOVE and chroot instead of pivot_root: what an initramfs needs."""
    assert runtime.output(bundle.script("ls /; ls /proc/1/exe"), "--no-pivot").split()[0] == "bin"


def test_bind_mount_is_the_same_directory(runtime: Any, bundle: Any, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/file").write_text("hello\n")
    bundle.mount("/data/deep", "bind", str(tmp_path / "source"), "bind")
    assert runtime.output(bundle.script("cat /data/deep/file; echo back > /data/deep/new")) == "hello\n"
    assert (tmp_path / "source/new").read_text() == "back\n"


def test_bind_mount_of_a_file(runtime: Any, bundle: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("hello\n")
    bundle.mount("/etc/not/there", "bind", str(tmp_path / "file"), "bind", "ro")
    done = runtime.run(bundle.script("cat /etc/not/there; echo x > /etc/not/there"))
    assert done.stdout == "hello\n" and "Read-only" in done.stderr


def test_bind_source_relative_to_the_bundle(runtime: Any, bundle: Any) -> None:
    (bundle.path / "beside").write_text("hello\n")
    assert runtime.output(bundle.mount("/f", "bind", "beside", "bind").args("/bin/cat", "/f")) == "hello\n"


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """A directory with another file system mounted inside."""
    inner = tmp_path / "tree/inner"
    inner.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tree", inner], check=True)
    (inner / "file").write_text("inside\n")
    yield tmp_path / "tree"
    subprocess.run(["umount", inner], check=True)


@pytest.mark.parametrize(("option", "seen"), [("rbind", True), ("bind", False)])
def test_rbind_takes_submounts_along_and_bind_does_not(
    runtime: Any, bundle: Any, tree: Path, option: str, seen: bool
) -> None:
    bundle.mount("/t", "bind", str(tree), option)
    assert (runtime.output(bundle.script("ls /t/inner")) == "file\n") == seen


@pytest.mark.parametrize(("option", "refused"), [("ro", False), ("rro", True)])
def test_rro_holds_for_submounts_and_ro_does_not(
    runtime: Any, bundle: Any, tree: Path, option: str, refused: bool
) -> None:
    bundle.mount("/t", "bind", str(tree), "rbind", option)
    done = runtime.run(bundle.script("touch /t/x 2>/dev/null || echo top; touch /t/inner/x 2>/dev/null || echo inner"))
    assert done.stdout.split() == ["top", "inner"] if refused else ["top"]


def test_attributes_of_binds(runtime: Any, bundle: Any, tmp_path: Path) -> None:
    bundle.mount("/d", "bind", str(tmp_path), "bind", "ro", "nosuid", "nodev", "noexec", "noatime")
    line = table(runtime.output(bundle.args("/bin/cat", "/proc/self/mountinfo")))["/d"]
    assert set(line.split()[5].split(",")) == {"ro", "nosuid", "nodev", "noexec", "noatime"}


@pytest.mark.parametrize(
    ("option", "fields"),
    [("rprivate", set()), ("rslave", {"master"}), ("rshared", {"shared"}), ("runbindable", {"unbindable"})],
)
def test_propagation(runtime: Any, bundle: Any, tmp_path: Path, option: str, fields: set[str]) -> None:
    source = tmp_path / "shared"
    source.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "shared", source], check=True)
    subprocess.run(["mount", "--make-shared", source], check=True)
    try:
        bundle.mount("/s", "bind", str(source), "rbind", option)
        line = table(runtime.output(bundle.args("/bin/cat", "/proc/self/mountinfo")))["/s"]
        optional = line.split(" - ")[0].split()[6:]
        assert {field.partition(":")[0] for field in optional} >= fields
        assert "shared" in {f.partition(":")[0] for f in optional} or "shared" not in fields
        if not fields:
            assert optional == []
    finally:
        subprocess.run(["umount", source], check=True)


def test_a_slave_sees_what_the_host_mounts_later(runtime: Any, bundle: Any, tmp_path: Path) -> None:
    source = tmp_path / "shared"
    source.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "shared", source], check=True)
    subprocess.run(["mount", "--make-shared", source], check=True)
    try:
        runtime.start(bundle.mount("/s", "bind", str(source), "rbind", "rslave").args("/bin/sleep", "100"))
        (source / "later").mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "later", source / "later"], check=True)
        (source / "later/file").touch()
        assert runtime.exec("/bin/ls", "/s/later").stdout == "file\n"
        subprocess.run(["umount", source / "later"], check=True)
        assert runtime.exec("/bin/ls", "/s/later").stdout == ""
        runtime("delete", "--force", runtime.name, check=True)
    finally:
        subprocess.run(["umount", source], check=True)


def test_rootfs_propagation(runtime: Any, bundle: Any) -> None:
    bundle.linux["rootfsPropagation"] = "rshared"
    line = table(runtime.output(bundle.args("/bin/cat", "/proc/self/mountinfo")))["/"]
    assert " shared:" in line.split(" - ")[0]


def test_tmpfs_with_size_and_mode(runtime: Any, bundle: Any) -> None:
    bundle.mount("/t", "tmpfs", "tmpfs", "size=1m", "mode=700", "noexec")
    lines = runtime.output(
        bundle.script("stat -c %a /t; df -k /t | grep -c ' 1024 '; grep ' /t ' /proc/self/mountinfo")
    ).splitlines()
    assert lines[:2] == ["700", "1"] and "noexec" in lines[2]


def test_tmpcopyup(runtime: Any, bundle: Any) -> None:
    (bundle.rootfs / "full/sub").mkdir(parents=True)
    (bundle.rootfs / "full/sub/file").write_text("kept\n")
    (bundle.rootfs / "full/sub/file").chmod(0o640)
    os.symlink("sub/file", bundle.rootfs / "full/link")
    bundle.mount("/full", "tmpfs", "tmpfs", "tmpcopyup")
    script = "cat /full/link; stat -c %a /full/sub/file; echo changed > /full/sub/file"
    assert runtime.output(bundle.script(script)) == "kept\n640\n"
    assert (bundle.rootfs / "full/sub/file").read_text() == "kept\n"


def test_an_unknown_file_system_and_option(runtime: Any, bundle: Any) -> None:
    text = 'error during container init: error mounting "none" to rootfs at "/x": '
    bundle.mount("/x", "nopefs", "none")
    assert text + "mount none:/x (nopefs): no such device" in runtime.message(runtime.run(bundle.args("/bin/true")))
    bundle.spec["mounts"][-1].update(type="tmpfs", options=["zork=1"])
    assert text + "mount none:/x (zork): invalid argument" in runtime.message(runtime.run(bundle))


def test_a_missing_bind_source(runtime: Any, bundle: Any) -> None:
    bundle.mount("/x", "bind", "/not/there", "bind")
    text = 'error mounting "/not/there" to rootfs at "/x": stat /not/there: no such file or directory'
    assert text in runtime.message(runtime.run(bundle.args("/bin/true")))


def test_default_devices_and_links(runtime: Any, bundle: Any) -> None:
    script = "for d in null zero full random urandom tty; do stat -c '%F %t %T %a' /dev/$d; done; ls -l /dev | grep -c -- '->'"
    lines = runtime.output(bundle.script(script)).splitlines()
    numbers = [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0)]
    assert lines[:6] == [f"character special file {major:x} {minor:x} 666" for major, minor in numbers]
    assert lines[6] == "5"


def test_listed_devices(runtime: Any, bundle: Any) -> None:
    bundle.linux["devices"] = [
        {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o600, "uid": 5, "gid": 6},
        {"path": "/dev/sub/loop7", "type": "b", "major": 7, "minor": 7, "fileMode": 0o660},
        {"path": "/dev/pipe", "type": "p", "fileMode": 0o600},
    ]  # fmt: skip
    script = "stat -c '%F %t %T %a %u %g' /dev/fuse; stat -c '%F %t %T %a' /dev/sub/loop7; stat -c %F /dev/pipe"
    expected = ["character special file a e5 600 5 6", "block special file 7 7 660", "fifo"]
    assert runtime.output(bundle.script(script)).splitlines() == expected


def test_masked_paths_show_nothing(runtime: Any, bundle: Any) -> None:
    (bundle.rootfs / "secret").write_text("secret\n")
    (bundle.rootfs / "secrets").mkdir()
    (bundle.rootfs / "secrets/file").touch()
    bundle.linux["maskedPaths"] = ["/secret", "/secrets", "/proc/keys", "/not/there"]
    script = "cat /secret /proc/keys; ls /secrets; touch /secrets/x || echo refused"
    done = runtime.run(bundle.script(script))
    assert done.stdout == "refused\n"


def test_read_only_paths(runtime: Any, bundle: Any) -> None:
    (bundle.rootfs / "fixed").mkdir()
    bundle.linux["readonlyPaths"] = ["/fixed", "/proc/sys", "/not/there"]
    done = runtime.run(bundle.script("touch /fixed/x || echo 1; echo 1 > /proc/sys/kernel/shm_rmid_forced || echo 2"))
    assert done.stdout.split() == ["1", "2"]


def test_the_cgroup_mount_is_read_only_and_shows_only_the_container(runtime: Any, bundle: Any) -> None:
    """CVE-2023-25809."""
    script = (
        "mkdir /sys/fs/cgroup/x 2>/dev/null || echo refused; "
        "for d in /sys/fs/cgroup /sys/fs/cgroup/*; do [ -e $d/cgroup.procs ] && cat $d/cgroup.procs; done; true"
    )
    words = runtime.output(bundle.script(script)).split()
    assert words[0] == "refused" and "1" in words[1:]
    assert not any(int(word) > 100 for word in words[1:]), "processes of the host"


# hostile bundles


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """A tree of the host that no container may read or change."""
    place = tmp_path / "canary"
    (place / "empty").mkdir(parents=True)
    (place / "secret").write_text("secret of the host\n")
    (place / "ptmx").touch()
    before = _hash(place)
    yield place
    assert _hash(place) == before, "the host was changed"


def _hash(place: Path) -> list[tuple[str, int, int, int, bytes]]:
    return sorted(
        (str(p), (s := p.lstat()).st_mode, s.st_uid, s.st_mtime_ns, p.read_bytes() if stat.S_ISREG(s.st_mode) else b"")
        for p in [place, *place.rglob("*")]
    )


@pytest.mark.parametrize("link", ["{canary}", "../../../../../../../../../..{canary}"])
def test_a_symlinked_mount_target_stays_inside(runtime: Any, bundle: Any, canary: Path, link: str) -> None:
    """CVE-2015-3627, CVE-2021-30465: links are followed inside the root only, and what they name is made there."""
    (bundle.rootfs / "link").symlink_to(link.format(canary=canary))
    bundle.mount("/link/empty/new", "tmpfs", "tmpfs")
    lines = table(runtime.output(bundle.args("/bin/cat", "/proc/self/mountinfo")))
    assert f"{canary}/empty/new" in lines
    assert (bundle.rootfs / str(canary).lstrip("/") / "empty/new").is_dir()


def test_a_symlinked_bind_target_file_stays_inside(runtime: Any, bundle: Any, canary: Path) -> None:
    (bundle.rootfs / "etc/hosts").symlink_to(canary / "secret")
    (bundle.path / "hosts").write_text("ours\n")
    bundle.mount("/etc/hosts", "bind", "hosts", "bind")
    assert runtime.output(bundle.args("/bin/cat", "/etc/hosts")) == "ours\n"


@pytest.mark.parametrize("target", ["proc", "sys"])
def test_proc_and_sys_must_be_real_directories(runtime: Any, bundle: Any, target: str) -> None:
    """CVE-2019-19921, CVE-2023-27561, CVE-2023-28642."""
    (bundle.rootfs / target).rmdir()
    (bundle.rootfs / "bad").mkdir()
    (bundle.rootfs / target).symlink_to("/bad")
    message = runtime.message(runtime.run(bundle.args("/bin/true")))
    kind = {"proc": "proc", "sys": "sysfs"}[target]
    assert f'filesystem "{kind}" must be mounted on ordinary directory' in message


@pytest.mark.parametrize("where", ["/proc/self/attr", "/proc/sys", "//proc/self", "/x/../proc/self", "/proc"])
def test_nothing_is_mounted_over_proc(runtime: Any, bundle: Any, where: str) -> None:
    """CVE-2019-16884, CVE-2015-3631."""
    bundle.mount(where, "tmpfs", "tmpfs")
    assert "cannot be mounted because it is inside /proc" in runtime.message(runtime.run(bundle.args("/bin/true")))


def test_nothing_is_mounted_over_proc_through_a_link(runtime: Any, bundle: Any) -> None:
    (bundle.rootfs / "door").symlink_to("/proc")
    bundle.mount("/door/self/attr", "tmpfs", "tmpfs")
    assert "cannot be mounted because it is inside /proc" in runtime.message(runtime.run(bundle.args("/bin/true")))


def test_a_figure_of_proc_may_be_covered(runtime: Any, bundle: Any) -> None:
    """What lxcfs does."""
    (bundle.path / "uptime").write_text("1.00 1.00\n")
    assert (
        runtime.output(bundle.mount("/proc/uptime", "bind", "uptime", "bind").args("/bin/cat", "/proc/uptime"))
        == "1.00 1.00\n"
    )


def test_an_images_dev_link_does_not_lead_outside(runtime: Any, bundle: Any, canary: Path) -> None:
    """CVE-2026-41579: the `ptmx` of the canary is neither removed nor replaced."""
    (bundle.rootfs / "dev").rmdir()
    (bundle.rootfs / "dev").symlink_to(f"../../../../../../..{canary}")
    runtime.run(bundle.args("/bin/true"))


@pytest.mark.parametrize("name", ["null", "console", "zero"])
def test_device_names_that_are_links_are_replaced(runtime: Any, bundle: Any, canary: Path, name: str) -> None:
    """CVE-2025-31133, CVE-2026-88264, with /dev left to the image."""
    bundle.spec["mounts"] = [m for m in bundle.spec["mounts"] if not m["destination"].startswith("/dev")]
    (bundle.rootfs / "dev" / name).symlink_to(canary / "secret")
    bundle.linux["maskedPaths"] = ["/proc/keys"]
    runtime.run(bundle.script("cat /proc/keys; echo x > /dev/null"))


def test_masking_needs_the_real_null_device(runtime: Any, bundle: Any, tmp_path: Path, canary: Path) -> None:
    """CVE-2025-31133: a bound /dev whose null is something else masks nothing, so the start fails."""
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/null").symlink_to(canary / "secret")
    bundle.spec["mounts"] = [m for m in bundle.spec["mounts"] if not m["destination"].startswith("/dev")]
    bundle.mount("/dev", "bind", str(tmp_path / "dev"), "bind")
    assert runtime.run(bundle.args("/bin/true")).returncode == 1


def test_abstract_sockets_of_the_host_are_out_of_reach(runtime: Any, bundle: Any, name: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{name}")
        assert name not in runtime.output(bundle.args("/bin/cat", "/proc/net/unix"))


def test_the_device_list_is_enforced(runtime: Any, bundle: Any) -> None:
    """mknod works, opening does not: block 8:0 is not on the list; /dev/null is."""
    names = [*bundle.process["capabilities"]["bounding"], "CAP_MKNOD", "CAP_DAC_OVERRIDE"]
    bundle.process["capabilities"] = dict.fromkeys(("bounding", "effective", "permitted"), names)
    done = runtime.run(bundle.script("mknod /tmp/disk b 7 0 && cat /tmp/disk; echo fine > /dev/null && echo null"))
    assert "Operation not permitted" in done.stderr and done.stdout == "null\n"
