"""Dataclasses whose methods are not compiled: an `up` has a hundred such classes, and makes few objects of most.

`dataclasses` writes the methods of each class as a text, and compiles it: 0.4 ms a class, when it is defined. These
have methods that all classes share, and that look up the names of the fields: a class takes 0.05 ms, an object 2 us
more. Only the command line has them, in place of the others (docs/decisions/005-start-up.md). They behave the same,
which tests/unit/common/test_quick_dataclasses.py shows of lbdeploy's and of its libraries'.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from dataclasses import MISSING, Field, FrozenInstanceError
from functools import cache
from importlib import import_module
from itertools import islice
from types import MemberDescriptorType
from typing import Any

_really = dataclasses.dataclass


def replace_dataclasses() -> None:
    """Let `from dataclasses import dataclass` give these from now on."""
    vars(dataclasses)["dataclass"] = dataclass
    # It makes the docstring of a class that has none, as some of our libraries' have: importing it takes 3 ms.
    vars(dataclasses)["inspect"] = _Inspect()


class _Inspect:
    """The module inspect, but for what makes docstrings."""

    @staticmethod
    def signature(_: object) -> str:
        return ""

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module("inspect"), name)


def dataclass(cls: type | None = None, /, **options: Any) -> Any:
    """The same as `dataclasses.dataclass`, which makes those that have something rare."""
    if cls is None:
        return lambda cls: dataclass(cls, **options)
    if not options.keys() <= {"frozen", "slots", "eq"} or _is_rare(cls):
        return _really(cls, **options)
    return _with_shared_methods(cls, **options)


def _is_rare(cls: type) -> bool:
    """Whether a class has what the methods below do not know."""
    bases = (base.__dict__ for base in cls.__mro__)
    notes = _notes(cls)
    return (
        not notes  # none of its own; or Python 3.14 has not made them yet
        or hasattr(cls, "__post_init__")
        or any("__dataclass_fields__" in base and "_given" not in base for base in bases)
        or any(kind in str(note) for note in notes.values() for kind in ("ClassVar", "InitVar", "KW_ONLY"))
        or any(_is_rare_field(_given(cls, name)) for name in notes)
        or bool(getattr(cls, "__abstractmethods__", ()))
    )


def _is_rare_field(given: Any) -> bool:
    """Whether it has an option that is rare, or a default that Python refuses, since objects would share it."""
    if isinstance(given, Field):
        return not given.init or given.hash is not None or given.kw_only is True or _is_rare_field(given.default)
    return type(given).__hash__ is None


def _notes(cls: type) -> dict[str, Any]:
    found: dict[str, Any] = cls.__dict__.get("__annotations__", {})  # noqa: RUF063  importing inspect takes 3 ms
    return found


def _given(cls: type, name: str) -> Any:
    """What a class has for a field: a default, a Field, or MISSING, also where a slot of this name is there already."""
    given = getattr(cls, name, MISSING)
    return MISSING if isinstance(given, MemberDescriptorType) else given


def _with_shared_methods(cls: type, *, frozen: bool = False, slots: bool = False, eq: bool = True) -> type:
    own = {name: _given(cls, name) for name in _notes(cls)}
    inherited = {
        name: given for base in reversed(cls.__mro__) for name, given in base.__dict__.get("_given", {}).items()
    }
    added = {
        **_METHODS,
        **(_COMPARING if eq else {}),
        **(_FROZEN if frozen else {}),
        **(_PICKLED if frozen and slots else {}),
        "__hash__": (_hash if frozen else None) if eq else cls.__hash__,
        "_given": inherited | own,  # by name of a field: its default, a Field, or MISSING
        "__match_args__": (*(inherited | own),),
    }
    # Python itself gives a class with __eq__ and no __hash__ a __hash__ that is None.
    has_own = {name for name in cls.__dict__ if name != "__hash__" or cls.__hash__ is not None}
    added = {name: each for name, each in added.items() if name not in has_own}
    if slots:
        return _with_slots(cls, added, own, tuple(name for name in own if name not in inherited))
    for name, each in (added | {name: given for name, given in own.items() if isinstance(given, Field)}).items():
        if isinstance(each, Field) and each.default is MISSING:
            delattr(cls, name)
        else:
            setattr(cls, name, each.default if isinstance(each, Field) else each)
    return cls


def _with_slots(cls: type, added: dict[str, Any], own: Collection[str], slots: tuple[str, ...]) -> type:
    """A class is given slots when it is made: this makes it again, as `dataclasses` does."""
    left_out = {"__dict__", "__weakref__", *own}
    scope = {name: each for name, each in cls.__dict__.items() if name not in left_out}
    return type(cls)(
        cls.__name__, cls.__bases__, scope | added | {"__slots__": slots, "__qualname__": cls.__qualname__}
    )


_put = object.__setattr__


def _init(self: Any, /, *values: Any, **named: Any) -> None:
    _fill(self, setattr, values, named)


def _init_frozen(self: Any, /, *values: Any, **named: Any) -> None:
    _fill(self, _put, values, named)


def _fill(self: Any, put: Callable[[Any, str, Any], None], values: tuple[Any, ...], named: dict[str, Any]) -> None:
    fields = self._given
    for name, value in zip(fields, values, strict=False):
        put(self, name, value)
    for name in islice(fields, len(values), None):
        put(self, name, named.pop(name) if name in named else _default(self, name, fields[name]))
    if named or len(values) > len(fields):
        what = f"unexpected arguments {', '.join(named)}" if named else f"{len(values)} arguments"
        raise TypeError(f"{type(self).__qualname__}() has {len(fields)} fields, and got {what}")


def _default(self: Any, name: str, given: Any) -> Any:
    value = given.default if isinstance(given, Field) else given
    if value is not MISSING:
        return value
    if isinstance(given, Field) and given.default_factory is not MISSING:
        return given.default_factory()
    raise TypeError(f"{type(self).__qualname__}() is missing the argument {name}")


def _compared(self: Any) -> tuple[Any, ...]:
    fields = self._given.items()
    return tuple(getattr(self, name) for name, given in fields if not isinstance(given, Field) or given.compare)


def _eq(self: Any, other: object) -> Any:
    return _compared(self) == _compared(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash(_compared(self))


def _repr(self: Any) -> str:
    fields = self._given.items()
    shown = (name for name, given in fields if not isinstance(given, Field) or given.repr)
    return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"


def _set(self: Any, name: str, value: object) -> None:
    _refuse_if_frozen(self, f"cannot assign to field {name!r}", name)
    _put(self, name, value)


def _delete(self: Any, name: str) -> None:
    _refuse_if_frozen(self, f"cannot delete field {name!r}", name)
    object.__delattr__(self, name)


def _refuse_if_frozen(self: Any, why: str, name: str) -> None:
    """A class derived of a frozen one, and no dataclass itself, may have attributes that are no fields."""
    if "_given" in type(self).__dict__ or name in self._given:
        raise FrozenInstanceError(why)


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        _put(self, field.name, value)


class _Fields:
    """What `dataclasses` has for `fields`, `replace` and the like, made when they first ask for it."""

    def __get__(self, instance: object, cls: type) -> Any:
        return _described(cls, frozen=False).__dataclass_fields__


class _Params:
    """What `dataclasses` has of the options, for a class that is derived of this one."""

    def __get__(self, instance: object, cls: Any) -> Any:
        return _described(cls, frozen=cls.__setattr__ is _set).__dataclass_params__


@cache
def _described(cls: Any, *, frozen: bool) -> Any:
    """A dataclass with the same fields, of `dataclasses` itself. What makes it frozen takes longer than all else."""
    notes = (_notes(base) for base in reversed(cls.__mro__) if "_given" in base.__dict__)
    given = {name: value for name, value in cls._given.items() if value is not MISSING}
    scope = {"__annotations__": {name: note for each in notes for name, note in each.items()}, **given}
    return _really(init=False, repr=False, eq=False, frozen=frozen)(type(cls.__name__, (), scope))


_METHODS = {
    "__init__": _init,
    "__repr__": _repr,
    "__dataclass_fields__": _Fields(),
    "__dataclass_params__": _Params(),
}
_COMPARING = {"__eq__": _eq}
_FROZEN = {
    "__init__": _init_frozen,
    "__setattr__": _set,
    "__delattr__": _delete,
}
_PICKLED = {"__getstate__": _state, "__setstate__": _restore}
