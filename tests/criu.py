"""The criu that tests of checkpoints use: the one scripts/peers unpacks, if it works on this kernel."""

import functools
import subprocess
import tempfile
from pathlib import Path

PLACE = Path(__file__).parents[1] / ".venv/peers/criu"


@functools.cache
def missing() -> str:
    """Why there can be no checkpoints here, "" if there can.

    A process of its own is the question, for `criu check` passes on kernels (User-mode Linux) whose processes it cannot write.
    """
    program = PLACE / "criu"
    if not program.exists():
        return "needs criu: scripts/setup --peers"
    null = subprocess.DEVNULL
    sleeper = subprocess.Popen(["/bin/sleep", "60"], stdin=null, stdout=null, stderr=null, start_new_session=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            command = [program, "dump", "--tree", str(sleeper.pid), "--images-dir", folder]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    finally:
        sleeper.kill()
        sleeper.wait()
    if done.returncode:
        return f"needs a kernel on which criu works: {' '.join(done.stderr.split()[-12:])}"
    return ""
