"""The command line's dataclasses: the same as Python's. All that lbdeploy has are looked at both ways."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
if sys.argv[1] == "quick":
    from lbdeploy.common.quick_dataclasses import replace_dataclasses
    replace_dataclasses()

import copy, dataclasses, importlib, pickle, pkgutil, re
from dataclasses import MISSING, FrozenInstanceError, asdict, astuple, fields, is_dataclass, replace
import lbdeploy

# Those that the command line may import, and that have dataclasses.
LIBRARIES = (
    "annotated_types", "cryptography.hazmat.primitives.serialization.ssh", "cryptography.x509", "dask", "distributed",
    "invoke", "jinja2", "paramiko", "pydantic.main", "rich.console", "rich.live", "rich.syntax", "rich.table", "tomlkit"
)

def outcome(called):
    try:
        return called()
    except FrozenInstanceError as error:
        return f"frozen: {error}"
    except (TypeError, AttributeError) as error:
        return type(error).__name__

def described(cls):
    each = fields(cls)
    names = [field.name for field in each]
    yield [(f.name, f.type, f.repr, f.compare, f.hash, f.init, f.kw_only) for f in each]
    yield [f.default is MISSING or repr(f.default) for f in each]
    yield [f.default_factory is MISSING or f.default_factory.__qualname__ for f in each]
    yield cls.__match_args__, cls.__dict__.get("__slots__"), cls.__qualname__, cls.__hash__ is None, is_dataclass(cls)
    one, same, other = (cls(**{name: f"{name} {by}" for name in names}) for by in ("a", "a", "b"))
    yield repr(one), one == same, one != other, one == "another class"
    yield outcome(lambda: cls(*(f"{name} a" for name in names)) == one)
    yield outcome(lambda: hash(one) == hash(same)), outcome(lambda: replace(one, **{names[-1]: 1}) == one)
    yield outcome(lambda: asdict(one)), outcome(lambda: astuple(one)), copy.copy(one) == one
    yield outcome(lambda: pickle.loads(pickle.dumps(one)) == one), outcome(lambda: one.__reduce_ex__(4)[2])
    for field in each:
        changed = replace(one, **{field.name: "changed"})
        yield field.name, getattr(changed, field.name), changed == one, outcome(lambda: setattr(one, field.name, "set"))
        yield outcome(lambda: delattr(same, field.name))
    yield outcome(lambda: setattr(other, "no_such_field", 1)) is None
    yield outcome(lambda: cls(*names, "one too many")), outcome(lambda: cls(**dict.fromkeys(names), unknown=1))
    needed = [field.name for field in each if field.default is MISSING and field.default_factory is MISSING]
    made = cls(**{name: f"{name} a" for name in needed})
    yield [(f.name, repr(getattr(made, f.name))) for f in each]
    yield outcome(lambda: cls(*needed[:-1]))

    @dataclasses.dataclass(frozen=outcome(lambda: setattr(other, names[0], 1)) is not None)
    class Derived(cls):
        more: int = 3

    yield Derived.__match_args__, repr(Derived(**dict.fromkeys(names)))

for name in LIBRARIES:
    importlib.import_module(name)
for module in pkgutil.walk_packages(lbdeploy.__path__, "lbdeploy."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
seen = quick = 0
for name, module in sorted(sys.modules.items()):
    for cls in [*vars(module).values()]:
        if isinstance(cls, type) and cls.__module__ == name and "__dataclass_fields__" in vars(cls):
            seen, quick = seen + 1, quick + ("_given" in vars(cls))
            try:
                for each in described(cls):
                    print(name, cls.__name__, re.sub(" at 0x[0-9a-f]+", "", str(each)))
            except Exception as error:
                if name.startswith("lbdeploy"):
                    raise
                print(name, cls.__name__, type(error).__name__)
print(seen, file=sys.stderr)
print(quick, file=sys.stderr)
"""


def told(kind: str) -> tuple[list[str], int, int]:
    done = subprocess.run([sys.executable, "-c", SCRIPT, kind], check=True, capture_output=True, text=True, timeout=120)
    seen, quick = map(int, done.stderr.split())
    return done.stdout.splitlines(), seen, quick


def test_they_behave_as_pythons_own() -> None:
    """Fields, defaults, comparison, hashes, what is shown, what can be set, pickling, and what is refused.

    Also those of the libraries, which get them, too.
    """
    python, seen, none = told("python")
    quick, as_many, most = told("quick")
    assert (seen, none) == (as_many, 0)
    assert most > 0.8 * seen > 200
    assert [pair for pair in zip(python, quick, strict=True) if pair[0] != pair[1]] == []
