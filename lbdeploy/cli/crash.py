"""A mistake of lbdeploy's own: the traceback goes to a file that only its owner can read, not to the screen."""

from __future__ import annotations

import os
import sys
import time
import traceback
from pathlib import Path

from lbdeploy.errors import LbdeployError


def crashed(error: Exception) -> LbdeployError:
    """An error to show instead of an unexpected one, with the path of the log that has its traceback."""
    from platformdirs import user_state_path

    path = user_state_path("lbdeploy", appauthor=False) / f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    written = _write(path, "".join(traceback.format_exception(error)))
    return LbdeployError(
        f"a mistake in lbdeploy: {type(error).__name__}: {error}",
        state="unknown; a node that was being changed ends its change, or restores what was there, by itself",
        fix=f"lbdeploy plan shows what is left to do; please report it with {path if written else 'this line'}",
    )


def _write(path: Path, text: str) -> bool:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(f"{sys.argv[0]}\n{text}")
    except OSError:
        return False
    return True
