"""Finding and hiding passwords in the nodes' files, so that no screen, JSON document or log shows them."""

from __future__ import annotations

import re
from base64 import b64decode
from functools import cache

HIDDEN = "(hidden)"
# What precedes a value to hide: in keepalived.conf(5), and in haproxy's userlists, statistics and headers.
BEFORE = (
    r"\bauth_pass[ \t]+",
    r"\buser[ \t]+\S+[ \t]+(?:groups[ \t]+\S+[ \t]+)?(?:insecure-)?password[ \t]+",
    r"\bstats[ \t]+auth[ \t]+[^\s:]+:",
    r"authorization[:\"'\\ \t]+(?:basic|bearer)[\\ \t]+",
)
URL = r"(?P<user>://[^/\s:@]+:)[^/\s@]+(?=@)"


def hidden(text: str) -> str:
    """The text with every password in it replaced."""
    return "\n".join(_hidden(line) if _may_hold(line) else line for line in text.split("\n"))


def holds_password(text: str) -> bool:
    """Whether the text contains a password."""
    return any(_may_hold(line) and _passwords().search(line) for line in text.split("\n"))


def mode_for(content: str) -> str:
    """The mode of a file that daemons read before they drop root privileges: not world-readable with a password."""
    return "640" if holds_password(content) else "644"


def hidden_in_base64(text: str) -> str:
    """The text, with the words hidden that are base64 of something with a password."""
    return re.sub(r"[A-Za-z0-9+/]{24,}={0,2}", lambda found: _unless_password(found[0]), text)


def _may_hold(line: str) -> bool:
    """Whether a line is worth the full check, which takes fifty times as long."""
    line = line.lower()
    return "auth" in line or "password" in line or "://" in line


def _hidden(line: str) -> str:
    return _passwords().sub(lambda found: f"{found['before'] or found['user']}{HIDDEN}", line)


@cache
def _passwords() -> re.Pattern[str]:
    value = r"""(?:"[^"\n]*"|\S+)"""
    return re.compile(rf"(?P<before>{'|'.join(BEFORE)}){value}|{URL}", re.IGNORECASE)


def _unless_password(word: str) -> str:
    try:
        plain = b64decode(word, validate=True).decode(errors="replace")
    except ValueError:
        return word
    return "(base64 of a file with a password)" if holds_password(plain) else word
