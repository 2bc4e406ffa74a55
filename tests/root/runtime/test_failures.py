"""What goes wrong leaves nothing: mounts, cgroups, processes, state, descriptors. And the words for it."""

import json
import os
from typing import Any

import pytest

from dockwright.runtime import container
from dockwright.runtime.failure import RuntimeFailure

Change = dict[str, Any]

# (how the spec is changed, part of the message)
BROKEN: list[tuple[str, Change, str]] = [
    ("no args", {"process": {"args": []}}, "args must not be empty"),
    ("missing program", {"process": {"args": ["/nope"]}}, 'exec: "/nope": stat /nope: no such file or directory'),
    ("not in the path", {"process": {"args": ["nope"]}}, 'exec: "nope": executable file not found in $PATH'),
    ("a directory", {"process": {"args": ["/bin"]}}, 'exec: "/bin": is a directory'),
    ("not executable", {"process": {"args": ["/etc/passwd"]}}, 'exec: "/etc/passwd": permission denied'),
    ("relative cwd", {"process": {"cwd": "x"}}, "Cwd must be an absolute path"),
    ("cwd is a file", {"process": {"cwd": "/etc/passwd"}},
     'chdir to cwd ("/etc/passwd") set in config.json failed: not a directory'),
    ("no root", {"root": {"path": "nope"}}, "invalid rootfs: stat "),
    ("no process", {"process": None}, "process property must not be empty"),
    ("version", {"ociVersion": "9.9.9"}, "unsupported OCI runtime spec version 9.9.9"),
    ("unknown namespace", {"linux": {"namespaces": [{"type": "zzz"}]}}, 'namespace {"zzz" ""} does not exist'),
    ("twice", {"linux": {"namespaces": [{"type": "pid"}, {"type": "pid"}]}}, 'malformed spec file: duplicated ns {"pid" ""}'),
    ("hostname", {"linux": {"namespaces": [{"type": "mount"}]}}, "unable to set hostname without a private UTS namespace"),
    ("masks", {"hostname": "", "linux": {"namespaces": [{"type": "pid"}]}}, "without a private MNT namespace"),
    ("a namespace that is gone",
     {"linux": {"namespaces": [{"type": "mount"}, {"type": "uts"}, {"type": "network", "path": "/nope"}]}},
     "namespace path: lstat /nope: no such file or directory"),
    ("no maps", {"linux": {"namespaces": [{"type": "user"}, {"type": "mount"}, {"type": "uts"}]}}, "no uid mappings found"),
    ("rlimit name", {"process": {"rlimits": [{"type": "RLIMIT_X", "soft": 1, "hard": 1}]}}, "wrong rlimit value: RLIMIT_X"),
    ("oom score", {"process": {"oomScoreAdj": -5000}}, "failed to update /proc/self/oom_score_adj: invalid argument"),
    ("selinux", {"process": {"selinuxLabel": "x"}}, "selinux is disabled or not supported"),
    ("scheduler", {"process": {"scheduler": {"policy": "SCHED_X"}}}, "invalid scheduler policy: SCHED_X"),
    ("affinity", {"process": {"execCPUAffinity": {"initial": "0"}}}, "process.execCPUAffinity is not supported"),
    ("intelRdt", {"linux": {"intelRdt": {"closID": "x"}}}, "linux.intelRdt is not supported"),
    ("propagation", {"linux": {"rootfsPropagation": "zzz"}}, "rootfsPropagation=zzz is not supported"),
    ("relative mount", {"mounts": [{"destination": "x", "type": "tmpfs"}]}, "mount destination not absolute"),
    ("idmap",
     {"mounts": [{"destination": "/x", "type": "bind", "source": "/tmp", "options": ["idmap"]}]},
     "id-mapped mounts need maps of their own or a user namespace"),
    ("device type", {"linux": {"devices": [{"type": "z", "path": "/dev/z"}]}}, "invalid device type 'z' of /dev/z"),
    ("relative hook", {"hooks": {"prestart": [{"path": "x"}]}}, "is not absolute"),
]  # fmt: skip

