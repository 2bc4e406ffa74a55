"""The criu that tests of checkpoints use: the one scripts/peers unpacks, if it works on this kernel."""

import subprocess
from pathlib import Path

PLACE = Path(__file__).parents[1] / ".venv/peers/criu"


def missing() -> str:
    """Why there can be no checkpoints here, "" if there can."""
    program = PLACE / "criu"
    if not program.exists():
        return "needs criu: scripts/setup --peers"
    done = subprocess.run([program, "check"], capture_output=True, text=True, timeout=30, check=False)
    return f"needs a kernel on which criu works: {done.stderr.strip()}" if done.returncode else ""
