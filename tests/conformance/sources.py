"""A suite's sources and a Python environment of its own, both below .venv/conformance."""

import os
import subprocess
import venv
from pathlib import Path

from conformance.suites import Suite

ROOT = Path(__file__).parents[2]
PLACE = ROOT / ".venv/conformance"


class Missing(Exception):
    """Sources or packages that cannot be had."""


def checkout(suite: Suite, version: str) -> Path:
    """The suite's sources at the tag `version`, cloned once.

    Raises:
        Missing: they cannot be cloned.
    """
    folder = PLACE / f"{suite.name}-{version}"
    source = os.environ.get(suite.variable, suite.repository)
    if not folder.exists():
        quiet, tag = ["-q", "-c", "advice.detachedHead=false"], suite.tag.format(version=version)
        command = ["git", "clone", *quiet, "--depth", "1", "--branch", tag, source, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Missing(f"{source} cannot be cloned ({suite.variable} can name another place): {done.stderr.strip()}")
    return folder


def environment(suite: Suite, version: str) -> Path:
    """The interpreter of a virtual environment that holds what the suite needs.

    Raises:
        Missing: a package cannot be installed.
    """
    folder = PLACE / f"{suite.name}-{version}.venv"
    wanted = [requirement.format(version=version) for requirement in suite.requirements]
    noted = folder / "requirements"
    if not noted.exists() or noted.read_text().split("\n") != wanted:
        venv.create(folder, with_pip=True, clear=True)
        install = [folder / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Missing(f"the packages of {suite.name} cannot be installed: {done.stderr.strip()[-300:]}")
        noted.write_text("\n".join(wanted))
    return folder / "bin/python"
