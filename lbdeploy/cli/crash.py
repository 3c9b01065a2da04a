"""A mistake of lbdeploy's own: the traceback goes to the log, not to the screen."""

from __future__ import annotations

import traceback

from lbdeploy.errors import LbdeployError
from lbdeploy.logbook import Logbook


def crashed(error: Exception, log: Logbook) -> LbdeployError:
    """An error to show instead of an unexpected one, with the path of the log that has its traceback."""
    log.write("".join(traceback.format_exception(error)))
    path, _ = log.close()
    return LbdeployError(
        f"a mistake in lbdeploy: {type(error).__name__}: {error}",
        state="unknown; a node that was being changed ends its change, or restores what was there, by itself",
        fix=f"lbdeploy plan shows what is left to do; please report it with {path or 'this line'}",
    )
