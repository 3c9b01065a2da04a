"""Templates to text, offline. The only user of jinja2.

The built-in templates are complete; a template of the same name in the operator's own folder (beside hosts.toml)
replaces one of them. A name that a template uses and that does not exist is an error, never an empty string.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path
from traceback import walk_tb
from typing import Any

from jinja2 import (
    Environment,
    FileSystemBytecodeCache,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateSyntaxError,
    UndefinedError,
    nodes,
)
from jinja2.meta import find_referenced_templates, find_undeclared_variables

from lbdeploy.common.paths import PACKAGE, shipped, shown
from lbdeploy.config.model import Address, Cluster, Node, OwnSections
from lbdeploy.errors import RenderError

SUFFIX = ".j2"
ALWAYS = ("cluster", "node", "peers", "vrrp")  # the names that every template is given
_IN_MEMORY = "<template>"  # what jinja calls the file of a template that has none


def render(cluster: Cluster, node: Node, template: str | OwnSections, **values: Any) -> str:
    """The text of `template` (its file name without .j2, or the operator's text) for one node. Raises RenderError."""
    require_own(cluster.templates)
    try:
        return _template(cluster, template).render(
            cluster=cluster, node=node, peers=cluster.peers(node), vrrp=cluster.vrrp, **values
        )
    except TemplateError as error:
        raise _explain(cluster, node, template, error, values) from None
    except Exception as error:  # a template may fail in any way: a wrong type, a missing key
        raise _explain(cluster, node, template, error, values) from None


def _template(cluster: Cluster, template: str | OwnSections) -> Template:
    environment = _environment(cluster.templates)
    if isinstance(template, OwnSections):
        return environment.from_string(template.text)
    return environment.get_template(template + SUFFIX)


def require_own(templates: Path) -> None:
    """Raise RenderError where the operator means to use own templates, but built-in ones would be used silently."""
    if not os.path.lexists(templates):
        return
    if not templates.is_dir():
        raise _unusable(templates, "folder")
    try:
        with os.scandir(templates) as entries:  # each rendered file looks here: the folder is read once for it
            wrong = min((each.name for each in entries if each.name in built_in() and not each.is_file()), default="")
    except OSError as error:
        raise _unusable(templates, "folder", f"can't be read: {error.strerror}") from None
    if wrong:
        raise _unusable(templates / wrong, "file")


def _unusable(path: Path, kind: str, why: str = "") -> RenderError:
    return RenderError(
        f"{path} {why or (f'is no {kind}' if path.exists() else 'is a link that leads nowhere')}",
        node=None,
        state="nothing was contacted",
        fix="put your own there, or remove it to use the built-in one",
    )


@cache
def built_in() -> frozenset[str]:
    """The names of the built-in templates."""
    return frozenset(path.name for path in shipped("templates").glob("*" + SUFFIX))


def unused_templates(cluster: Cluster) -> Iterator[tuple[Path, str, str]]:
    """Files among the operator's templates that nothing uses: (file, what is wrong, how to correct it)."""
    strange = [path for path in sorted(cluster.templates.glob("*")) if path.name not in built_in()]
    used = _used(_environment(cluster.templates), built_in()) if strange else set()
    for path in strange:
        if path.name + SUFFIX in built_in() and path.name not in used:
            yield path, f"is not used: templates end in {SUFFIX}", f"call it {path.name}{SUFFIX}"
        elif path.suffix == SUFFIX and path.name not in used:
            close = get_close_matches(path.name, built_in(), 1)
            fix = f"call it {close[0]}, or remove it" if close else "give it the name of one, or remove it"
            yield path, "replaces no built-in template, and is not used", fix


def undeclared(own: Path, template: str) -> Iterator[tuple[Path, int, str]]:
    """The names that an operator's own template does not set itself, but for jinja2's: its file, a line, the name."""
    path = own / (template + SUFFIX)
    if path.is_file():
        yield from ((path, line, name) for name, line in _undeclared_in(path.read_text(encoding="utf-8")))


@lru_cache(maxsize=64)  # many clusters have the same
def _undeclared_in(text: str) -> list[tuple[str, int]]:
    environment = _environment(Path())
    parsed = environment.parse(text)
    names = find_undeclared_variables(parsed) - environment.globals.keys()
    lines: dict[str, int] = {}
    for each in parsed.find_all(nodes.Name):
        if each.name in names and each.ctx == "load":
            lines[each.name] = min(each.lineno, lines.get(each.name, each.lineno))
    return [(name, lines.get(name, 1)) for name in sorted(names)]


def _used(environment: Environment, names: Iterable[str]) -> set[str]:
    """These templates, and all those that they include, import or extend by name."""
    used, left = set[str](), list(names)
    while left:
        used.add(name := left.pop())
        with suppress(TemplateError, UnicodeDecodeError):  # rendering reports what is wrong with it
            assert environment.loader
            source, _, _ = environment.loader.get_source(environment, name)
            left += {each for each in find_referenced_templates(environment.parse(source)) if each} - used
    return used


@lru_cache(maxsize=16)  # a process may serve many clusters, each with its own folder
def _environment(own: Path) -> Environment:
    environment = Environment(
        loader=FileSystemLoader([own, shipped("templates")]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        bytecode_cache=_bytecode_cache(),
        autoescape=False,  # noqa: S701  the output is no HTML; what a value may contain is decided by its type
    )
    environment.filters |= {"number": number, "duration": duration, "endpoint": endpoint}
    return environment


def _bytecode_cache() -> FileSystemBytecodeCache | None:
    """A cache of compiled templates, beside Python's bytecode and trusted like it: saves 10 ms at start-up."""
    folder = PACKAGE / "__pycache__"
    return FileSystemBytecodeCache(str(folder)) if os.access(folder, os.W_OK) else None


def number(value: float) -> str:
    """A number without needless decimals: 1.0 is "1", 0.25 is "0.25"."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def duration(seconds: float) -> str:
    """A time as haproxy writes it (configuration manual, section 2.5): whole seconds, or milliseconds."""
    milliseconds = round(seconds * 1000)
    return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"


def endpoint(pair: tuple[Address, int]) -> str:
    """An address and a port as haproxy writes them (configuration manual, section 11.1): IPv6 in brackets."""
    address, port = pair
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def _explain(
    cluster: Cluster, node: Node, template: str | OwnSections, error: Exception, given: Iterable[str]
) -> RenderError:
    if isinstance(template, OwnSections):
        return _explain_sections(cluster, node, template, error, given)
    folders, name = (cluster.templates, shipped("templates")), template + SUFFIX
    path, line = _place(error, folders)
    if not path:
        path = next(folder / name for folder in folders if (folder / name).exists())
    fix = f"edit {path}, or remove it to use the built-in one"
    return _failed(node, path, line, f"{error}{_meant(error, given)}", fix)


def _failed(node: Node, path: Path, line: int | None, message: str, fix: str) -> RenderError:
    from lbdeploy.planning.template_problems import problem

    return RenderError(
        f"{path}{f':{line}' if line else ''}: {message}",
        node=node.name,
        state="nothing was contacted",
        fix=fix,
        problems=[problem(path, line or 0, message, fix)],
    )


def _meant(error: Exception, given: Iterable[str]) -> str:
    """The nearest name that the template is given, where it asks for one that it is not given."""
    found = re.fullmatch(r"'(\w+)' is undefined", str(error)) if isinstance(error, UndefinedError) else None
    close = get_close_matches(found[1], [*ALWAYS, *given], 1) if found else []
    return f"; did you mean {close[0]}?" if close else ""


def _explain_sections(
    cluster: Cluster, node: Node, own: OwnSections, error: Exception, given: Iterable[str]
) -> RenderError:
    frames = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == _IN_MEMORY]
    line = error.lineno if isinstance(error, TemplateSyntaxError) else frames[-1] if frames else None
    fix = f"correct {own.path}; what jinja is to leave as it is stands between {{% raw %}} and {{% endraw %}}"
    return _failed(node, shown(cluster.path.parent / own.path), line, f"{error}{_meant(error, given)}", fix)


def _place(error: Exception, folders: tuple[Path, ...]) -> tuple[Path | None, int | None]:
    """The template and the line where the error is: possibly in one that is included by another."""
    if isinstance(error, TemplateSyntaxError):
        return Path(error.filename) if error.filename else None, error.lineno
    frames = [(Path(frame.f_code.co_filename), line) for frame, line in walk_tb(error.__traceback__)]
    return next(((path, line) for path, line in reversed(frames) if path.parent in folders), (None, None))
