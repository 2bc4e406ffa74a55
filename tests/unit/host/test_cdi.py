"""Files that describe devices: which count, and what is wrong with the others."""

import json

import pytest

from dockwright.base.errors import Internal
from dockwright.host import cdi

GPU = {
    "cdiVersion": "0.6.0",
    "kind": "vendor.com/gpu",
    "containerEdits": {"env": ["ALL=1"]},
    "devices": [
        {"name": "0", "containerEdits": {"env": ["GPU=0"], "deviceNodes": [{"path": "/dev/null", "permissions": "r"}]}},
        {"name": "1", "containerEdits": {"env": ["GPU=1"]}},
    ],
}
YAML = """
cdiVersion: "0.5.0"
kind: vendor.com/net
devices:
- name: eth
  containerEdits:
    hooks:
    - hookName: createContainer
      path: /usr/bin/ldconfig
      args: [ldconfig, -r]
"""


def write(directory, name, document):
    directory.mkdir(exist_ok=True)
    text = document if isinstance(document, str) else json.dumps(document)
    (directory / name).write_text(text)
    return directory


def test_what_is_common_to_a_file_comes_once_and_first(tmp_path):
    directory = write(tmp_path / "a", "gpu.json", GPU)
    edits = cdi.edits(["vendor.com/gpu=1", "vendor.com/gpu=0"], (str(directory),))
    assert [edit.env for edit in edits] == [["ALL=1"], ["GPU=1"], ["GPU=0"]]
    assert edits[2].device_nodes == [cdi.DeviceNode("/dev/null", permissions="r")]


def test_yaml(tmp_path):
    directory = write(tmp_path / "a", "net.yaml", YAML)
    (hook,) = cdi.edits(["vendor.com/net=eth"], (str(directory),))[1].hooks
    assert (hook.hook_name, hook.path, hook.args) == ("createContainer", "/usr/bin/ldconfig", ["ldconfig", "-r"])


def test_the_later_directory_counts(tmp_path):
    first = write(tmp_path / "a", "gpu.json", GPU)
    later = write(tmp_path / "b", "x.json", {**GPU, "containerEdits": {}, "devices": [{"name": "0", "containerEdits": {}}]})
    found = cdi.edits(["vendor.com/gpu=0"], (str(first), str(later), str(tmp_path / "missing")))
    assert found == [cdi.Edits(), cdi.Edits()]


def test_two_files_of_one_directory_that_describe_the_same_device(tmp_path):
    directory = write(tmp_path / "a", "gpu.json", GPU)
    write(directory, "too.json", GPU)
    with pytest.raises(Internal, match=r'unresolvable CDI devices vendor.com/gpu=0\n.*conflicting device'):
        cdi.edits(["vendor.com/gpu=0"], (str(directory),))


def test_devices_that_are_not_described(tmp_path):
    with pytest.raises(Internal) as error:
        cdi.edits(["vendor.com/gpu=7", "foo.com/gpu=0"], (str(write(tmp_path / "a", "gpu.json", GPU)),))
    assert error.value.message == "CDI device injection failed: unresolvable CDI devices vendor.com/gpu=7, foo.com/gpu=0"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"cdiVersion": "9.9.9"}, "unsupported version"),
        ({"kind": "nothing"}, "invalid kind"),
        ({"kind": "vendor.com/" + "x" * 64}, "invalid kind"),
        ({"devices": []}, "no devices"),
        ({"devices": [{"name": "a b", "containerEdits": {}}]}, "invalid device name"),
        ({"devices": [{"name": "a", "containerEdits": {}}] * 2}, "duplicate device"),
        ({"devices": [{"name": "a"}]}, "missing required field"),
        ({"unknown": 1}, "unknown field"),
    ],
)
def test_files_that_are_none(tmp_path, change, text):
    directory = write(tmp_path / "a", "bad.json", {**GPU, **change})
    with pytest.raises(ValueError, match=text):
        cdi.read(f"{directory}/bad.json")


@pytest.mark.parametrize("name", ["bad.json", "bad.yaml"])
def test_files_that_cannot_be_read(tmp_path, name):
    directory = write(tmp_path / "a", name, "{")
    with pytest.raises(ValueError, match="failed to"):
        cdi.read(f"{directory}/{name}")
