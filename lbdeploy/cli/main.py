"""The console script: what comes before anything else is imported."""

from __future__ import annotations

import gc

from lbdeploy.common import startup


def main() -> None:
    """The console script."""
    gc.disable()  # a short run ends before garbage collection pays off
    startup.lean = True  # in this process, nothing else uses the libraries that are stubbed
    startup.import_little()
    startup.import_click()
    from lbdeploy.common.quick_dataclasses import replace_dataclasses

    replace_dataclasses()
    from lbdeploy.cli.command_line import run

    run()
