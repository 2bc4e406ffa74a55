"""What pull, load, import and a run that fetches its image show of the daemon's progress: docker's bytes, on terminals too."""

import importlib.util
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.usefixtures("docker28")
OURS = str(ROOT / ".venv/bin/dockwright")


def load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


recording = load(ROOT / "tests/unit/cli/recording.py")
terminal = load(ROOT / "tests/api/cli/terminal.py")


def layer(ident: str, status: str, **detail: object) -> dict[str, object]:
    return {"id": ident, "status": status, "progressDetail": detail} | ({"progress": "x"} if detail else {})


GOOD = [
    {"status": "Pulling from library/busybox", "id": "latest"},
    layer("aaa", "Pulling fs layer"), layer("bbb", "Pulling fs layer"), layer("aaa", "Downloading", current=1024, total=4096),
    layer("bbb", "Downloading", current=532480, total=53248000), layer("aaa", "Downloading", current=4096, total=4096),
    layer("aaa", "Downloading", current=4096), layer("aaa", "Verifying Checksum"),
    layer("aaa", "Extracting", current=3, total=4, units="s"), layer("aaa", "Pull complete"), layer("bbb", "Pull complete"),
    {"status": "Digest: sha256:123"}, {"status": "Status: Downloaded newer image for busybox:latest"}, {"stream": "Loaded\n"},
]  # fmt: skip
LINES = [
    "pull busybox", "pull -q busybox:1", "run --pull always --rm busybox", "import /etc/hostname", "load -i /etc/hostname",
]  # fmt: skip
BAD = [*GOOD[:4], {"errorDetail": {"message": "boom"}, "error": "boom"}]


@pytest.mark.parametrize("messages", [GOOD, BAD], ids=["good", "bad"])
@pytest.mark.parametrize("line", LINES)
def test_docker_shows_the_same(tmp_path: Path, line: str, messages: list[dict[str, object]]) -> None:
    shown = {}
    with recording.recorder(str(tmp_path / "s")) as daemon:
        daemon.progress = messages
        for program in ("docker", OURS):
            command = [program, "-H", daemon.host, *line.split()]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
            shown[program] = [done.returncode, done.stdout, done.stderr.replace(b"dockwright", b"docker")]
            for size in ((24, 80), (24, 150), (24, 40)):
                status, text = terminal.Terminal(command, size).end()
                shown[program] += [status, text.replace(b"dockwright", b"docker")]
    assert shown[OURS] == shown["docker"]
