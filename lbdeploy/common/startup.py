"""Start-up time: stand-ins for modules that our libraries import, and that nothing here uses, or hardly ever.

Measured on 2 cores: unittest.mock, which invoke imports for its own test helper, takes 25 ms; yaml, with which it reads
its configuration files, 20 ms; importlib.metadata, with which pydantic looks for plugins, 15 ms. A converged `up`
takes some 400 ms in all. See docs/decisions/005-start-up.md.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from importlib import import_module
from types import ModuleType
from typing import Any

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


class _Unused(ModuleType):
    """Stands for a module of which nothing is used: whatever is imported from it is an empty class."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what the import system asks for
            raise AttributeError(name)
        return type(name, (), {})


@contextmanager
def unused(*names: str) -> Iterator[None]:
    """Within the block, these modules are stubs, unless they are already imported: packages import all they have."""
    modules = {name: _Unused(name) for name in names if lean and name not in sys.modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]


_replacing = allocate_lock()


class _Late(ModuleType):
    """Stands for a module until something of it is used: then that is imported, and takes its place."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what the import system asks for
            raise AttributeError(name)
        return self.used(name)

    def used(self, name: str) -> Any:
        """What the module itself has of this name."""
        with _replacing:  # or one thread would take away what another one has begun to import
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def import_late(name: str, *functions: str) -> ModuleType | None:
    """Let `import NAME` import nothing until something is used, nor `from NAME import` one of these functions.

    Returns what stands for the module; None where that is imported already.
    """
    if not lean or name in sys.modules:
        return None
    module = sys.modules[name] = _Late(name)
    vars(module).update({each: partial(_called, module, each) for each in functions})
    return module


def _called(module: _Late, function: str, *args: Any, **named: Any) -> Any:
    return module.used(function)(*args, **named)


def import_little() -> None:
    """Import late what libraries import for errors, temporary files and the like: 9 ms of an `up`."""
    import_late("tempfile", "gettempdir")
    import_late("traceback", "format_exception")
    import_late("textwrap", "dedent")
    import_late("pprint", "pformat")
    import_late("urllib.parse", "quote_from_bytes")
    for name in ("locale", "pty", "glob", "random"):
        import_late(name)
    _import_digests()
    if inspect := import_late("inspect", "cleandoc"):
        really = vars(inspect)["cleandoc"]
        vars(inspect).update(
            cleandoc=lambda text: really(text) if "\n" in text else text.strip(),  # click: each option's help
            isclass=lambda value: isinstance(value, type),  # paramiko: what it does with an unknown host key
        )


def _import_digests() -> None:
    """Let hashlib and hmac do without OpenSSL, which takes 2 ms to load, where Python has the digests itself."""
    try:
        import_module("_md5")
        import_module("_sha1")
        for name in ("_sha256", "_sha512") if sys.version_info < (3, 12) else ("_sha2",):
            import_module(name)
    except ImportError:
        return
    sys.modules.setdefault("_hashlib", None)  # type: ignore[arg-type]  # so that it can't be imported


def decorator(caller: Callable[..., Any]) -> Callable[..., Any]:
    """What fabric needs of the package of that name, which also keeps signatures, with inspect: 2 ms."""

    def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
        return wraps(function)(lambda *args, **named: caller(function, *args, **named))

    return decorated


def version_of(package: str) -> str:
    """The version of an installed package, from the name of the folder that pip writes beside it.

    paramiko says its own to every server. importlib.metadata, which reads the folder, takes 20 ms.
    """
    found = (each for place in sys.path if os.path.isdir(place) for each in os.listdir(place))
    head, tail = f"{package}-", ".dist-info"
    return next((each[len(head) : -len(tail)] for each in found if each.startswith(head) and each.endswith(tail)), "")


def import_click() -> None:
    """Import click without what it and pathlib import for features that are not used here: 4 ms of every command."""
    with stand_in("urllib.parse", quote_from_bytes=None):  # for Path.as_uri
        import pathlib  # noqa: F401
    # For two types of parameters, and for messages in other languages.
    types, gettext = stand_in("uuid", UUID=str), stand_in("gettext", gettext=str, ngettext=_ngettext)
    with types, stand_in("datetime", datetime=type), gettext:
        import click  # noqa: F401


def import_core_schema() -> None:
    """Import pydantic's types of its own schemas without what makes typed dictionaries, which nobody looks at: 4 ms."""
    if not lean:
        return
    # It takes them from either, which depends on Python's version.
    places = [vars(import_module(name)) for name in ("typing", "typing_extensions")]
    really = [each["TypedDict"] for each in places]
    for each in places:
        each["TypedDict"] = _PlainDict
    import_module("pydantic_core")
    for each, typed in zip(places, really, strict=True):
        each["TypedDict"] = typed


class _PlainDict(dict[str, Any]):
    def __init_subclass__(cls, total: bool = True) -> None:
        """Whether all keys are needed is what only type checkers ask."""


def _ngettext(singular: str, plural: str, n: int) -> str:
    return singular if n == 1 else plural
