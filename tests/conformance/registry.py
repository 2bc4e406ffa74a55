"""The suite `registry`: our registry client against real registries, for every kind of content."""

import shutil
import subprocess
from pathlib import Path

from conformance.sources import Missing
from conformance.suites import Suite

CASES = Path(__file__).with_name("registry_cases.py")


def suite() -> Suite:
    """The cases, as a suite that pytest runs; its version is the registry's.

    Raises:
        Missing: no registry is installed.
    """
    if not shutil.which("docker-registry"):
        raise Missing("docker-registry is not installed")
    said = subprocess.run(["docker-registry", "--version"], capture_output=True, text=True, check=True).stdout
    return Suite("registry", "", said.split()[-1], ("pytest<9", "pytest-timeout"), (str(CASES),), {"DOCKER_HOST": "{host}"})
