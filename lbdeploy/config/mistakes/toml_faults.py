"""What is wrong with a text that is not TOML, in words, with the place and the remedy. Pure.

Python's parser says where it stopped; what was meant is read off the line. Imported only for a file that has a fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from lbdeploy.config.mistakes.foreign import not_of_toml
from lbdeploy.errors import Problem, key_text

TABLE = re.compile(r"\s*\[+\s*(?P<name>[^\]#]+?)\s*\]+")
PAIR = re.compile(r"\s*(?P<key>[A-Za-z0-9_.\"'-]+)\s*=\s*(?P<value>.*?)\s*(?:#.*)?$")
OPENED: dict[str, tuple[str, ...]] = {
    "Unclosed array": ("[",),
    "Unterminated string": ('"""', "'''"),
}  # by the parser's words
CURLY = "\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb"  # quotes as word processors write them
Said = tuple[str, str, int]  # what is wrong, what would be right, the column


@dataclass(frozen=True, slots=True)
class Stop:
    """Where Python's parser stopped: the lines of the text, and a line and column that count from 1."""

    lines: list[str]
    line: int
    column: int

    @property
    def source(self) -> str:
        return self.lines[self.line - 1].rstrip("\r")

    @property
    def pair(self) -> re.Match[str] | None:
        return PAIR.match(self.source)

    @property
    def begin(self) -> int:
        """The column of the value, or of the line's first word."""
        return self.pair.start("value") + 1 if self.pair else len(self.source) - len(self.source.lstrip()) + 1


def fault(text: str, message: str, line: int, column: int) -> Problem:
    """The problem, from the message of Python's tomllib and the place at which it stopped."""
    lines = text.split("\n")
    line = min(max(line, 1), len(lines))
    stop = Stop(lines, _opened(lines, line, message), column)
    words, fix, at = _said(message, stop)
    width = (
        next((len(stop.pair[each]) for each in ("key", "value") if stop.pair.start(each) == at - 1), 1)
        if (stop.pair)
        else 1
    )
    return Problem("toml", (), words, fix, stop.line, max(1, min(at, len(stop.source) + 1)), width, stop.source)


def _opened(lines: list[str], line: int, message: str) -> int:
    """The line on which a list or a long text begins that is not closed: the parser notices that only later."""
    signs = next((each for words, each in OPENED.items() if words in message), ())
    begins = (at for at in range(line, 0, -1) if (of := PAIR.match(lines[at - 1])) and of["value"].startswith(signs))
    return next(begins, line)


def _said(message: str, stop: Stop) -> Said:
    curly = next((at for at, each in enumerate(stop.source, 1) if each in CURLY), 0)
    if curly and "Cannot" not in message:
        return "typographic quotes are no quotes in TOML", 'write "', curly
    if found := not_of_toml(stop.source, stop.lines):
        return found
    for words, explain in RULES.items():
        if words in message:
            return explain(stop)
    return f"not TOML: {message[:1].lower()}{message[1:]}", "see https://toml.io", stop.column


def _twice(stop: Stop) -> Said:
    """A key that is set twice in its table, with both lines."""
    found = stop.pair
    if not found:
        return _table_twice(stop)
    for earlier in range(stop.line - 1, 0, -1):
        above = stop.lines[earlier - 1]
        same = PAIR.match(above)
        if same and same["key"] == found["key"]:
            words = f"{found['key']} is set twice, lines {earlier} and {stop.line}"
            return words, "remove one of the lines", found.start("key") + 1
        if TABLE.match(above):
            break
    return f"{found['key']} is set twice", "remove one of them", found.start("key") + 1


