"""What the runtime's command and the zygote load is fixed: it is paid at every start (docs/rooms/runtime.md)."""

import subprocess
import sys
from pathlib import Path

import pytest

SRC = str(Path(__file__).parents[3] / "src")
# heavy packages, and what would drag them in
FORBIDDEN = {
    "re", "json", "typing", "dataclasses", "pathlib", "subprocess", "logging", "argparse", "contextlib", "socket",
    "enum", "functools", "collections", "threading", "inspect", "shutil", "tempfile", "signal", "random", "hashlib",
    "ctypes.util", "selectors", "asyncio", "traceback", "string", "datetime", "struct", "base64", "importlib.util",
}  # fmt: skip
# all that is loaded beside what the bare interpreter has and our own modules
STANDARD = {
    "__future__", "_ctypes", "_json", "_signal", "_socket", "_struct", "ctypes", "ctypes._endian", "errno", "gc",
    "_collections_abc", "_stat", "abc", "genericpath", "itertools", "os", "os.path", "posixpath", "resource", "select", "stat",
    "struct", "time", "types",
}  # fmt: skip
OWN_ROOMS = ("dockwright.base", "dockwright.kernel", "dockwright.runtime", "dockwright.supervisor")


def loaded(code: str) -> set[str]:
    """Modules that `code` loads in an interpreter started as the launcher starts it."""
    program = (
        "import sys; sys.dont_write_bytecode = True; before = set(sys.modules); "
        f"sys.path[:0] = [{SRC!r}]; {code}; print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-B", "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "verb",
    "create delete events exec features kill list pause ps resume run spec start state update".split(),
)
def test_a_verb_loads_little(verb: str) -> None:
    modules = loaded(f"from dockwright.runtime.main import main; import dockwright.runtime.commands.{verb}")
    ours = {m for m in modules if m == "dockwright" or m.startswith("dockwright.")}
    assert not (modules & (FORBIDDEN - {"struct"}))
    assert modules - ours <= STANDARD
    assert all(m == "dockwright" or m.startswith(OWN_ROOMS) for m in ours)
    assert {m for m in ours if m.startswith("dockwright.runtime.commands.")} == {f"dockwright.runtime.commands.{verb}"}


def test_state_needs_no_more_than_it_reads() -> None:
    """`state` and `list` make no system calls of their own: neither mounts nor seccomp nor the plan are loaded."""
    modules = loaded("from dockwright.runtime.main import main; import dockwright.runtime.commands.state")
    assert not {"dockwright.runtime.plan", "dockwright.runtime.seccomp", "dockwright.runtime.container"} & modules


def test_the_zygote_loads_little() -> None:
    modules = loaded("from dockwright.supervisor import zygote")
    assert not (modules & (FORBIDDEN - {"struct"}))
