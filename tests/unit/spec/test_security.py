"""Security options: what they ask for, what is refused, and Docker's seccomp profiles."""

import json
import platform

import pytest

from dockwright.base.errors import Internal, InvalidParameter, NotSupported
from dockwright.spec import security


def test_options():
    made = security.parse(["no-new-privileges", "seccomp=unconfined", "apparmor=mine", "label=disable"])
    assert (made.no_new_privileges, made.seccomp, made.apparmor, made.labels) == (True, "unconfined", "mine", ["disable"])


def test_the_older_form_and_a_flag_with_a_value():
    assert security.parse(["seccomp:unconfined"]).seccomp == "unconfined"
    assert security.parse(["no-new-privileges:true"]).no_new_privileges
    assert not security.parse(["no-new-privileges=false"]).no_new_privileges


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("nonsense", 'invalid --security-opt 1: "nonsense"'),
        ("a=b", 'invalid --security-opt 2: "a=b"'),
        ("no-new-privileges=maybe", 'invalid --security-opt 2: "no-new-privileges=maybe"'),
    ],
)
def test_unknown_options(option, text):
    with pytest.raises(Internal) as caught:
        security.parse([option])
    assert caught.value.message == text


def test_what_the_host_lacks_is_refused():
    with pytest.raises(NotSupported, match="SELinux"):
        security.check(["label=type:x"], apparmor=True)
    with pytest.raises(NotSupported, match="AppArmor is not enabled"):
        security.check(["apparmor=mine"], apparmor=False)
    security.check(["apparmor=unconfined", "label=disable"], apparmor=False)
    security.check(["apparmor=mine"], apparmor=True)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"defaultAction": "x", "syscalls": [{"names": ["a"]}]}'])
def test_profiles_that_are_none(text):
    with pytest.raises(InvalidParameter, match="Decoding seccomp profile failed"):
        security.check([f"seccomp={text}"], apparmor=False)


def test_a_profile_is_filtered_by_capability_architecture_and_kernel():
    here = security.GO_ARCHITECTURE[platform.machine()]

    def rule(name, **conditions):
        return {"names": [name], "action": "SCMP_ACT_ALLOW", **conditions}

    own = security.SECCOMP_ARCHITECTURE[platform.machine()]
    given = {
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
        "archMap": [{"architecture": own, "subArchitectures": ["SCMP_ARCH_X86"]}],
        "syscalls": [
            rule("always"), {"name": "older", "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
            rule("with", includes={"caps": ["CAP_SYS_ADMIN"]}), rule("without", excludes={"caps": ["CAP_SYS_ADMIN"]}),
            rule("here", includes={"arches": [here]}), rule("elsewhere", includes={"arches": ["s390x"]}),
            rule("new", includes={"minKernel": "3.1"}), rule("future", includes={"minKernel": "99.0"}),
        ],
    }  # fmt: skip
    made = security.profile(json.dumps(given), ["CAP_SYS_ADMIN"])
    assert [call["names"][0] for call in made["syscalls"]] == ["always", "older", "with", "here", "new"]
    assert made["architectures"] == [own, "SCMP_ARCH_X86"] and made["defaultErrnoRet"] == 1
    assert made["syscalls"][1]["errnoRet"] == 38
