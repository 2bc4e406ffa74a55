"""--cpu-rt-period and --cpu-rt-runtime: containers can be given what the parents of their cgroups have."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.api.daemon import test_settings as settings

ROOT = Path(__file__).parents[3]
CPU = Path("/sys/fs/cgroup/cpu")
HAVE = (CPU / "cpu.rt_runtime_us").exists()


@pytest.mark.skipif(not HAVE, reason="the kernel does not schedule groups in real time, or has cgroup v2")
def test_parents_get_it_and_containers_their_share() -> None:
    parent = f"dwrt{os.getpid()}"
    flags = ["--bridge=none", f"--cgroup-parent=/{parent}/below", "--cpu-rt-period=500000", "--cpu-rt-runtime=20000"]
    try:
        with settings.place(flags) as made:
            made.load()
            run = ("--network", "none", "--cpu-rt-runtime", "10000", "busybox", "cat", "/sys/fs/cgroup/cpu/cpu.rt_runtime_us")
            assert made.run(*run) == "10000\n"
            for folder in (CPU / parent, CPU / parent / "below"):
                assert [(folder / f"cpu.rt_{name}_us").read_text() for name in ("period", "runtime")] == ["500000\n", "20000\n"]
        with settings.place([*flags[:3], "--cpu-rt-runtime=600000"]) as made:
            made.load()
            text = f"unable to init CPU RT controller: write {CPU}/{parent}/cpu.rt_runtime_us: invalid argument"
            assert text in made.run("--network", "none", "busybox", "true") and made.docker("ps", "-aq").stdout == b""
    finally:
        find = ["find", "/sys/fs/cgroup", "-depth", "-type", "d", "-path", f"*/{parent}*"]
        for folder in subprocess.run(find, capture_output=True, text=True, check=False).stdout.split():
            os.rmdir(folder)  # parents that a user has named stay, as with Docker


@pytest.mark.skipif(HAVE, reason="the kernel schedules groups in real time")
def test_a_kernel_that_cannot(tmp_path: Path) -> None:
    roots = [f"--{name}={tmp_path}/{name}" for name in ("data-root", "exec-root", "pidfile")]
    command = [sys.executable, "-c", settings.CODE, "--cpu-rt-runtime=1", "--config-file=/dev/null", *roots]
    told = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert told.returncode == 1 and b"Your kernel does not support CPU real-time scheduler" in told.stderr
