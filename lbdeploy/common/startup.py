"""Start-up time: stand-ins for modules that our libraries import and that nothing here ever uses.

Measured on 2 cores: unittest.mock, which invoke imports for its own test helper, takes 25 ms; yaml, with which it reads
its configuration files, 20 ms; importlib.metadata, with which pydantic looks for plugins, 15 ms. A converged `up`
takes some 400 ms in all. See docs/decisions/005-start-up.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

lean = False  # set by the command line: other programs may use these libraries themselves, in full


@contextmanager
def stand_in(name: str, **attributes: object) -> Iterator[None]:
    """Within the block, `import name` gives a stub module with these attributes, unless it is already imported."""
    if not lean or name in sys.modules:
        yield
        return
    module = ModuleType(name)
    vars(module).update(attributes)
    sys.modules[name] = module
    try:
        yield
    finally:
        del sys.modules[name]
