"""lbdeploy: a highly available load balancer for a Kubernetes API, over SSH, without an agent.

As a library: `from lbdeploy import load, plan, up, verify`; see docs/library.md. The names come from `lbdeploy.api`,
which is imported when one of them is first used; __init__.pyi tells type checkers what they are.
"""

import sys

__version__ = "0.1.0"

__all__ = (
    "Answers",
    "Cluster",
    "LbdeployError",
    "Outcome",
    "down",
    "drill",
    "handover",
    "load",
    "plan",
    "rebuild",
    "rollback",
    "status",
    "up",
    "verify",
)


def __getattr__(name):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module("lbdeploy.api"), name)
    return value


class _Package(type(sys)):
    """Some operations have the same name as the module that does their work; `lbdeploy.plan` is still the operation.

    `from lbdeploy.plan import Plan` finds the module. See docs/decisions/039-use-as-a-library.md.
    """

    def __setattr__(self, name, value):
        if not (name in __all__ and isinstance(value, type(sys))):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
