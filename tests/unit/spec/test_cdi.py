"""What described devices change in a spec."""

import pytest

from dockwright.base.errors import Internal
from dockwright.host.cdi import DeviceNode, Edits, Hook, Mount
from dockwright.spec.cdi import inject


def spec(uid=0):
    return {
        "process": {"env": ["A=1", "B=2"], "user": {"uid": uid, "gid": uid, "additionalGids": [5]}},
        "mounts": [{"destination": "/proc"}, {"destination": "/opt/lib"}],
        "linux": {"devices": [{"path": "/dev/x"}], "resources": {"devices": [{"allow": False, "access": "rwm"}]}},
    }


def test_variables_and_groups():
    made = spec()
    inject(made, [Edits(env=["B=3", "C=4"], additional_gids=[0, 5, 7, 7])])
    assert made["process"]["env"] == ["A=1", "B=3", "C=4"]
    assert made["process"]["user"]["additionalGids"] == [5, 7]


def test_a_device_is_as_on_the_host_and_belongs_to_the_containers_user():
    made = spec(uid=1000)
    inject(made, [Edits(device_nodes=[DeviceNode("/dev/x", host_path="/dev/null", permissions="r")])])
    (device,) = made["linux"]["devices"]
    assert device == {"path": "/dev/x", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666, "uid": 1000, "gid": 1000}
    assert made["linux"]["resources"]["devices"][-1] == {
        "allow": True, "type": "c", "major": 1, "minor": 3, "access": "r"
    }  # fmt: skip


def test_a_device_that_is_said_in_full_need_not_be_on_the_host():
    made = spec()
    inject(made, [Edits(device_nodes=[DeviceNode("/dev/y", type="b", major=8, minor=1, file_mode=0o640, uid=3, gid=4)])])
    assert made["linux"]["devices"][-1] == {
        "path": "/dev/y", "type": "b", "major": 8, "minor": 1, "fileMode": 0o640, "uid": 3, "gid": 4
    }  # fmt: skip


def test_mounts_replace_what_is_there_and_outer_ones_come_first():
    made = spec()
    inject(made, [Edits(mounts=[Mount("/host", "/opt/lib", ["ro", "bind"]), Mount("/usr", "/u")])])
    assert [mount["destination"] for mount in made["mounts"]] == ["/proc", "/u", "/opt/lib"]
    assert made["mounts"][2] == {"destination": "/opt/lib", "source": "/host", "type": "none", "options": ["ro", "bind"]}


def test_hooks():
    made = spec()
    inject(made, [Edits(hooks=[Hook("createContainer", "/a", ["a", "b"], ["X=1"], 3), Hook("poststop", "/z")])])
    assert made["hooks"] == {
        "createContainer": [{"path": "/a", "args": ["a", "b"], "env": ["X=1"], "timeout": 3}], "poststop": [{"path": "/z"}]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("edits", "text"),
    [
        (Edits(device_nodes=[DeviceNode("/nowhere")]), 'failed to stat CDI host device "/nowhere": no such file or directory'),
        (Edits(device_nodes=[DeviceNode("/tmp")]), '"/tmp" is not a device node'),
        (Edits(hooks=[Hook("someday", "/a")]), 'unknown hook name "someday"'),
    ],
)
def test_edits_that_cannot_be(edits, text):
    with pytest.raises(Internal, match=text):
        inject(spec(), [edits])
