"""Pulling from a registry beside the engine: the time against dockerd's, and what memory ours takes at most."""

import gzip
import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import peers
from images_suite import words
from parts import Result
from peers import ROOT, Engine
from timing import Figures, command, in_turns

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]

NAME = "127.0.0.1:5000/bench:1"
LAYERS = 6
MOST = 0.6  # of dockerd's time
SLOWEST = 1.3  # of its longest stage alone
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
            stages = {name: Figures() for name in STAGES}
            for _ in range(min(rounds, 5)):
                for engine in engines:
                    subprocess.run(["sync"], check=True)
                    figures[engine.name].times += in_turns({"once": pulled(engine)}, 1, warm=False)["once"].times
                    engine.docker("rmi", NAME)
                for name, stage in STAGES.items():
                    stages[name].times.append(alone(stage, folder, engines[0]))
        return [*against(figures), beside(figures[engines[0].name], stages), memory(engines[0])]
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


def downloaded(blob: Path, place: str, engine: Engine) -> None:
    """One blob from the registry, to nowhere."""
    url = f"http://127.0.0.1:5000/v2/bench/blobs/sha256:{blob.name}"
    command("nsenter", f"--net=/run/netns/{engine.netns}", "curl", "-sf", "-o", "/dev/null", url)()


def hashed(blob: Path, place: str, engine: Engine) -> None:
    """Both digests: of the blob and of its tar, which is read as it was left by `inflated`."""
    for path in (blob, Path(place, blob.name)):
        with open(path, "rb") as file:
            hashlib.file_digest(file, "sha256")


def inflated(blob: Path, place: str, engine: Engine) -> None:
    """The tar, to a file, as somebody has to have it; the engine's own inflater."""
    from dockwright.images.inflate import CHUNK, opened

    with open(blob, "rb", buffering=0) as file, open(f"{place}/{blob.name}", "wb", buffering=0) as target:
        source = opened(file)
        while data := source.read(CHUNK):
            target.write(data)


def written(blob: Path, place: str, engine: Engine) -> None:
    """The tar's files, by the engine's own unpacker."""
    from dockwright.images.snapshotters.stacking import Nothing
    from dockwright.images.unpack import Unpacker

    folder = f"{place}/{blob.name}.files"
    os.mkdir(folder)
    with open(f"{place}/{blob.name}", "rb", buffering=0) as file, Unpacker(folder, folder, Nothing()) as unpacker:
        unpacker.all(file)


Stage = Callable[[Path, str, Engine], None]
STAGES: dict[str, Stage] = {"download": downloaded, "inflate": inflated, "sha256": hashed, "tar writing": written}


def alone(stage: Stage, folder: str, engine: Engine) -> float:
    """Milliseconds that one stage of a pull takes for all layers, one after the other, the page cache warm."""
    place = tempfile.mkdtemp(prefix="stage", dir=folder)
    blobs = sorted(path for path in Path(folder, "blobs/sha256").iterdir() if path.stat().st_size > 1 << 20)
    if stage in (hashed, written):
        for blob in blobs:
            inflated(blob, place, engine)
    subprocess.run(["sync"], check=True)
    began = time.perf_counter()
    for blob in blobs:
        stage(blob, place, engine)
    taken = (time.perf_counter() - began) * 1000
    shutil.rmtree(place)
    return taken


def beside(ours: Figures, stages: dict[str, Figures]) -> Result:
    """The pull against the stage of it that takes longest alone."""
    name, longest = max(stages.items(), key=lambda item: item[1].median)
    ratio = ours.median / longest.median
    parts = ", ".join(f"{stage} {figure.median:.0f}" for stage, figure in stages.items())
    value = f"{ratio:.2f} of {name} alone ({ours.median:.0f} ms; alone, in one thread: {parts})"
    rows = {stage: figure.row() for stage, figure in stages.items()}
    return Result("the same pull against its longest stage alone", value, f"{SLOWEST:g}", ratio <= SLOWEST, rows)


def memory(engine: Engine) -> Result:
    """The most that the daemon had in memory so far, the pulls included."""
    pid = int(Path(engine.root, "pid").read_text())
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024 / 1e6
    return Result("memory of the daemon at its peak, pulls included", f"{peak:.0f} MB", f"{MEMORY} MB", peak <= MEMORY)


PARTS = {"pull": pull}