# shapes that are wrong (security.md 2.6, 77)
MALFORMED: list[tuple[Change, str]] = [
    ({"process": {"args": "x"}}, "cannot unmarshal string into Go struct field Spec.process.args of type []string"),
    ({"process": {"args": [1]}}, "cannot unmarshal number into Go struct field Spec.process.args of type string"),
    (
        {"process": {"user": {"uid": -1}}},
        "cannot unmarshal number -1 into Go struct field User.process.user.uid of type uint32",
    ),
    ({"process": {"user": {"uid": 1 << 70}}}, "cannot unmarshal number"),
    ({"process": {"args": ["a\0b"]}}, "Spec.process.args contains a NUL byte"),
    ({"process": {"args": ["\ud800"]}}, "Spec.process.args is not valid UTF-8"),
    (
        {"process": {"terminal": "yes"}},
        "cannot unmarshal string into Go struct field Spec.process.terminal of type bool",
    ),
    ({"mounts": {"a": 1}}, "cannot unmarshal object into Go struct field Spec.mounts"),
    ({"mounts": [None]}, "cannot unmarshal null"),
    ({"mounts": [{"type": "tmpfs"}]}, "Spec.mounts.destination is required"),
    ({"linux": {"resources": {"memory": {"limit": 1.5}}}}, "cannot unmarshal number"),
    ({"linux": {"uidMappings": [{"containerID": 0}]}}, "Spec.linux.uidMappings.hostID is required"),
    ({"linux": []}, "cannot unmarshal array into Go struct field Spec.linux of type object"),
    ({"hooks": {"prestart": [{}]}}, "Spec.hooks.prestart.path is required"),
    ({"mounts": [{"destination": f"/{n}", "type": "tmpfs"} for n in range(10001)]}, "10001 mounts are more than"),
]


def merge(value: Any, change: Any) -> Any:
    if isinstance(change, dict) and isinstance(value, dict):
        return {**value, **{key: merge(value.get(key), part) for key, part in change.items()}}
    return change


@pytest.mark.parametrize(("what", "change", "text"), BROKEN, ids=[what for what, _, _ in BROKEN])
def test_each_failure_has_its_words_and_leaves_nothing(
    runtime: Any, bundle: Any, host: Any, what: str, change: Change, text: str
) -> None:
    bundle.args("/bin/true")
    bundle.spec = merge(bundle.spec, change)
    before = host.view()
    assert text in runtime.message(runtime.run(bundle))
    assert host.view() == before
    assert not runtime.root.exists() or os.listdir(runtime.root) == []


@pytest.mark.parametrize(("change", "text"), MALFORMED, ids=[text[-40:] for _, text in MALFORMED])
def test_malformed_configurations_are_refused_before_anything_is_made(
    runtime: Any, bundle: Any, change: Change, text: str
) -> None:
    bundle.args("/bin/true")
    bundle.spec = merge(bundle.spec, change)
    assert text in runtime.message(runtime.run(bundle))
    assert not runtime.root.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "unexpected end of JSON input"),
        ("{", "unexpected end of JSON input"),
        ("{nope", "invalid character 'n' looking for beginning of object key string"),
        ("[]", "json: cannot unmarshal array into Go value of type specs.Spec"),
        ("{} x", "invalid character 'x' after top-level value"),
        ("[" * 200000, "exceeded max depth"),
        ('{"ociVersion": NaN}', "not a JSON text"),
        ("\xff", "codec can't decode"),
        (" " * (17 << 20), "config.json is larger than"),
    ],
    ids=["empty", "open", "key", "array", "trailing", "deep", "nan", "encoding", "large"],
)
def test_what_is_no_json(runtime: Any, bundle: Any, text: str, message: str) -> None:
    (bundle.path / "config.json").write_text(text, encoding="latin-1")
    assert message in runtime.message(runtime("run", "--bundle", str(bundle.path), runtime.name))


