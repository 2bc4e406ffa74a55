"""cgroup v2's device program: the kernel's verifier takes it, and it answers as v1's lists do. Needs bpf(2)."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dockwright.kernel import bpf
from dockwright.runtime.cgroups import devices
from dockwright.runtime.cgroups.layout import layout

DENY = {"allow": False, "access": "rwm"}
ZERO = {"allow": True, "type": "c", "major": 1, "minor": 5, "access": "rwm"}
NULL = {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rw"}


@pytest.fixture
def group() -> Iterator[Path]:
    """A v2 group of our own; hybrid hosts have v2 as well."""
    if not layout().unified:
        pytest.skip("needs cgroup v2, also beside v1")
    path = Path(layout().unified, f"dwbpf{os.getpid()}")
    path.mkdir()
    yield path
    path.rmdir()


def opens(group: Path, device: str, flags: int) -> bool:
    """Whether a process in `group` may open `device`; only the device list answers EPERM to root here."""
    code = f"""
import os
open({str(group)!r} + "/cgroup.procs", "w").write("0")
try:
    os.open({device!r}, {flags})
except OSError as error:
    raise SystemExit(1 if error.errno == {errno.EPERM} else 2)
"""
    return subprocess.run(["python3", "-c", code], check=False).returncode == 0


CASES: list[tuple[list[dict[str, Any]], tuple[bool, bool, bool]]] = [
    # rules; may read null, may write null, may read zero
    ([DENY], (False, False, False)),
    ([{"allow": True, "access": "rwm"}], (True, True, True)),
    ([DENY, NULL], (True, True, False)),
    ([DENY, {**NULL, "access": "r"}], (True, False, False)),
    ([DENY, NULL, {**NULL, "allow": False, "access": "w"}], (True, False, False)),
    ([DENY, {"allow": True, "type": "c", "major": 1, "access": "rwm"}], (True, True, True)),
    ([DENY, {"allow": True, "type": "b", "access": "rwm"}], (False, False, False)),
    ([{"allow": True, "access": "rwm"}, {**ZERO, "allow": False}], (True, True, False)),
    ([{"allow": True, "access": "r"}], (True, False, True)),
]


@pytest.mark.parametrize(("rules", "expected"), CASES)
def test_the_last_rule_that_fits_decides(group: Path, rules: list[dict[str, Any]], expected: tuple[bool, bool, bool]) -> None:
    devices.attach(str(group), rules)
    asked = (("/dev/null", os.O_RDONLY), ("/dev/null", os.O_WRONLY), ("/dev/zero", os.O_RDONLY))
    assert tuple(opens(group, device, flags) for device, flags in asked) == expected


def test_replacing_takes_the_old_program_away(group: Path) -> None:
    devices.attach(str(group), [DENY])
    assert not opens(group, "/dev/zero", os.O_RDONLY)
    devices.replace(str(group), [{"allow": True, "access": "rwm"}])
    assert opens(group, "/dev/zero", os.O_RDONLY)
    fd = os.open(group, os.O_RDONLY)
    programs = bpf.attached_device_programs(fd)
    assert len(programs) == 1
    for descriptor in [*programs, fd]:
        os.close(descriptor)


def test_the_default_devices_load(group: Path) -> None:
    devices.attach(str(group), devices.with_defaults([DENY]))
    assert opens(group, "/dev/zero", os.O_RDONLY)


def test_what_the_verifier_says_is_in_the_error() -> None:
    with pytest.raises(OSError, match="unreachable insn"):
        bpf.load_device_program(bpf.answer(1) + bpf.answer(0))
