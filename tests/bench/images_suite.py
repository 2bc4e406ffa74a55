"""The images suite: unpacking against GNU tar, load and save against dockerd, the list of many images."""

import gzip
import hashlib
import io
import json
import os
import random
import shutil
import sys
import tarfile
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import peers
from parts import Result, compared
from peers import ROOT, Engine
from timing import Case, Figures, command, in_turns

sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

MANY = 2000  # images of the list
BIG, SMALL = "200 MB of large files", "20,000 small files"


def words(size: int) -> bytes:
    """Bytes that compress like text."""
    source = random.Random(1)
    known = [bytes(source.randrange(97, 123) for _ in range(source.randrange(3, 10))) for _ in range(3000)]
    return b" ".join(source.choice(known) for _ in range(size // 6))[:size]


def layer(kind: str) -> bytes:
    """A layer tar: 20 files of 10 MB, a third of them random; or 20,000 files in 400 directories."""
    text, source, buffer = words(1 << 20), random.Random(2), io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for number in range(20 if kind == BIG else 400):
            folder = tarfile.TarInfo(f"d{number}")
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(folder)
            for file in range(1 if kind == BIG else 50):
                size = 10 << 20 if kind == BIG else source.choice([100, 800, 2000, 4000, 9000, 20000])
                data = source.randbytes(size // 3) + text * 7 if kind == BIG else text[source.randrange(1 << 19) :]
                info = tarfile.TarInfo(f"d{number}/f{file}")
                info.size, info.mtime = size, 1_700_000_000
                tar.addfile(info, io.BytesIO(data[:size]))
    return buffer.getvalue()


def unpack(_engines: list[Engine], rounds: int) -> list[Result]:
    """A layer as a pull unpacks it (both digests computed), against `tar -xzf` of the same file; in turns, page cache warm."""
    found: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="dwu", dir="/tmp") as folder:
        for kind, most in ((BIG, 1.0), (SMALL, 1.5)):
            packed = f"{folder}/layer.tar.gz"
            Path(packed).write_bytes(gzip.compress(layer(kind), 6))
            cases = {"dockwright": emptied(folder, ours(packed)), "GNU tar": emptied(folder, theirs(packed))}
            figures = in_turns(cases, min(rounds, 5))
            ratio = figures["dockwright"].median / figures["GNU tar"].median
            times = {name: figure.row() for name, figure in figures.items()}
            value = f"{ratio:.2f} of its time ({figures['dockwright'].median:.0f} against {figures['GNU tar'].median:.0f} ms)"
            found.append(Result(f"unpacking {kind}, against GNU tar", value, f"{most:g}", ratio <= most, times))
    return found


def emptied(folder: str, case: Callable[[str], None]) -> Case:
    """A case in a fresh directory, which is removed after it."""
    count = iter(range(1 << 30))

    def run() -> Callable[[], None]:
        place = f"{folder}/{next(count)}"
        os.mkdir(place)
        case(place)
        return lambda: shutil.rmtree(place)

    return run


def ours(packed: str) -> Callable[[str], None]:
    """The pipeline of `images.assembly`, without rows."""
    from dockwright.images.inflate import opened
    from dockwright.images.pipeline import Ahead, Counted, Hashed
    from dockwright.images.snapshotters.stacking import Nothing
    from dockwright.images.unpack import Unpacker

    def case(place: str) -> None:
        with open(packed, "rb", buffering=0) as file:
            blob = Hashed(Counted(file, threading.Event()))
            with Unpacker(place, place, Nothing()) as unpacker, Ahead(Hashed(opened(blob))) as source:
                unpacker.all(source)

    return case


def theirs(packed: str) -> Callable[[str], None]:
    """GNU tar."""
    return lambda place: command("tar", "-xzf", packed, "-C", place)()


def archives(engines: list[Engine], rounds: int) -> list[Result]:
    """load and save of an image with both layers, by the docker client."""
    from images import docker_archive

    rounds = min(rounds, 3)
    with tempfile.TemporaryDirectory(prefix="dwa", dir="/tmp") as folder:
        tar = f"{folder}/image.tar"
        Path(tar).write_bytes(docker_archive([layer(BIG), layer(SMALL)], ["bench:1"]))

        def load(engine: Engine) -> Callable[[], None]:
            return command(peers.client(), "-H", engine.host, "load", "-q", "-i", tar)

        loads: dict[str, Figures] = {engine.name: Figures() for engine in engines}
        for _ in range(rounds):
            for engine in engines:
                engine.docker("rmi", "bench:1")
                loads[engine.name].times += in_turns({"once": load(engine)}, 1, warm=False)["once"].times
        saves = in_turns(
            {e.name: command(peers.client(), "-H", e.host, "save", "-o", f"{folder}/saved", "bench:1") for e in engines}, rounds
        )
        for engine in engines:
            engine.docker("rmi", "bench:1")
    return compared("load of 320 MB in two layers", loads, 1.0) + compared("save of the same", saves, 1.0)


def listed(engines: list[Engine], rounds: int) -> list[Result]:
    """`docker images` with many images: of one layer, their configs as long as real ones."""
    own = engines[0]
    with tempfile.TemporaryDirectory(prefix="dwl", dir="/tmp") as folder:
        path = f"{folder}/many.tar"
        many(path)
        done = own.docker("load", "-q", "-i", path)
        if done.returncode:
            raise RuntimeError(done.stderr.decode())
    address = ["curl", "-sf", "-o", "/dev/null", "--unix-socket", own.host.removeprefix("unix://"), "http://x/v1.47/images/json"]
    cases = {"engine": command(*address), "docker": command(peers.client(), "-H", own.host, "images")}
    figures = in_turns(cases, rounds)
    own.docker("image", "prune", "-af", "--filter", "label=bench")
    engine, client = (figures[name].median for name in cases)
    value = f"{engine:.1f} ms of the engine (docker images, which lays {MANY} rows out: {client:.1f} ms)"
    rows = {name: figure.row() for name, figure in figures.items()}
    return [Result(f"the list of {MANY} images", value, "50 ms", engine <= 50, rows)]


def many(path: str) -> None:
    """An archive of many images."""
    content = b"\0" * 1024
    diff = hashlib.sha256(content).hexdigest()
    environment = [f"VARIABLE_{number}=a value of some length, as they are" for number in range(12)]
    stamp = "2024-01-01T00:00:00Z"
    history = [{"created": stamp, "created_by": f"RUN step {number} of many", "empty_layer": True} for number in range(9)]
    entries = []
    with tarfile.open(path, "w") as tar:

        def add(name: str, data: bytes) -> None:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

        add("layer.tar", content)
        for number in range(MANY):
            document = {
                "architecture": "amd64", "os": "linux", "created": "2024-01-01T00:00:00.123456789Z", "history": history,
                "config": {"Env": environment, "Cmd": ["sh"], "Labels": {"bench": str(number), "maintainer": "nobody"}},
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff}"]},
            }  # fmt: skip
            add(f"{number}.json", json.dumps(document).encode())
            entries.append({"Config": f"{number}.json", "RepoTags": [f"many/image{number}:1"], "Layers": ["layer.tar"]})
        add("manifest.json", json.dumps(entries).encode())


PARTS = {"unpack": unpack, "archives": archives, "list": listed}
