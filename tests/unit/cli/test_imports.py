"""What a run loads: start time is a contract."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
_spec = importlib.util.spec_from_file_location("recording", Path(__file__).parent / "recording.py")
assert _spec and _spec.loader
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
recorder = _module.recorder
PROGRAM = """
import sys
sys.path.insert(0, {source!r})
old = set(sys.modules)
from dockwright.cli.main import run
status = run({arguments!r})
print(status, *sorted(set(sys.modules) - old), file=sys.stderr)
"""
OURS_FOR_RUN = (
    "dockwright dockwright.cli dockwright.cli.commands dockwright.cli.commands.run dockwright.cli.configuration "
    "dockwright.cli.context dockwright.cli.creation dockwright.cli.endpoints dockwright.cli.failure dockwright.cli.faults "
    "dockwright.cli.hostconfig dockwright.cli.hosts dockwright.cli.main dockwright.cli.options dockwright.cli.session "
    "dockwright.cli.settings dockwright.cli.signals dockwright.cli.sockets dockwright.cli.streams "
    "dockwright.cli.terminal dockwright.client dockwright.client.address dockwright.client.client "
    "dockwright.client.documents dockwright.client.errors "
    "dockwright.client.query dockwright.client.stdcopy dockwright.client.wire dockwright.grammar dockwright.grammar.flags"
).split()


def loaded(host: str, *arguments: str) -> list[str]:
    program = PROGRAM.format(source=str(ROOT / "src"), arguments=["-H", host, *arguments])
    environment = {"HOME": "/nonexistent", "PATH": os.environ["PATH"]}
    command = [sys.executable, "-I", "-S", "-B", "-c", program]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, check=True)
    status, *modules = done.stderr.splitlines()[-1].split()
    assert status == "0", done
    return modules


def test_run_loads_only_this(tmp_path: Path) -> None:
    with recorder(str(tmp_path / "s")) as daemon:
        modules = loaded(daemon.host, "run", "--rm", "busybox", "true")
    foreign = {name for name in modules if not name.startswith("dockwright")}
    assert {name for name in modules if name.startswith("dockwright")} == set(OURS_FOR_RUN)
    assert foreign == {"__future__", "_socket", "_json", "select"}


@pytest.mark.parametrize("command", ["stop x", "rm x", "pause x", "kill x", "rename a b", "start x", "wait x"])
def test_verbs_load_one_command_module(tmp_path: Path, command: str) -> None:
    with recorder(str(tmp_path / "s")) as daemon:
        modules = loaded(daemon.host, *command.split())
    mine = {name for name in modules if name.startswith("dockwright.cli.commands.")} - {"dockwright.cli.commands.run"}
    assert mine == {f"dockwright.cli.commands.{command.split()[0]}"}
    assert not {"argparse", "click", "typing", "os", "socket", "re", "json", "enum"} & set(modules)
