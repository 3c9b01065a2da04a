"""The words of a line of haproxy.cfg or keepalived.conf, as their own parsers split it, each with where it begins.

haproxy: `parse_line` in src/tools.c (3.2). keepalived: `decomment` and `alloc_strvec_r` in lib/parser.c (2.3). Unlike
theirs, comments are words, too: what is commented out may still be a password. No text makes these functions raise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

Word = tuple[str, int]  # a word's value, and where it begins in the line

_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", **{each: each for each in " \\#'\"$"}}
_KEEPALIVED = r'"(?P<quoted>[^"]*)"?|(?P<plain>[^\s"]+)'
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?:\[\*\])?(?:-([^}]*))?\}|(\w+))")
_HEX = frozenset("0123456789abcdefABCDEF")
_QUOTING = frozenset("\\'\"")


def haproxy_words(line: str) -> Iterator[Word]:
    """Quotes may begin and end within a word; a backslash escapes, except between single quotes."""
    if _QUOTING.isdisjoint(line):  # nearly all lines; nodes send megabytes of them
        yield from ((found[0], found.start()) for found in re.finditer(r"\S+", line))
        return
    word: list[str] = []
    begin, quote, at = -1, "", 0
    while at < len(line):
        here, start = line[at], at
        value, at = _escaped(line, at) if here == "\\" and quote != "'" else (here, at + 1)
        if value == here and here in "'\"" and quote in ("", here):
            value, quote = "", here if not quote else ""
        elif here.isspace() and not quote:
            if begin >= 0:
                yield "".join(word), begin
            word, begin = [], -1
            continue
        word.append(value)
        begin = start if begin < 0 else begin
    if begin >= 0:
        yield "".join(word), begin


def haproxy_arguments(line: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The words of a line as haproxy uses them: without its comment, variables between double quotes replaced.

    An unescaped # begins a comment also within a word. Of a variable that is not set, nothing is left but its default.
    """
    if _QUOTING.isdisjoint(line):  # nearly all lines; so no variable is replaced in it either
        return tuple(line.partition("#")[0].split())
    words: list[str] = []
    quote, at, begun = "", 0, False
    while at < len(line) and (quote or line[at] != "#"):
        here = line[at]
        value, after = _escaped(line, at) if here == "\\" and quote != "'" else (here, at + 1)
        if here == "$" and quote == '"' and (variable := _VARIABLE.match(line, at)):
            name, default = variable[1] or variable[3], variable[2] or ""
            value, after = environment.get(name, default), variable.end()
        elif here in "'\"" and quote in ("", here):
            value, quote = "", here if not quote else ""
        elif here.isspace() and not quote:
            begun, at = False, after
            continue
        words = [*words[:-1], words[-1] + value] if begun else [*words, value]
        begun, at = True, after
    return tuple(words)


def keepalived_words(line: str) -> Iterator[Word]:
    """A word in double quotes ends with them; nothing is escaped. Comments begin with # or !."""
    for found in re.finditer(_KEEPALIVED, line):
        yield found["plain"] or found["quoted"] or "", found.start()


def _escaped(line: str, at: int) -> tuple[str, int]:
    """What the escape sequence at a backslash stands for, and where it ends. An unknown one stands for itself."""
    following, code = line[at + 1 : at + 2], line[at + 2 : at + 4]
    if following == "x" and len(code) == 2 and set(code) <= _HEX:
        return chr(int(code, 16)), at + 4
    return _ESCAPES.get(following, "\\"), at + (2 if following in _ESCAPES else 1)
