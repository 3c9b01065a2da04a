"""What the rules for all files have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from lbdeploy.config.model import Cluster, Node

Complaint = tuple[str, int | None, str, str]  # severity, line, message, fix
Rule = Callable[[Cluster, Node, str], Iterator[Complaint]]


@lru_cache(maxsize=4)  # every rule asks for it
def plain(content: str) -> str:
    """The text without comments, line for line: keepalived's begin with # or ! (keepalived.conf(5))."""
    return re.sub(r"[#!].*", "", content)


def matches(content: str, pattern: str) -> Iterator[tuple[int, re.Match[str]]]:
    """(line number, match) for each line, without comments, in which the pattern is found; lines count from 1."""
    search = re.compile(pattern).search  # re.search would look for the compiled pattern for each line
    for number, line in enumerate(plain(content).splitlines(), 1):
        if found := search(line):
            yield number, found
