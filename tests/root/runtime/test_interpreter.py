"""CVE-2019-5736: a container never gets hold of the host's interpreter, but at most of a sealed copy."""

import os
from pathlib import Path
from typing import Any

import pytest

HOLD = "#!/proc/self/exe\n"


def interpreter() -> str:
    return os.path.realpath(Path(__file__).parents[3] / ".venv/bin/python")


@pytest.fixture
def probe(bundle: Any) -> Any:
    """The image brings the interpreter's loader: a program that shows which file the kernel has really run."""
    loader = bundle.rootfs / "lib64/ld-linux-x86-64.so.2"
    loader.parent.mkdir()
    loader.write_bytes((bundle.rootfs / "bin/busybox").read_bytes())
    loader.chmod(0o755)
    evil = bundle.rootfs / "evil"
    evil.write_text(HOLD)
    evil.chmod(0o755)
    return bundle


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the loader's name is x86_64's")
def test_a_script_of_our_own_executable_reaches_a_sealed_copy_only(runtime: Any, probe: Any) -> None:
    """What init is executed from, while it waits at the fifo, is what `#!/proc/self/exe` would run and could keep open."""
    runtime.create(probe.args("/evil"))
    pid = runtime.state()["pid"]
    assert os.readlink(f"/proc/{pid}/exe").startswith("/memfd:dockwright-runc")
    with pytest.raises(OSError):
        os.open(f"/proc/{pid}/exe", os.O_WRONLY)


def test_a_plain_program_needs_no_copy(runtime: Any, bundle: Any) -> None:
    runtime.create(bundle.args("/bin/true"))
    assert os.readlink(f"/proc/{runtime.state()['pid']}/exe") == interpreter()


@pytest.mark.parametrize("way", ["script", "direct", "mount"])
def test_whatever_may_lead_there_is_sealed(runtime: Any, probe: Any, tmp_path: Path, way: str) -> None:
    (tmp_path / "vol").mkdir()
    (tmp_path / "vol/prog").write_bytes((probe.rootfs / "bin/busybox").read_bytes())
    (tmp_path / "vol/prog").chmod(0o755)
    probe.mount("/vol", "bind", str(tmp_path / "vol"), "bind")
    runtime.create(probe.args({"script": "/evil", "direct": "/proc/self/exe", "mount": "/vol/prog"}[way]))
    assert os.readlink(f"/proc/{runtime.state()['pid']}/exe").startswith("/memfd:dockwright-runc")


def test_exec_always_enters_sealed(runtime: Any, bundle: Any) -> None:
    """The files of a running container may change between any look and the execve."""
    bundle.process["capabilities"] = {k: ["CAP_SYS_PTRACE"] for k in ("bounding", "effective", "permitted")}
    runtime.start(bundle.script("while :; do for p in /proc/[0-9]*; do ls -l $p/exe 2>/dev/null; done; done | grep -v busybox"))
    for _ in range(5):
        runtime.exec("/bin/true")
    seen = {line.split(" -> ")[1] for line in (bundle.path / "out").read_text().splitlines() if " -> " in line}
    assert interpreter() not in seen


def test_the_copy_cannot_be_changed(runtime: Any, probe: Any) -> None:
    before = Path(interpreter()).stat()
    runtime.create(probe.args("/evil"))
    pid = runtime.state()["pid"]
    fd = os.open(f"/proc/{pid}/exe", os.O_RDONLY)
    with pytest.raises(OSError):
        os.open(f"/proc/self/fd/{fd}", os.O_WRONLY)
    os.close(fd)
    after = Path(interpreter()).stat()
    assert (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