def test_no_bundle(runtime: Any, tmp_path: Any) -> None:
    done = runtime("run", "--bundle", str(tmp_path), runtime.name)
    assert runtime.message(done) == "runc run failed: JSON specification file config.json not found"


def test_overlapping_id_maps(runtime: Any, bundle: Any) -> None:
    bundle.user_namespace()
    bundle.linux["uidMappings"] = [
        {"containerID": 0, "hostID": 1000, "size": 10},
        {"containerID": 5, "hostID": 5000, "size": 10},
    ]
    assert "uidMappings: ranges overlap at containerID 5" in runtime.message(runtime.run(bundle.args("/bin/true")))


def test_long_texts_reach_init_whole(runtime: Any, bundle: Any, tmp_path: Any) -> None:
    """CVE-2021-43784: lengths that no longer fit 16 bits."""
    bundle.process["env"] += [f"V{n}={'x' * 1000}" for n in range(100)]
    bundle.process["args"] = ["/bin/sh", "-c", "echo ${#V99}; env | wc -c", "x" * 70000]
    lines = runtime.output(bundle).split()
    assert lines[0] == "1000" and int(lines[1]) > 100000


def test_exec_format_error_is_said_on_stderr_after_start(runtime: Any, bundle: Any) -> None:
    (bundle.rootfs / "bad").write_bytes(b"\x7fELF and nothing more")
    (bundle.rootfs / "bad").chmod(0o755)
    done = runtime.run(bundle.args("/bad"))
    assert (done.returncode, done.stderr) == (1, "exec /bad: exec format error\n")
    runtime.create(bundle)
    runtime("start", runtime.name, check=True)


def test_a_missing_interpreter_is_told_by_the_process_itself(runtime: Any, bundle: Any) -> None:
    (bundle.rootfs / "script").write_text("#!/no/such/interpreter\n")
    (bundle.rootfs / "script").chmod(0o755)
    done = runtime.run(bundle.args("/script"))
    assert (done.returncode, done.stderr) == (1, "exec /script: no such file or directory\n")


def test_what_may_not_be_executed_fails_the_start(runtime: Any, bundle: Any) -> None:
    (bundle.rootfs / "owners").write_text("#!/bin/sh\n")
    (bundle.rootfs / "owners").chmod(0o700)
    bundle.args("/owners").process["user"] = {"uid": 1000, "gid": 1000}
    bundle.process["capabilities"] = {}
    done = runtime.run(bundle)
    assert done.returncode == 1 and "permission denied" in done.stderr


def test_a_create_that_is_killed_can_be_deleted_by_force(runtime: Any, bundle: Any) -> None:
    (runtime.root / runtime.name).mkdir(parents=True)
    (runtime.root / runtime.name / "exec.fifo").touch()
    assert runtime.message(runtime("delete", runtime.name)) == "container does not exist"
    runtime("delete", "--force", runtime.name, check=True)
    assert os.listdir(runtime.root) == []


def test_a_broken_state_file(runtime: Any, bundle: Any) -> None:
    (runtime.root / runtime.name).mkdir(parents=True)
    (runtime.root / runtime.name / "state.json").write_text("{")
    assert "state.json is broken" in runtime.message(runtime("state", runtime.name))
    (runtime.root / runtime.name / "state.json").unlink()


def test_in_process_failures_leak_no_descriptors(bundle: Any, name: str, host: Any) -> None:
    """The shim lives on after a failed create: its descriptors are counted, too."""
    bundle.args("/nope")
    bundle.mount("/x", "bind", "/etc", "rbind")
    before, view = sorted(os.listdir("/proc/self/fd")), host.view()
    for _ in range(3):
        with pytest.raises(RuntimeFailure, match="no such file or directory"):
            container.create(name, json.loads(json.dumps(bundle.spec)), bundle=str(bundle.path))
    bundle.mount("/y", "bind", "/not/there", "rbind")
    with pytest.raises(RuntimeFailure, match="stat /not/there"):
        container.create(name, bundle.spec, bundle=str(bundle.path))
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert host.view() == view
