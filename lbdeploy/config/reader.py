"""hosts.toml to Cluster: the only reader of the file. Every problem is reported at once, with line and remedy."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import date, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lbdeploy.common.paths import absolute, shown
from lbdeploy.common.startup import import_core_schema, stand_in, unused
from lbdeploy.config.attachments import KeyFileError, armored
from lbdeploy.config.loading.text import read
from lbdeploy.config.model import Cluster, Ssh
from lbdeploy.errors import HostsFileError, Problem

with (
    stand_in("pydantic.plugin._loader", get_plugins=tuple),
    unused("fractions", "uuid", "zoneinfo"),  # types of values that no hosts.toml has
):
    import_core_schema()
    from pydantic import ValidationError

    from lbdeploy.config import attachments, build
    from lbdeploy.config.attachments import certificates
    from lbdeploy.config.checks.cluster import check
    from lbdeploy.config.checks.tables import Tables
    from lbdeploy.config.keys import joined
    from lbdeploy.config.schema import (
        BELOW,
        NAMED,
        SECTIONS,
        SINGLE,
        FrontendTable,
        PackagesTable,
        ServerTable,
        SshTable,
        Table,
    )
    from lbdeploy.config.secret_files import READERS, SecretFileError

if TYPE_CHECKING:
    from lbdeploy.config.mistakes.line_numbers import TextSpan

Key = tuple[str, ...]
REQUIRED = ("cluster", "networks", "nodes", "vrrp", "frontends")


def load(path: Path, text: str | None = None, texts: dict[str, str] | None = None) -> Cluster:
    """The cluster that the file at `path` describes; or that it would, if it held `text`.

    `texts` holds the scripts, certificates, secrets and repository keys that the file names, by path. Those
    that it lacks are read from beside the file, and added to it.

    Raises UsageError where the file can't be read, and HostsFileError, with every problem, where it can't be used.
    """
    path = absolute(Path(path))
    text = read(path) if text is None else text
    try:
        return _load(path, text, {} if texts is None else texts)
    except RecursionError:
        raise HostsFileError(
            shown(path), [Problem("depth", (), "is nested too deeply", "no key has more than four parts", 1)]
        ) from None


def problems(data: dict[str, Any], texts: dict[str, str] | None = None) -> list[Problem]:
    """The problems in the tables of a file that is not written yet; so they have no lines. `texts`: as for `load`."""
    reader = _Reader(Path(), data, texts)
    reader.read()
    return reader.problems


def misspelt(path: Path, text: str) -> Iterator[tuple[TextSpan, str, str]]:
    """What is certainly misspelt in a text: where, what, and what is meant. Raises HostsFileError for no TOML."""
    from lbdeploy.config.mistakes.line_numbers import LineNumbers
    from lbdeploy.config.mistakes.typos import typos

    reader = _Reader(path, _parse(path, text))
    reader.read()
    lines = LineNumbers(text)
    for typo in typos(reader.problems, reader.data):
        yield lines.place(typo.key), typo.key[-1], typo.meant


def ssh_of(data: dict[str, Any], path: Path = Path("hosts.toml")) -> Ssh:
    """How to log in, from the [ssh] table of a file that is not written yet."""
    return build.ssh(absolute(path), SshTable(**data.get("ssh", {})))


def _load(path: Path, text: str, texts: dict[str, str]) -> Cluster:
    reader = _Reader(path, _parse(path, text), texts)
    parsed = reader.read()
    authorities = reader.authorities(parsed.get("frontends", {}))
    reader.read_secrets(parsed.get("frontends", {}))
    keys = reader.keys(parsed.get("packages"))
    if reader.problems:
        raise reader.error(text)
    return build.cluster(path, parsed, reader.texts, authorities, keys)


def _parse(path: Path, text: str) -> dict[str, Any]:
    if text.startswith("\ufeff"):
        message, fix = "begins with a byte order mark (BOM), which is not TOML", "save the file as UTF-8 without one"
        raise HostsFileError(shown(path), [Problem("bom", (), message, fix, 1)])
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        from lbdeploy.config.mistakes.toml_faults import fault

        found = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", str(error))
        line, column = (int(found[1]), int(found[2])) if found and found[1] else (len(text.rstrip().split("\n")), 1)
        message = str(error)[: found.start()] if found else str(error)
        raise HostsFileError(shown(path), [fault(text, message, line, column)]) from None
    except ValueError:
        line = 1 + next((n for n, line in enumerate(text.splitlines()) if re.search(r"[0-9_]{4300}", line)), 0)
        raise HostsFileError(
            shown(path), [Problem("toml", (), "a number is far too long", "no number has so many digits", line)]
        ) from None


class _Reader:
    """Reads each table on its own; collects what is well-formed, and the problems of the rest."""

    def __init__(self, path: Path, data: dict[str, Any], texts: dict[str, str] | None = None) -> None:
        self.path = path
        known = {section: kind.model_fields for section, kind in NAMED.items()}
        self.data, self.problems = joined(data, known, ServerTable.model_fields)
        self.texts = {} if texts is None else texts  # of the files that hosts.toml names, by their paths there
        self._given = frozenset(self.texts)  # they were checked where they were read
        self._checked: set[tuple[Callable[..., str], str]] = set()

    def read(self) -> dict[str, Any]:
        if not self.data:
            self._add("empty", (), "describes no cluster yet", "lbdeploy init writes a file, or copy the sample")
            return {}
        for section in self.data:
            if section not in SECTIONS:
                self._add("unknown-table", (section,), "unknown table", _where_to(section, SECTIONS))
        for section in REQUIRED:
            if section not in self.data or (section in NAMED and self.data[section] == {}):
                example = f"[{section}]" if section in SINGLE else f"[{section}.NAME]"
                self._add("missing", (section,), "is missing", f"add a table {example}")
        parsed = {section: self._section(section) for section in SECTIONS if section in self.data}
        self.problems += check(Tables.of(parsed, self.data, [each.parts for each in self.problems]))
        self.problems += attachments.read(self.path.parent, parsed.get("vrrp"), self.texts)
        self.problems += attachments.read_sections(self.path.parent, parsed.get("haproxy"), self.texts)
        return parsed

    def authorities(self, frontends: dict[str, FrontendTable]) -> dict[str, str]:
        """The certificates that frontends name, by frontend."""
        named = {name: table.check_ca_file for name, table in frontends.items() if table.check_ca_file}
        for name, path in named.items():
            try:
                self._take(path, certificates, build.beside(self.path, path))
            except ValueError as error:
                fix = "name a file with the certificate of the servers' CA, as PEM"
                self._add("unusable-certificate", ("frontends", name, "check_ca_file"), str(error), fix)
        return {name: self.texts[path] for name, path in named.items() if path in self.texts}

    def read_secrets(self, frontends: dict[str, FrontendTable]) -> None:
        """Put what haproxy is to show to servers into `texts`."""
        named = [(name, key, getattr(table, key)) for name, table in frontends.items() for key in READERS]
        for name, key, path in named:
            try:
                if path:
                    self._take(path, READERS[key], build.beside(self.path, path))
            except SecretFileError as error:
                self._add("unusable-secret", ("frontends", name, key), *error.args)

    def keys(self, packages: PackagesTable | None) -> dict[str, str]:
        """The keys of repositories, armored, by the repository's name."""
        found = {}
        for name, each in packages.repositories.items() if packages else ():
            try:
                if each.key_file:
                    self._take(each.key_file, armored, self.path.parent, each.key_file)
                found[name] = self.texts[each.key_file] if each.key_file else ""
            except KeyFileError as error:
                self._add("unusable-key", ("packages", "repositories", name, "key_file"), *error.args)
        return found

    def _take(self, path: str, reader: Callable[..., str], *where: Path | str) -> None:
        """Keep the text of a file, unless it was given. Each kind of key wants other things of it.

        A private key that haproxy shows must not pass for a CA, for example, of which all nodes get the text.
        """
        if path not in self._given and (reader, path) not in self._checked:
            self.texts.setdefault(path, reader(*where))
            self._checked.add((reader, path))

    def error(self, text: str) -> HostsFileError:
        from lbdeploy.config.mistakes.line_numbers import LineNumbers
        from lbdeploy.config.mistakes.typos import UNKNOWN, distinct

        lines = LineNumbers(text)
        found = []
        for each in distinct(self.problems, self.data):
            place = lines.place(each.parts, value=each.rule not in UNKNOWN)
            found.append(replace(each, line=place.line, column=place.column, width=place.width, source=place.source))
        return HostsFileError(shown(self.path), found)

    def _section(self, section: str) -> Any:
        value = self.data[section]
        if section in SINGLE:
            return self._table(SINGLE[section], (section,), value)
        if not isinstance(value, dict):
            self._add("no-table", (section,), "is not a table", f"write [{section}.NAME]")
            return {}
        tables = {name: self._named(section, name, table) for name, table in value.items()}
        return {name: table for name, table in tables.items() if table}

    def _named(self, section: str, name: str, value: Any) -> Table | None:
        table = self._table(NAMED[section], (section, name), value)
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", name):
            fix = "use letters, digits, dots, hyphens and underscores, beginning and ending with a letter or digit"
            self._add("plain", (section, name), "is not a plain name", fix)
            return None
        return table

    def _table(self, kind: type[Table], table: Key, value: Any) -> Table | None:
        """The table, without what is wrong in it."""
        try:
            return kind.model_validate(value)
        except ValidationError as error:
            for each in error.errors(include_url=False):
                where = table + tuple(str(part) for part in each["loc"] if part != "[key]")
                inner = BELOW.get((table[0], where[1]), kind) if where[1:] else kind
                inner = ServerTable if kind is FrontendTable and len(each["loc"]) > 1 else inner
                self._add(each["type"], where, *_explain(each, inner))
            from lbdeploy.config.mistakes.remains import remains  # imported only for a file with a mistake

            return remains(kind, value)

    def _add(self, rule: str, where: Key, message: str, fix: str) -> None:
        self.problems.append(Problem(rule, where, message, fix))


