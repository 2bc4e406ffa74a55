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
from oracle.engines import Engine

from conformance import fixtures, registry, results, schema
from conformance.sources import Missing, checkout, environment
from conformance.suites import SUITES, Suite

HERE = Path(__file__).parent
LONGEST = 180  # seconds for one test
OWN = {"schema": schema.suite, "registry": lambda _: registry.suite()}  # whose cases are ours
SHARED = ("unshare", "--mount", "--propagation", "shared")  # some tests want shared mounts


def main(arguments: list[str]) -> int:
    """0 if all passed that dockerd passes, 1 if not, 2 if the suite cannot be had."""
    parser = argparse.ArgumentParser(prog="scripts/conformance")
    parser.add_argument("suite", help=", ".join((*SUITES, *OWN)))
    parser.add_argument("--write", action="store_true", help="store the results")
    parser.add_argument("--reference", action="store_true", help="run it on a real dockerd, and store what that passes")
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    chosen = parser.parse_args(own)
    name, _, version = chosen.suite.partition("@")
    options = arguments[len(own) + 1 :]
    try:
        if name == "schema" and not version:
            return max(main([f"schema@{known}", *arguments[1:]]) for known in schema.VERSIONS)
        if name not in SUITES and name not in OWN:
            parser.error(f"no such suite: {name}")
        suite = OWN[name](version) if name in OWN else SUITES[name]
        version = version or suite.version
        folder = HERE if name in OWN else checkout(suite, version)
        python = environment(suite, version)
    except Missing as error:
        print(f"conformance: {error}", file=sys.stderr)
        return 2
    engine = engines.reference(*SHARED) if chosen.reference else engines.ours(*SHARED)
    found, kind = run(suite, folder, python, engine, options)
    return report(suite, version, kind, found, chosen)


def started(engine: Engine) -> str:
    """Start it, give it the stand-in images; its version."""
    engine.start()
    for number, archive in enumerate(fixtures.archives()):
        path = engine.work / f"{number}.tar"
        path.write_bytes(archive)
        engine.load(path, set())
    return engine.version()


def run(suite: Suite, folder: Path, python: Path, engine: Engine, options: list[str]) -> tuple[results.Results, str]:
    """The results of `suite`, and the version of the daemon."""
    try:
        version = started(engine)
        with tempfile.NamedTemporaryFile(suffix=".xml") as junit:
            places = {"host": f"unix://{engine.socket}", "socket": engine.socket}
            told = {key: value.format(**places) for key, value in suite.environment.items()}
            command = [python, "-m", "pytest", "-q", f"--timeout={LONGEST}", f"--junitxml={junit.name}", *options]
            tests = [test for test in suite.tests if (folder / test).exists()]
            subprocess.run(
                [*engine.inside(), *command, *tests], cwd=folder, check=False,
                env={"PATH": os.environ["PATH"], "HOME": str(engine.work), "PYTHONDONTWRITEBYTECODE": "1", **told},
            )  # fmt: skip
            return results.of_junit(Path(junit.name)), version
    finally:
        engine.close()


def heading(what: str, engine: str) -> str:
    """What the results belong to."""
    mode = "v2" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "v1"
    host = f"kernel {platform.release()}, cgroup {mode}, Python {platform.python_version()}"
    return f"{what}, {time.strftime('%Y-%m-%d')}, {engine}, {host}"


def report(suite: Suite, version: str, engine: str, found: results.Results, chosen: argparse.Namespace) -> int:
    """Print what is missed, store what was found."""
    baseline = HERE / f"{suite.name}-{version}-dockerd.txt"
    if chosen.reference:
        baseline.write_text(results.text(heading(f"{suite.name} {version}", f"dockerd {engine}"), found))
        return 0
    text = results.text(heading(f"{suite.name} {version}", f"Dockwright as Docker {engine}"), found)
    if chosen.write:
        (HERE / "results" / f"{suite.name}-{version}.txt").write_text(text)
    missed = results.missed(found, results.passed_in(baseline) if baseline.exists() else set())
    print("\n".join(text.splitlines()[:2]))
    for name, (outcome, reason) in missed.items():
        print(f"dockerd passes this: {outcome} {name}  {reason}")
    return 1 if missed or not found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
