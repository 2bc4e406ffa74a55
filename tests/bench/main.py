"""scripts/bench: starts the engines, runs the parts, prints and stores what came out."""

import argparse
import json
import os
import platform
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import images_suite
import logging_suite
import parts
import peers
import pulls
import scale
from parts import Result

PARTS = {**parts.PARTS, **images_suite.PARTS, **pulls.PARTS, **logging_suite.PARTS, **scale.PARTS}


def main() -> int:
    """Run the chosen parts against all engines that are here."""
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--json", default="")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # engines and their containers go with us
    engines = [peers.ours(), *peers.dockerds()]
    started = []
    results: list[Result] = []
    try:
        for engine in engines:
            engine.start()
            started.append(engine)
        heading = head(engines)
        print(heading)
        for name in chosen.only.split(","):
            for result in PARTS[name](engines, chosen.rounds):
                results.append(result)
                print(line(result), flush=True)
    finally:
        for engine in started:
            engine.close()
    if chosen.json:
        document = {"heading": heading, "results": [result.document() for result in results]}
        Path(chosen.json).write_text(json.dumps(document, indent=1) + "\n")
    return 0


def head(engines: list[peers.Engine]) -> str:
    """What the figures belong to."""
    mode = "v2" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "v1"
    versions = ", ".join(f"{engine.name} {engine.version()}" for engine in engines)
    when = time.strftime("%Y-%m-%d %H:%M")
    host = f"kernel {platform.release()}, cgroup {mode}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    return f"{when}, {host}: {versions}"


def line(result: Result) -> str:
    """One result for a person."""
    mark = {True: "met   ", False: "MISSED", None: "      "}[result.met]
    goal = f" (goal: {result.goal})" if result.goal else ""
    return f"{mark} {result.what}: {result.value}{goal}"


if __name__ == "__main__":
    sys.exit(main())
