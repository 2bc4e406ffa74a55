"""AppArmor, on hosts that have it: docker-default is loaded, confines, and is read back from inside."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dockwright.containers.confinement import DEFAULT
from dockwright.daemon import apparmor as loader
from dockwright.runtime import apparmor
from dockwright.supervisor import spawner

needed = pytest.mark.skipif(
    not apparmor.enabled() or not Path("/sys/kernel/security/apparmor").exists(), reason="this host has no AppArmor"
)


@pytest.fixture(scope="module")
def profile() -> str:
    if not spawner.find("apparmor_parser"):
        pytest.skip("needs apparmor_parser")
    assert asyncio.run(loader.load_default())
    assert DEFAULT in Path(loader.LOADED).read_text()
    return DEFAULT


def confined(bundle: Any, profile: str) -> Any:
    bundle.process["apparmorProfile"] = profile
    names = ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_CHOWN", "CAP_SYS_PTRACE"]
    bundle.process["capabilities"] = dict.fromkeys(("bounding", "effective", "permitted"), names)
    bundle.linux["readonlyPaths"] = bundle.linux["maskedPaths"] = []
    return bundle


@needed
def test_the_profile_is_on_the_program_and_on_execs(runtime: Any, bundle: Any, profile: str) -> None:
    runtime.start(confined(bundle, profile).args("/bin/sleep", "100"))
    pid = runtime.state()["pid"]
    assert Path(f"/proc/{pid}/attr/current").read_text().strip() == f"{profile} (enforce)"
    bundle.process["apparmorProfile"] = ""
    done = runtime("exec", "--apparmor", profile, runtime.name, "/bin/cat", "/proc/self/attr/current")
    assert done.stdout.strip() == f"{profile} (enforce)"


@needed
@pytest.mark.parametrize(
    ("script", "fine"),
    [
        ("mount -t tmpfs t /tmp", False),
        ("echo h > /proc/sysrq-trigger", False),
        ("f=/proc/sys/kernel/panic_on_oops; v=$(cat $f); echo $v > $f", False),
        ("f=/proc/sys/kernel/sched_rt_period_us; v=$(cat $f); echo $v > $f", False),
        ("f=/proc/sys/vm/swappiness; v=$(cat $f); echo $v > $f", False),
        ("ls /sys/kernel/security/apparmor", False),
        ("echo 65536 > /proc/sys/kernel/shmmax", True),
        ("echo 0 > /proc/self/oom_score_adj", True),
        ("cat /proc/1/status /proc/sys/kernel/osrelease", True),
        ("echo x > /tmp/file && cat /tmp/file", True),
        ("kill -0 1", True),
    ],
)
def test_what_it_denies(runtime: Any, bundle: Any, profile: str, script: str, fine: bool) -> None:
    bundle.mount("/sys/kernel/security", "securityfs", "securityfs", "ro")
    assert (runtime.run(confined(bundle, profile).script(script)).returncode == 0) == fine
    assert runtime.run(confined(bundle, "").script(script)).returncode == 0, "it is not the profile that denies it"


@needed
def test_a_profile_that_is_not_loaded(runtime: Any, bundle: Any) -> None:
    done = runtime.run(confined(bundle, "nobodys-profile").args("/bin/true"))
    assert "unable to apply apparmor profile: apparmor failed to apply profile" in done.stderr


@pytest.mark.skipif(apparmor.enabled(), reason="this host has AppArmor")
def test_a_host_without_it_refuses_profiles(runtime: Any, bundle: Any) -> None:
    message = runtime.message(runtime.run(confined(bundle, "docker-default").args("/bin/true")))
    assert message.endswith("apparmor profile is specified in config, but apparmor is not enabled on this host")
    assert asyncio.run(loader.load_default()) is False
