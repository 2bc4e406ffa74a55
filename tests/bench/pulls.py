"""Pulling from a registry beside the engine: the time against dockerd's, and what memory ours takes at most."""

import gzip
import hashlib
import io
import json
import random
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import peers
from images_suite import words
from parts import Result
from peers import ROOT, Engine
from timing import Figures, command, in_turns

sys.path[:0] = [str(ROOT / "tests")]

NAME = "127.0.0.1:5000/bench:1"
LAYERS = 6
MOST = 0.6  # of dockerd's time
MEMORY = 150  # MB


def layout(folder: str) -> None:
    """An OCI layout of an image of six layers, half a gigabyte unpacked: large files and small ones."""
    blobs = Path(folder, "blobs/sha256")
    blobs.mkdir(parents=True)

    def add(data: bytes, media_type: str) -> dict[str, object]:
        name = hashlib.sha256(data).hexdigest()
        (blobs / name).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{media_type}", "digest": f"sha256:{name}", "size": len(data)}

    tars = [mixed(number) for number in range(LAYERS)]
    diffs = ["sha256:" + hashlib.sha256(tar).hexdigest() for tar in tars]
    packed = [add(gzip.compress(tar, 6), "layer.v1.tar+gzip") for tar in tars]
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diffs}}
    document = {"schemaVersion": 2, "config": add(json.dumps(config).encode(), "config.v1+json"), "layers": packed}
    manifest = add(json.dumps(document).encode(), "manifest.v1+json")
    named = {**manifest, "annotations": {"org.opencontainers.image.ref.name": "bench"}}
    Path(folder, "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    Path(folder, "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


def mixed(number: int) -> bytes:
    """A layer of 80 MB: six files of 10 MB, a third of them random, and 1,500 small ones."""
    text, source, buffer = words(1 << 20), random.Random(number), io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for file in range(1506):
            size = 10 << 20 if file < 6 else source.choice([800, 4000, 9000, 40_000])
            data = source.randbytes(size // 3) + text * 7 if file < 6 else text[source.randrange(1 << 19) :]
            info = tarfile.TarInfo(f"layer{number}/d{file % 50}-{file}")
            info.size, info.mtime = size, 1_700_000_000
            tar.addfile(info, io.BytesIO(data[:size]))
    return buffer.getvalue()


def pull(engines: list[Engine], rounds: int) -> list[Result]:
    """`docker pull` of six layers from a registry on the loopback device, page cache warm."""
    from registries import Registries

    started = []
    try:
        with tempfile.TemporaryDirectory(prefix="dwp", dir="/tmp") as folder:
            layout(folder)
            for engine in engines:
                started.append(Registries(["nsenter", f"--net=/run/netns/{engine.netns}"], range(5000, 5004)))
                started[-1].put(f"oci:{folder}:bench", "bench:1")
        figures: dict[str, Figures] = {engine.name: Figures() for engine in engines}
        for _ in range(min(rounds, 5)):
            for engine in engines:
                subprocess.run(["sync"], check=True)
                figures[engine.name].times += in_turns({"once": pulled(engine)}, 1, warm=False)["once"].times
                engine.docker("rmi", NAME)
        return [*against(figures), memory(engines[0])]
    finally:
        for registries in started:
            registries.close()


def pulled(engine: Engine) -> Callable[[], None]:
    """The case."""
    return command(peers.client(), "-H", engine.host, "pull", "-q", NAME)


def against(figures: dict[str, Figures]) -> list[Result]:
    """Ours, the first, as a part of each other's time."""
    (own, ours), *others = figures.items()
    found = []
    for name, theirs in others:
        ratio = ours.median / theirs.median
        value = f"{ratio:.2f} of the time of {name} ({ours.median:.0f} against {theirs.median:.0f} ms)"
        rows = {own: ours.row(), name: theirs.row()}
        found.append(Result("pull of 500 MB in six layers from a local registry", value, f"{MOST:g}", ratio <= MOST, rows))
    return found


def memory(engine: Engine) -> Result:
    """The most that the daemon had in memory so far, the pulls included."""
    pid = int(Path(engine.root, "pid").read_text())
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024 / 1e6
    return Result("memory of the daemon at its peak, pulls included", f"{peak:.0f} MB", f"{MEMORY} MB", peak <= MEMORY)


PARTS = {"pull": pull}
