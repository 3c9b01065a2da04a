"""lbdeploy: a highly available load balancer for a Kubernetes API, over SSH, without an agent.

As a library: `from lbdeploy import load, plan, up, verify`; see docs/library.md. The names come from `lbdeploy.api`,
which is imported when one of them is first used; __init__.pyi tells type checkers what they are.
"""

__all__ = (
    "Answers",
    "Cluster",
    "LbdeployError",
    "Outcome",
    "adopt",
    "down",
    "drain",
    "drill",
    "handover",
    "load",
    "plan",
    "rebuild",
    "rollback",
    "status",
    "undrain",
    "up",
    "verify",
)


def __dir__():
    return sorted({*globals(), *__all__, "__version__"})


def __getattr__(name):
    module = "lbdeploy.common.version" if name == "__version__" else "lbdeploy.api" if name in __all__ else None
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(module), name)
    return value
