"""The demonstration: a daemon of its own, containers of every kind, what each step cost, and nothing left behind."""

import argparse
import os
import secrets
import shutil
import sys
import time
from pathlib import Path

import place
import remains
import terminal
from engine import Engine
from stage import COLUMNS, ROWS, Stage

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import images  # tests/images.py: an image of the system's static busybox

PAGE = "It works."
PULL_PATIENCE = 20.0  # seconds
KEYS = "tty; stty size; exit 7\n"
SERVER = f"sh -c 'echo {PAGE} > /index.html; exec httpd -f -vv -p 80'"


def main() -> int:
    """Run it; 0 if everything went well and nothing is left."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--namespace", action="store_true", help="use a network namespace even where the host's is free")
    namespace = parser.parse_args().namespace
    remains.adopt_orphans()
    token = f"dwd{secrets.token_hex(4)}"
    root = f"/tmp/{token}"
    before = remains.look(root, set())
    began = time.perf_counter()
    terminal.title("Dockwright: a container engine in Python that docker clients take for Docker")
    engine = Engine(root, place.choose(token, namespace))
    os.mkdir(root, 0o711)
    stage = Stage(engine)
    try:
        play(stage)
    finally:
        clean(stage, before)
    return verdict(stage, time.perf_counter() - began)


def play(stage: Stage) -> None:
    """All of it, from the first container to the last."""
    beginning(stage)
    attached(stage)
    detached(stage)
    interactive(stage)
    crash(stage)
    explained(stage)


def beginning(stage: Stage) -> None:
    """The daemon and the image."""
    terminal.heading(f"A daemon of its own, {stage.engine.place.words}")
    stage.doing(f"dockwrightd -H {stage.engine.host}", stage.engine.start)
    if stage.failed:
        raise SystemExit(1)
    terminal.heading("An image: busybox, from its registry")
    done = stage.engine.docker("pull", "busybox", patience=PULL_PATIENCE)
    if done.status == 0:
        stage.shown(True, "dockwright pull busybox", done.took)
        terminal.output(done.out)
    else:
        terminal.output(done.err or "no answer")
        terminal.heading("The registry cannot be reached: busybox is the system's static one, packed as docker save does")
        loaded(stage)


def loaded(stage: Stage) -> None:
    """The image made here."""
    archive = images.docker_archive([images.busybox_layer()], ["busybox:latest"])
    done = stage.engine.docker("load", stdin=archive)
    stage.shown(not done.status, f"dockwright load < {len(archive) / 1e6:.1f} MB", done.took)
    terminal.output(done.out + done.err)


def attached(stage: Stage) -> None:
    """Run and wait."""
    terminal.heading("Attached: its output, errors and exit status are ours")
    stage.command("run --rm busybox echo hello from a container", "hello from a container")
    stage.command("run --rm --memory 64m --cpus 0.5 --read-only --user nobody busybox sh -c 'id -un; touch /x; exit 3'",
                  "Read-only file system", status=3)  # fmt: skip
    if docker := shutil.which("docker"):
        terminal.heading("The real docker client cannot tell the difference")
        stage.command("run --rm busybox echo hello, docker", "hello, docker", program=docker)


def detached(stage: Stage) -> None:
    """A server in the background, looked at from all sides."""
    terminal.heading("Detached: a web server on a published port")
    stage.command(f"run -d --name web -p 80 {SERVER.replace('sh', 'busybox sh', 1)}")
    stage.fetch(published(stage), PAGE)
    stage.command("ps", "web")
    stage.command("exec web ps", "httpd")
    stage.command("logs web", "url:/")
    stage.command("stats --no-stream web", "web")


def published(stage: Stage) -> int:
    """The port of the host that the web server has; 0 if it has none."""
    _, _, port = stage.engine.docker("port", "web", "80").out.partition("\n")[0].rpartition(":")
    return int(port) if port.isdecimal() else 0


def interactive(stage: Stage) -> None:
    """A shell on a terminal, typed into."""
    terminal.heading(f"Interactive: a shell on a terminal, in which is typed: {KEYS.strip()}")
    stage.typed("run --rm -it busybox sh", KEYS, ("/dev/pts/0", f"{ROWS} {COLUMNS}"), status=7)


def crash(stage: Stage) -> None:
    """The daemon is killed and comes back; the container does not notice."""
    terminal.heading("The daemon is killed: its containers go on, and the next daemon finds them")
    port = published(stage)
    stage.doing(f"kill -9 {stage.engine.pid}", stage.engine.kill)
    stage.fetch(port, PAGE)
    stage.doing("dockwrightd again", stage.engine.start)
    stage.command("exec web echo still here", "still here")


def explained(stage: Stage) -> None:
    """Where the time of one start goes."""
    terminal.heading("Every step of a start can be seen: the ten that took longest, and the sums")
    done = stage.command("run --rm --explain busybox true", "execve", lines=0)
    rows, _, sums = done.err.partition("\n\n")
    if done.status == 0 and sums:
        head, *steps = rows.splitlines()
        longest = sorted((row for row in steps if "client " not in row[:29]), key=lambda row: -took(row))[:10]
        terminal.output("\n".join([head, *sorted(longest, key=lambda row: int(row[:9]))]), 11)
        terminal.output(sums)
    stage.command("rm -f web", "web")


def took(row: str) -> int:
    """The second column of a row of `--explain`, microseconds."""
    text = row[9:19].strip()
    return int(text) if text.isdecimal() else 0


def clean(stage: Stage, before: remains.Found) -> None:
    """End everything, and look for what is left."""
    terminal.heading("Nothing is left behind: this host before and after")
    engine = stage.engine
    began = time.perf_counter()
    try:
        engine.close()
    finally:
        engine.remove()
    left = remains.settle(engine.root, engine.idents, before)
    counts = ", ".join(f"{len(found)} {kind}" for kind, found in left.items())
    stage.shown(not any(left.values()), counts, (time.perf_counter() - began) * 1000)
    terminal.output("\n".join(f"{kind}: {item}" for kind, found in left.items() for item in sorted(found)), 40)
    remains.unmount(engine.root)
    shutil.rmtree(engine.root, ignore_errors=True)


def verdict(stage: Stage, seconds: float) -> int:
    """The last lines, and the exit status."""
    if stage.failed:
        terminal.heading(f"{len(stage.failed)} of {stage.steps} steps went wrong:")
        terminal.output("\n".join(stage.failed), 40)
        return 1
    terminal.heading(f"{stage.steps} steps in {seconds:.1f} s. Your turn: sudo .venv/bin/dockwright --help")
    return 0


if __name__ == "__main__":
    sys.exit(main())
