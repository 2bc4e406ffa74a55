"""Bundles made from the system's static busybox, and `dockwright-runc` run on them.

Every test gets a state root of its own. After it, nothing of it may be left on the host: no mount, cgroup, process or
state (`runtime` checks).
"""

import copy
import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dockwright.runtime import template
from dockwright.runtime.cgroups.layout import layout

ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / ".venv/bin/dockwright-runc"
APPLETS = (
    "sh cat ls id sleep true false echo grep mount umount stat tty kill touch mkdir ln env ps hostname df unshare wc "
    "head rm dd mknod chroot mv ip"
).split()
BUSYBOX = "/bin/busybox"


class Bundle:
    """A bundle directory; `spec` is written as config.json by `write`."""

    def __init__(self, directory: Path, name: str) -> None:
        self.path, self.name = directory, name
        self.rootfs = directory / "rootfs"
        for folder in ("bin", "proc", "sys", "dev", "etc", "tmp", "root"):
            (self.rootfs / folder).mkdir(parents=True)
        shutil.copy(BUSYBOX, self.rootfs / "bin/busybox")
        for applet in APPLETS:
            (self.rootfs / "bin" / applet).symlink_to("busybox")
        (self.rootfs / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n")
        self.spec: dict[str, Any] = template.spec()
        self.spec["process"]["terminal"] = False
        self.spec["root"]["readonly"] = False
        self.linux["cgroupsPath"] = f"/dwtest/{name}"

    @property
    def linux(self) -> dict[str, Any]:
        return self.spec["linux"]

    @property
    def process(self) -> dict[str, Any]:
        return self.spec["process"]

    def args(self, *words: str) -> "Bundle":
        self.process["args"] = list(words)
        return self

    def script(self, text: str) -> "Bundle":
        return self.args("/bin/sh", "-c", text)

    def mount(self, destination: str, kind: str, source: str, *options: str) -> "Bundle":
        self.spec["mounts"].append(
            {"destination": destination, "type": kind, "source": source, "options": list(options)}
        )
        return self

    def namespace(self, kind: str, path: str = "") -> "Bundle":
        self.without(kind)
        self.linux["namespaces"].append({"type": kind, **({"path": path} if path else {})})
        return self

    def without(self, kind: str) -> "Bundle":
        self.linux["namespaces"] = [n for n in self.linux["namespaces"] if n["type"] != kind]
        return self

    def user_namespace(self, host: int = 100000) -> "Bundle":
        """Ids 0.. of the container are `host`.. outside; what the root holds is given to them."""
        self.namespace("user")
        self.linux["uidMappings"] = self.linux["gidMappings"] = [{"containerID": 0, "hostID": host, "size": 65536}]
        for path in [self.rootfs, *self.rootfs.rglob("*")]:
            os.chown(path, host, host, follow_symlinks=False)
        return self

    def write(self) -> None:
        (self.path / "config.json").write_text(json.dumps(self.spec))

    def copy_of_spec(self) -> dict[str, Any]:
        return copy.deepcopy(self.spec)


Result = "subprocess.CompletedProcess[str]"


class Runtime:
    """The command line on a state root of its own, with an almost empty environment, as shims call it."""

    def __init__(self, directory: Path, name: str) -> None:
        self.root, self.name = directory / "state", name
        self.environment = {"PATH": "/nowhere"}

    def __call__(self, *words: str, check: bool = False, **options: Any) -> Result:
        command = [str(PROGRAM), "--root", str(self.root), *words]
        options = {"stdin": subprocess.DEVNULL, "timeout": 60, "env": self.environment, **options}
        if options.get("input") is not None:
            del options["stdin"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
        assert not check or done.returncode == 0, done
        return done

    def run(self, bundle: Bundle, *flags: str, **options: Any) -> Result:
        bundle.write()
        return self("run", "--bundle", str(bundle.path), *flags, self.name, **options)

    def output(self, bundle: Bundle, *flags: str) -> str:
        done = self.run(bundle, *flags)
        assert done.returncode == 0, done
        return done.stdout

    def create(self, bundle: Bundle, *flags: str, check: bool = True) -> Result:
        """`create` hands its streams to the container, so they are files here."""
        bundle.write()
        command = [str(PROGRAM), "--root", str(self.root), "create", "--bundle", str(bundle.path), *flags, self.name]
        with open(bundle.path / "out", "w") as out, open(bundle.path / "err", "w") as err:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=self.environment, timeout=60, check=False
            )
        text = subprocess.CompletedProcess(command, done.returncode, "", (bundle.path / "err").read_text())
        assert not check or done.returncode == 0, text
        return text

    def start(self, bundle: Bundle, *flags: str) -> int:
        """create + start; returns init's pid."""
        self.create(bundle, *flags)
        self("start", self.name, check=True)
        return int(self.state()["pid"])

    def state(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self("state", self.name, check=True).stdout)
        return document

    def exec(self, *words: str, **options: Any) -> Result:
        return self("exec", self.name, *words, **options)

    def message(self, done: Result) -> str:
        """The text of the error a command ended with."""
        assert done.returncode != 0, done
        line = done.stderr.strip().splitlines()[-1]
        text: str = json.loads(line.partition(" msg=")[2])
        return text


class Host:
    """What the host has of a test: equal before and after, or something leaked."""

    def __init__(self, name: str) -> None:
        self.name = name

    def view(self) -> dict[str, Any]:
        return {"mounts": self.mounts(), "cgroups": self.cgroups(), "processes": self.processes()}

    def mounts(self) -> list[str]:
        return [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines() if self.name in line]

    def cgroups(self) -> list[str]:
        points = {*layout().v1.values(), layout().unified} - {""}
        return [str(path) for point in points for path in Path(point, "dwtest").glob(f"{self.name}*")]

    def processes(self) -> list[int]:
        """Processes of the runtime and of its containers: init's command line is the runtime's until execve.

        Zombies are not counted: they are their new parent's to collect, not ours.
        """
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    if ") Z " in (entry / "stat").read_text():
                        continue
                    if self.name in (entry / "cmdline").read_text() or self.name in (entry / "cgroup").read_text():
                        found.append(int(entry.name))
                except OSError:
                    continue
        return found


@pytest.fixture
def name() -> str:
    return f"dwt{secrets.token_hex(4)}"


@pytest.fixture
def bundle(tmp_path: Path, name: str) -> Bundle:
    return Bundle(tmp_path / name, name)


@pytest.fixture
def host(name: str) -> Host:
    return Host(name)


@pytest.fixture
def runtime(tmp_path: Path, name: str, host: Host) -> Iterator[Runtime]:
    if not PROGRAM.exists():
        pytest.fail("dockwright-runc is not set up: run scripts/setup")
    before = host.view()
    runtime = Runtime(tmp_path, name)
    yield runtime
    if runtime.root.exists():
        for left in runtime.root.iterdir():
            runtime("delete", "--force", left.name)
    assert host.view() == before, "something is left on the host"
    for point in {*layout().v1.values(), layout().unified} - {""}:
        try:
            Path(point, "dwtest").rmdir()
        except OSError:
            continue  # another test's container is in it