def _where_to(key: str, known: Iterable[str]) -> str:
    from lbdeploy.config.mistakes.typos import where_to  # imported only for a file with a mistake

    return where_to(key, known)


def _explain(error: Any, kind: type[Table]) -> tuple[str, str]:  # noqa: C901, PLR0911, PLR0912  a table, in words
    """What is wrong and what would be right, in words, for one of pydantic's errors."""
    context = error.get("ctx", {})
    value = _shown(error["input"])
    match error["type"]:
        case "int_type" | "float_type" | "bool_type" | "string_type" | "literal_error" if _has_entries(error["input"]):
            what, fix = ("list", "without brackets") if isinstance(error["input"], list) else ("table", "behind the =")
            return f"is a {what}", f"write one value, {fix}"
        case "missing":
            field = kind.model_fields[error["loc"][-1]]
            return "is missing", f"add {error['loc'][-1]}: {(field.description or '').rstrip('.')}"
        case "extra_forbidden":
            return "unknown key", _where_to(str(error["loc"][-1]), kind.model_fields)
        case "int_type" | "int_from_float":
            return f"{value} is not a whole number", "write it without quotes and decimals"
        case "float_type" | "finite_number":
            return f"{value} is not a number of seconds", "write it without quotes, like 10 or 0.5"
        case "bool_type":
            return f"{value} is not true or false", "write true or false, without quotes"
        case "string_type":
            return f"{value} is not text", "write it in quotes"
        case "literal_error":
            return f"{value} is not known", f"write {context['expected']}"
        case "list_type":
            return f"{value} is not a list", _in_brackets(error["input"])
        case "greater_than_equal":
            return f"{value} is too small", f"write {context['ge']:.15g} or more"
        case "less_than_equal":
            return f"{value} is too large", f"write {context['le']:.15g} or less"
        case "too_long":
            return "has too many entries", f"write at most {context['max_length']}"
        case "too_short" if isinstance(error["input"], list):
            return "is empty", "write at least one entry, or leave the key out"
        case "too_short":
            return "is empty", "write at least one NAME = VALUE line"
        case "dict_type" | "model_type" | "model_attributes_type":
            return "is not a table", "write NAME = VALUE lines below a [table] header"
        case _:
            return error["msg"][:1].lower() + error["msg"][1:], context.get("fix", "")


def _has_entries(value: object) -> bool:
    return isinstance(value, list | dict)


def _in_brackets(value: object) -> str:
    """How to write as a list what is none."""
    if isinstance(value, dict):
        return "write the entries in brackets, with commas between them"
    number = isinstance(value, str) and value.isdigit()
    return f"write it in brackets: [{value if number else _shown(value)}]"


def _shown(value: object) -> str:
    """A value as one would write it in the file, or the beginning of it."""
    match value:
        case bool():
            text = str(value).lower()
        case date() | time():
            text = value.isoformat()
        case _:
            text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
