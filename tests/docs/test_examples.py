"""Every example of the README and of docs/ is run against a daemon, and says what the page says it does."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from examples import ROOT, Example, blocks, pages_with_examples

MARK = "--- status "


@pytest.mark.parametrize("page", pages_with_examples(), ids=lambda page: str(page.relative_to(ROOT)))
def test_the_examples_of_a_page_are_true(page: Path, daemon: Any) -> None:
    for block in blocks(page):
        for example, (status, said) in zip(block, run(block, daemon), strict=True):
            where = f"{example.page}:{example.line}: $ {example.command}\n{said}"
            if example.output:
                assert re.fullmatch(example.pattern(), said), f"{where}\ndoes not match\n" + "\n".join(example.output)
            else:
                assert status == 0, where


def run(block: list[Example], daemon: Any) -> list[tuple[int, str]]:
    """Status and output of each command of a block, in one shell that stands in the repository."""
    script = "".join(f"{{ {example.command}\n}} 2>&1; printf '\\n{MARK}%d\\n' $?\n" for example in block)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")},
        "DOCKER_HOST": daemon.host,
        "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}",
        "HOME": daemon.root,
    }
    done = subprocess.run(
        [*daemon.inside, "bash", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    pieces = re.split(rf"\n{MARK}(\d+)\n", done.stdout)
    return [(int(status), said if said.endswith("\n") or not said else f"{said}\n")
            for said, status in zip(pieces[::2], pieces[1::2], strict=False)]  # fmt: skip


def test_there_are_examples() -> None:
    assert ROOT / "README.md" in pages_with_examples()
