"""The suite `schema`: the published descriptions of the Engine API, each against our daemon."""

import os
import subprocess
from pathlib import Path

from conformance.sources import PLACE, Missing
from conformance.suites import Suite

REPOSITORY, TAG = "https://github.com/moby/moby", "api/v1.52.0"
VERSIONS = ("1.41", "1.47")
CASES = Path(__file__).with_name("schema_cases.py")


def suite(version: str) -> Suite:
    """The cases for one version of the API, as a suite that pytest runs."""
    return Suite(
        "schema", REPOSITORY, version, ("schemathesis==4.32.5", "docker", "pytest<9", "pytest-timeout"),
        (str(CASES),), {"SOCKET": "{socket}", "API_VERSION": version, "API_FILE": str(description(version))}, TAG,
    )  # fmt: skip


def description(version: str) -> Path:
    """The file of a version, taken out of moby's repository once.

    Raises:
        Missing: it cannot be cloned.
    """
    file = PLACE / f"v{version}.yaml"
    if file.exists():
        return file
    source = os.environ.get("CONFORMANCE_SCHEMA", REPOSITORY)
    clone = PLACE / "moby"
    if not clone.exists():
        command = ["git", "clone", "-q", "--bare", "--depth", "1", "--filter=blob:none", "--branch", TAG, source, str(clone)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Missing(f"{source} cannot be cloned (CONFORMANCE_SCHEMA can name another place): {done.stderr.strip()}")
    show = ["git", "-C", str(clone), "show", f"{TAG}:api/docs/v{version}.yaml"]
    found = subprocess.run(show, capture_output=True, check=False)
    if found.returncode:
        raise Missing(f"{source} has no description of {version}")
    file.write_bytes(found.stdout)
    return file
