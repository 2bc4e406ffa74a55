"""test_scopes.py where systemd does not run this host: in a guest, with systemd as process 1 of namespaces of its own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dockwright.supervisor import systemd

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


@pytest.fixture
def boot(peer: Callable[[str], str]) -> "Iterator[Callable[..., subprocess.CompletedProcess[str]]]":
    """Runs a command under systemd in a guest."""
    if systemd.booted():
        pytest.skip("systemd runs this host: test_scopes.py runs on it")
    run = os.environ.get("VM_RUN", "")
    if not shutil.which(run):
        pytest.skip("needs systemd, or $VM_RUN to run it in a guest")
    peer("systemd-run")
    shared = tempfile.mkdtemp(prefix="dwg", dir="/tmp")

    def booted(*command: str) -> "subprocess.CompletedProcess[str]":
        shares = ["--share", str(ROOT), "--share", shared]
        whole = [run, *shares, "--timeout", "300", "--", "sh", str(HERE / "boot"), *command]
        return subprocess.run(whole, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)

    booted.shared = Path(shared)
    yield booted
    shutil.rmtree(shared)


def test_scopes_in_a_guest(boot) -> None:
    python = str(ROOT / ".venv/bin/python")
    done = boot(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--require-root", str(HERE / "test_scopes.py"))
    assert done.returncode == 0 and "skipped" not in done.stdout, done.stdout + done.stderr


def test_a_shutdown_of_the_host_stops_containers_with_their_own_signal(boot) -> None:
    """What the container writes when it is told to end is there when the host is down."""
    script = SHUTDOWN.format(python=ROOT / ".venv/bin/python", here=HERE, root=ROOT, shared=boot.shared)
    (boot.shared / "script").write_text(script)
    done = boot("sh", str(boot.shared / "script"))
    said, log = boot.shared / "said", boot.shared / "log"
    assert done.returncode == 0 and said.exists(), done.stdout + done.stderr + log.read_text()
    assert said.read_text() == "stopped\n"


SHUTDOWN = """
set -ex
cd {here}
export PYTHONPATH={root}/src
mkdir -p /tmp/dwsd
{python} -c 'import test_scopes as t; t.install(t.NAME)'
mkdir /run/systemd/system/dockwright.service.d
printf '[Service]\\nStandardError=append:{shared}/log\\n' > /run/systemd/system/dockwright.service.d/log.conf
systemctl daemon-reload
systemctl start dockwright.service
export DOCKER_HOST=unix:///run/dockwright/dockwright.sock
{python} -c 'import test_scopes as t; t.load()'
docker run -d --stop-signal USR1 -v {shared}:/out busybox \\
    sh -c 'trap "echo stopped > /out/said; exit 0" USR1; touch /out/ready; while :; do sleep 0.1; done'
while [ ! -e {shared}/ready ]; do sleep 0.1; done
"""
