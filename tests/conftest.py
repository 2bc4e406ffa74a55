"""What tests need, and what becomes of those that lack it.

tests/unit needs nothing; tests/root needs root on a real kernel; tests/api and tests/docs also the real `docker` client;
tests/sidebyside a real dockerd too. A test that cannot run says why; with --require-root or --require-peers it fails
instead.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

NEEDS_ROOT, NEEDS_DOCKER = ("root", "api", "docs", "sidebyside"), ("api", "docs", "sidebyside")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--require-root", action="store_true", help="tests that lack root fail instead of being skipped")
    parser.addoption("--require-peers", action="store_true", help="tests that lack a real client or engine fail too")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if _folder(item) in NEEDS_ROOT and os.geteuid() != 0:
        _cannot(item.config, "--require-root", "needs root")
    if _folder(item) in NEEDS_DOCKER and not shutil.which("docker"):
        _cannot(item.config, "--require-peers", "needs the docker client")


def _cannot(config: pytest.Config, required: str, reason: str) -> None:
    """Skip the test, or fail it where `required` was given."""
    (pytest.fail if config.getoption(required) else pytest.skip)(reason)


@pytest.fixture
def peer(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """The path of a real program that a test compares or works with; the test is skipped where it is not installed."""

    def find(program: str) -> str:
        path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if not path:
            _cannot(request.config, "--require-peers", f"needs {program}")
        return str(path)

    return find


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What could not run here, by what it lacked."""
    lacking = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and "needs" in report.longrepr[2]
    )
    for reason, count in lacking.most_common():
        terminalreporter.write_line(f"not run: {count} test{'s' * (count > 1)}: {reason}", yellow=True)


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).parts[0]
