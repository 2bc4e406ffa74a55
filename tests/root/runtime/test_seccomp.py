"""seccomp: Docker's default profile, the filter cache, and the few system calls between the filter and the program."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dockwright.runtime import seccomp
from dockwright.runtime.process import AFTER_FILTER
from dockwright.spec.capabilities import DEFAULT
from dockwright.spec.seccomp import default_profile

DOCKER = [f"CAP_{name}" for name in DEFAULT]


def docker(bundle: Any, no_new_privileges: bool = False) -> Any:
    """The bundle with Docker's capabilities and profile."""
    bundle.process["capabilities"] = dict.fromkeys(("bounding", "effective", "permitted"), DOCKER)
    bundle.process["noNewPrivileges"] = no_new_privileges
    bundle.linux["seccomp"] = default_profile(DOCKER)
    return bundle


def allow(*names: str) -> dict[str, Any]:
    return {"names": list(names), "action": "SCMP_ACT_ALLOW"}


def test_the_default_profile_is_loaded(runtime: Any, bundle: Any) -> None:
    lines = runtime.output(docker(bundle).args("/bin/grep", "Seccomp", "/proc/self/status")).split()
    assert lines[:2] == ["Seccomp:", "2"]


def test_the_default_profile_refuses_what_dockers_does(runtime: Any, bundle: Any) -> None:
    script = (
        "unshare -U true 2>/dev/null || echo userns; unshare -m true 2>/dev/null || echo mountns; "
        "mount -t tmpfs t /tmp 2>/dev/null || echo mount; echo fine"
    )
    assert runtime.output(docker(bundle).script(script)).split() == ["userns", "mountns", "mount", "fine"]


def test_exec_gets_the_filter_too(runtime: Any, bundle: Any) -> None:
    runtime.start(docker(bundle).args("/bin/sleep", "100"))
    assert runtime.exec("/bin/grep", "Seccomp:", "/proc/self/status").stdout.split()[1] == "2"


def test_a_single_call_with_its_own_error_number(runtime: Any, bundle: Any) -> None:
    bundle.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}],
    }  # fmt: skip
    done = runtime.run(bundle.args("/bin/mkdir", "/tmp/x"))
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize("no_new_privileges", [False, True])
def test_after_the_filter_only_the_listed_calls_are_made(
    runtime: Any, bundle: Any, peer: Callable[[str], str], no_new_privileges: bool
) -> None:
    """DECISIONS 23, proved by strace: from loading the filter to the program's execve."""
    docker(bundle, no_new_privileges).args("/bin/true").write()
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.write()
    trace = bundle.path / "trace"
    command = [*runtime("--version").args[:3], "run", "--bundle", str(bundle.path), runtime.name]
    subprocess.run([peer("strace"), "-f", "-o", str(trace), *command], check=True, timeout=100, env=runtime.environment)
    pids = re.findall(r"^(\d+) +seccomp\(SECCOMP_SET_MODE_FILTER", trace.read_text(), re.M)
    assert len(pids) == 1
    calls = re.findall(rf"^{pids[0]} +(\w+)\(", trace.read_text(), re.M)
    after = calls[calls.index("seccomp") + 1 :]
    made = after[: after.index("execve")]
    assert set(made) <= set(AFTER_FILTER) - {"seccomp", "execve"}
    assert made == ([] if no_new_privileges else ["setresuid", "capset", "prctl"])


@pytest.mark.parametrize("no_new_privileges", [False, True])
def test_a_profile_that_allows_only_those_still_starts(runtime: Any, bundle: Any, no_new_privileges: bool) -> None:
    """The program itself is a static one that needs little more than to be executed and to end."""
    needed = (
        "arch_prctl set_tid_address set_robust_list rseq prlimit64 readlink readlinkat getrandom brk mprotect getuid "
        "geteuid getgid getegid getpid exit_group exit mmap uname"
    ).split()
    bundle.process["noNewPrivileges"] = no_new_privileges
    handover = ["execve"] if no_new_privileges else [name for name in AFTER_FILTER if name != "seccomp"]
    bundle.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [allow(*handover, *needed)],
    }  # fmt: skip
    done = runtime.run(bundle.args("/bin/busybox", "true"))
    assert done.returncode == 0, done


def test_compiled_filters_are_cached_by_content(tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    profile = default_profile(DOCKER)
    seccomp.filter_of(profile, cache)
    (name,) = os.listdir(cache)
    code = (tmp_path / "cache" / name).read_bytes()[seccomp.DIGEST :]
    assert code == seccomp.compile_profile(profile) and len(code) % 8 == 0
    seccomp.filter_of(default_profile(DOCKER), cache)
    assert os.listdir(cache) == [name]
    seccomp.filter_of({**profile, "defaultErrnoRet": 38}, cache)
    assert len(os.listdir(cache)) == 2
    assert os.stat(cache).st_mode & 0o777 == 0o700


def test_a_broken_cache_file_is_compiled_again(tmp_path: Path) -> None:
    cache, profile = str(tmp_path / "cache"), default_profile(DOCKER)
    seccomp.filter_of(profile, cache)
    (path,) = (tmp_path / "cache").iterdir()
    good = path.read_bytes()
    for broken in (b"", good[:100], good[:-3]):
        path.write_bytes(broken)
        seccomp.filter_of(profile, cache)
        assert path.read_bytes() == good


@pytest.mark.parametrize(
    ("profile", "text"),
    [
        ({"defaultAction": "SCMP_ACT_NOPE"}, "string SCMP_ACT_NOPE is not a valid action for seccomp"),
        (
            {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_PDP11"]},
            "invalid architecture SCMP_ARCH_PDP11",
        ),
        (
            {"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_X"]},
            "SECCOMP_FILTER_FLAG_X is not a valid flag",
        ),
        ({"defaultAction": "SCMP_ACT_NOTIFY"}, "seccomp notify is not supported"),
    ],
)
def test_profiles_that_are_refused(runtime: Any, bundle: Any, profile: dict[str, Any], text: str) -> None:
    bundle.linux["seccomp"] = profile
    assert text in runtime.message(runtime.run(bundle.args("/bin/true")))
