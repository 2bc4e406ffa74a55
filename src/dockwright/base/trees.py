"""Folders that are removed while somebody may still write into them."""

import errno
import os
import shutil
import time

PATIENCE = 2.0  # seconds for what still writes
AGAIN = 0.02  # seconds between tries


def remove_tree(path: str, patience: float = PATIENCE) -> None:
    """Remove a folder with all that is in it; one that is not there is fine.

    A process that has been told to end may add a file between the listing of a folder and its rmdir(2), or take one away:
    then it is tried again.

    Args:
        patience: seconds of trying.

    Raises:
        OSError: it could not be removed, also not after that time.
    """
    deadline = time.monotonic() + patience
    while os.path.lexists(path):
        try:
            shutil.rmtree(path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.ENOENT, errno.EBUSY) or time.monotonic() > deadline:
                raise
            time.sleep(AGAIN)
