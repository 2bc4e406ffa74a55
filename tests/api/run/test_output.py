"""Output reaches the client to the last byte, however slowly it reads, though the container is gone meanwhile."""

import subprocess
import time
from typing import Any

SIZE = 8 << 20


def test_a_slow_reader_gets_everything_of_a_removed_container(daemon: Any) -> None:
    command = f"head -c {SIZE} /dev/zero"
    client = subprocess.Popen(
        ["docker", "-H", daemon.host, "run", "--rm", "busybox", "sh", "-c", command], stdout=subprocess.PIPE
    )
    assert client.stdout
    time.sleep(0.5)
    count = 0
    while piece := client.stdout.read(1 << 16):
        count += len(piece)
        time.sleep(0.001)
    assert (count, client.wait(20)) == (SIZE, 0)


def test_much_input_comes_back(daemon: Any) -> None:
    data = bytes(range(256)) * (8 << 10)
    echoed = daemon.docker("run", "-i", "--rm", "busybox", "cat", stdin=data)
    assert echoed.returncode == 0
    assert echoed.stdout == data