def _table_twice(stop: Stop) -> Said:
    found = TABLE.match(stop.source)
    name = re.sub(r"\s", "", found["name"]) if found else ""
    above = enumerate(stop.lines[: stop.line - 1], 1)
    same = [at for at, each in above if (of := TABLE.match(each)) and of["name"] == name]
    first = name.partition(".")[0]
    value = next((at for at, each in enumerate(stop.lines, 1) if (of := PAIR.match(each)) and of["key"] == first), 0)
    if not same and 0 < value < stop.line:
        return f"{first} has a value in line {value}, and can't be a table, too", "remove one of the two", stop.begin
    where = f", lines {same[0]} and {stop.line}" if same else ""
    return f"[{name}] is there twice{where}", "put its keys below one of them, or give it another name", stop.begin


def _neither(stop: Stop) -> Said:
    return "this line is neither KEY = VALUE nor a [table]", 'write KEY = "VALUE"', stop.begin


def _table_open(stop: Stop) -> Said:
    return "the name of the table is not closed", "write a ] at its end", len(stop.source.rstrip()) + 1


def _text_open(stop: Stop) -> Said:
    quote = next((each for each in ('"""', "'''") if each in stop.source), "a quote")
    return "the text is not closed", f"write {quote} at its end", stop.begin


def _list_open(stop: Stop) -> Said:
    return "the list is not closed", "write commas between its entries, and ] at its end", stop.begin


def _braces_open(stop: Stop) -> Said:
    return "the table in braces is not closed on its line", "write } at its end", stop.begin


def _backslash(stop: Stop) -> Said:
    return "a backslash begins an escape in this text", "write the text in single quotes", stop.begin


def _after(stop: Stop) -> Said:
    """Something that stands after a complete value."""
    if stop.source.count('"') % 2:
        return _text_open(stop)
    if stop.pair and re.match(r"[0-9]", stop.pair["value"]):
        return _bad_value(stop)
    rest = stop.source[stop.column - 1 :].strip()
    fix = "begin a comment with #, and each key on a line of its own"
    return f"{rest[:30]!r} after the value has no meaning", fix, stop.column


def _bad_value(stop: Stop) -> Said:
    value = stop.pair["value"] if stop.pair else ""
    for words, fix in (("//", "begin a comment with #"), ("=", "write each key on a line of its own")):
        if words in value:
            return f"{value[value.index(words) :][:30]!r} has no meaning in a value", fix, stop.begin
    return _value(value), _quoted(value), stop.begin


# By what is in the parser's message. The first one that fits counts.
RULES: dict[str, Callable[[Stop], Said]] = {
    "Cannot overwrite": _twice,
    "Cannot mutate": _twice,
    "Cannot declare": _table_twice,
    "Expected '='": _neither,
    "Invalid initial character": _neither,
    "Expected ']'": _table_open,
    "Unterminated string": _text_open,
    "invalid character '\\n'": _text_open,
    "Illegal character '\\n'": _text_open,
    "Unclosed array": _list_open,
    "Expected newline": _after,
    "Invalid value": _bad_value,
    "Invalid statement": _neither,
    "Unclosed inline table": _braces_open,
    "Expected \"'": _text_open,
    "Unescaped": _backslash,
    "hex value": _backslash,
}


def _value(value: str) -> str:
    return f"{value[:40]} is not a value in TOML" if value else "the value is missing"


def _quoted(value: str) -> str:
    """The remedy for what may be text, a number with a unit, or a truth value."""
    if not value:
        return 'write one, like "text", 10 or true'
    if value.lower() in ("yes", "no", "on", "off", "true", "false"):
        return "write true or false"
    if re.fullmatch(r"0[0-9]+|[0-9]{1,3}(,[0-9]{3})+", value):
        return f"write a number as {value.replace(',', '').lstrip('0') or '0'}"
    if found := re.fullmatch(r"([0-9.]+) ?(s|sec|seconds?|m|min|ms)", value):
        return f"write seconds as a number: {found[1]}" if found[2][0] == "s" else "write seconds as a number"
    bare = value.strip("\"'")
    return f"write text in quotes: {key_text(bare) if key_text(bare)[0] == chr(34) else chr(34) + bare + chr(34)}"
