"""scripts/conformance: run one suite against our daemon, print what dockerd passes and we do not, store the results."""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from oracle import engines

from conformance import fixtures, results
from conformance.sources import Missing, checkout, environment
from conformance.suites import SUITES, Suite
from registries import Registries

HERE = Path(__file__).parent
LONGEST = 180  # seconds for one test
MIRROR = (5000, 5001, 5002, 5003)  # ports of the registries in the daemon's network namespace


def main(arguments: list[str]) -> int:
    """0 if all passed that dockerd passes, 1 if not, 2 if the suite cannot be had."""
    parser = argparse.ArgumentParser(prog="scripts/conformance")
    parser.add_argument("suite", help=", ".join(SUITES))
    parser.add_argument("--write", action="store_true", help="store the results")
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    chosen = parser.parse_args(own)
    name, _, version = chosen.suite.partition("@")
    if name not in SUITES:
        parser.error(f"no such suite: {name}")
    suite = SUITES[name]
    version = version or suite.version
    try:
        folder, python = checkout(suite, version), environment(suite, version)
    except Missing as error:
        print(f"conformance: {error}", file=sys.stderr)
        return 2
    found, engine = run(suite, folder, python, arguments[len(own) + 1 :])
    return report(suite, version, engine, found, chosen.write)


def run(suite: Suite, folder: Path, python: Path, options: list[str]) -> tuple[results.Results, str]:
    """The results of `suite`, and the version of our daemon."""
    mirror = ["--registry-mirror", f"http://127.0.0.1:{MIRROR[0]}"]
    engine = engines.ours("unshare", "--mount", "--propagation", "shared", options=mirror)  # some tests want shared mounts
    registry: Registries | None = None
    try:
        engine.start()
        registry = Registries(engine.inside(), MIRROR)
        for number, (name, archive) in enumerate(fixtures.archives().items()):
            path = engine.work / f"{number}.tar"
            path.write_bytes(archive)
            engine.load(path, set())
            registry.put(f"docker-archive:{path}", f"library/{name}")  # what tests pull from Docker Hub
        version = engine.version()
        with tempfile.NamedTemporaryFile(suffix=".xml") as report:
            told = {key: value.format(host=f"unix://{engine.socket}") for key, value in suite.environment.items()}
            command = [python, "-m", "pytest", "-q", f"--timeout={LONGEST}", f"--junitxml={report.name}", *options]
            tests = [test for test in suite.tests if (folder / test).exists()]
            subprocess.run(
                [*engine.inside(), *command, *tests], cwd=folder, check=False,
                env={"PATH": os.environ["PATH"], "HOME": str(engine.work), "PYTHONDONTWRITEBYTECODE": "1", **told},
            )  # fmt: skip
            return results.of_junit(Path(report.name)), version
    finally:
        if registry:
            registry.close()
        engine.close()


def report(suite: Suite, version: str, engine: str, found: results.Results, write: bool) -> int:
    """Print what is missed, store what was found."""
    mode = "v2" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "v1"
    heading = (
        f"{suite.name} {version}, {time.strftime('%Y-%m-%d')}, Dockwright as Docker {engine}, "
        f"kernel {platform.release()}, cgroup {mode}, Python {platform.python_version()}"
    )
    text = results.text(heading, found)
    if write:
        (HERE / "results" / f"{suite.name}-{version}.txt").write_text(text)
    baseline = results.passed_in(HERE / suite.baseline) if suite.baseline else set()
    missed = results.missed(found, baseline)
    print("\n".join(text.splitlines()[:2]))
    for name, (outcome, reason) in missed.items():
        print(f"dockerd passes this: {outcome} {name}  {reason}")
    return 1 if missed or not found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
