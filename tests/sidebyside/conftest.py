"""The session with both engines: started at the first test that asks for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from oracle.engines import dockerd
from oracle.script import read
from oracle.session import Session

SCRIPT = read(Path(__file__).parent / "script")


@pytest.fixture(scope="session")
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    if not dockerd():
        report = pytest.fail if request.config.getoption("--require-peers") else pytest.skip
        report("needs a real dockerd: scripts/setup --peers")
    session = Session(SCRIPT)
    yield session
    session.close()
