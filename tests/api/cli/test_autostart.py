"""Nobody listens: root starts the daemon, others are told. In mount and network namespaces of the test's own."""

import subprocess
from pathlib import Path

OURS = Path(__file__).parents[3] / ".venv/bin/dockwright"
# not root, but able to read a checkout that only root may enter
NOBODY = (
    "setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=+dac_read_search --ambient-caps=+dac_read_search"
)
PRELUDE = """
set -e
mount --make-rprivate /
for folder in /run /var/lib /var/log; do mount -t tmpfs tmpfs $folder; done
ip link set lo up
unset DOCKER_HOST DOCKER_CONTEXT
export HOME=/run/home
finish() { kill $(cat /run/dockwright/dockwrightd.pid); while [ -e /run/dockwright/dockwrightd.pid ]; do sleep 0.1; done; }
"""


def shell(script: str) -> "subprocess.CompletedProcess[str]":
    script = (PRELUDE + script).replace("NOBODY", NOBODY).replace("OURS", str(OURS))
    command = ["unshare", "-m", "-n", "bash", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def test_two_at_once_start_one_daemon() -> None:
    once = "grep -c 'API listen' /var/log/dockwright.log"
    done = shell(f"OURS ps & first=$!; OURS version -f '{{{{.Server.Version}}}}'; wait $first; {once}; finish")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert sorted(lines) == sorted(["27.5.1", "CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES", "1"])


def test_a_daemon_that_cannot_start_is_quoted() -> None:
    done = shell("touch /var/lib/dockwright; OURS ps")
    assert done.returncode == 1
    assert done.stderr.startswith("dockwrightd could not be started, see /var/log/dockwright.log:\n  ")
    assert "/var/lib/dockwright" in done.stderr.splitlines()[-1]


def test_others_are_told() -> None:
    done = shell("NOBODY OURS ps")
    text = "Cannot connect to the Docker daemon at unix:///run/dockwright/dockwright.sock. Is the docker daemon running?\n"
    assert (done.returncode, done.stderr) == (1, text)


def test_dockers_own_socket_serves_those_who_may_not_start_ours() -> None:
    script = """
mkdir -p /run/dw; chmod 755 /run/dw
OURSd -H unix:///var/run/docker.sock --group root --data-root /run/dw/data --exec-root /run/dw/exec --pidfile /run/dw/pid \\
    2>/run/dw/log &
for i in $(seq 100); do [ -S /var/run/docker.sock ] && break; sleep 0.1; done
chmod 666 /var/run/docker.sock
NOBODY OURS version -f '{{.Server.Version}}'
kill $(cat /run/dw/pid); wait
"""
    done = shell(script)
    assert (done.stdout, done.stderr) == ("27.5.1\n", ""), done
