"""Start-up time: stand-ins for modules that our libraries import and that nothing here ever uses.

Measured on 2 cores: unittest.mock, which invoke wants for its own test helper, takes 25 ms; yaml, which it reads its
configuration files with, 20 ms; importlib.metadata, with which pydantic looks for plugins, 15 ms. A converged `up`
takes some 400 ms in all. See docs/decisions/005-start-up.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

lean = False  # set by the command line: in other programs, somebody else may use these libraries, and whole


@contextmanager
def stand_in(name: str, **attributes: object) -> Iterator[None]:
    """Within the block, `import name` gives an empty module with these attributes, unless it is there already."""
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
