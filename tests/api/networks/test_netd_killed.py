"""netd killed at any moment: a start succeeds or says why not, and afterwards everything is as it should be."""

import os
import signal
import subprocess
import threading
import time
from typing import Any


def netds(daemon: Any) -> list[int]:
    """The pids of the daemon's netd: none or one."""
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as command:
                if f"{daemon.root}/exec/netd/s".encode() in command.read():
                    found.append(int(pid))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


class Killer(threading.Thread):
    """Kills netd again and again, each time a little later after it was found."""

    def __init__(self, daemon: Any) -> None:
        super().__init__(daemon=True)
        self.daemon_under_test, self.ended, self.kills = daemon, threading.Event(), 0

    def run(self) -> None:
        while not self.ended.wait(0.01):
            for pid in netds(self.daemon_under_test):
                time.sleep(0.004 * (self.kills % 12))
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                self.kills += 1


def test_netd_is_killed_at_any_moment(daemon: Any) -> None:
    daemon.says("network", "create", "front")
    daemon.says("run", "-d", "--name", "stays", "--network", "front", "-p", "8270:80", "busybox", "sleep", "300")
    address = daemon.says("inspect", "-f", "{{.NetworkSettings.Networks.front.IPAddress}}", "stays")
    killer = Killer(daemon)
    killer.start()
    outcomes = []
    for number in range(16):
        ports = ("-p", "8271:80", "-p", "8271:53/udp")
        done = daemon.docker("run", "--rm", "--network", "front", "--name", f"one{number}", *ports, "busybox", "echo", "ran")
        told = b"netd" in done.stderr or b"failed to" in done.stderr or b"resolve" in done.stderr
        outcomes.append(done.stdout == b"ran\n")
        assert outcomes[-1] or (done.returncode and told), done
        daemon.docker("rm", "-f", f"one{number}")
    killer.ended.set()
    killer.join()
    assert killer.kills > 3 and len(netds(daemon)) <= 1
    assert daemon.says("ps", "-a", "--format", "{{.Names}}") == "stays"
    deadline = time.monotonic() + 10
    while address not in daemon.docker("exec", "stays", "nslookup", "stays.front").stdout.decode():
        assert time.monotonic() < deadline, "names are not told again"
        time.sleep(0.1)
    assert daemon.says("run", "--rm", "--network", "front", "-p", "8271:80", "busybox", "echo", "ran") == "ran"
    taken = daemon.docker("run", "--rm", "-p", "8270:80", "busybox", "true")
    assert b"port is already allocated" in taken.stderr
    bind = "import socket, sys; socket.create_server(('', int(sys.argv[1])))"
    free = [subprocess.run([*daemon.inside, "python3", "-c", bind, port], capture_output=True) for port in ("8270", "8271")]
    assert [done.returncode for done in free] == [1, 0]  # what is published is held, nothing else
    rules = subprocess.run([*daemon.inside, "nft", "list", "ruleset"], capture_output=True, check=True).stdout
    assert b"8270" in rules and b"8271" not in rules
    daemon.says("rm", "-f", "stays")
    daemon.says("network", "rm", "front")
