"""Markdown, as merge requests show it: what `up` would do, in a table, and each file's diff folded away below."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any


def text(document: Mapping[str, Any]) -> str:
    """A heading that says it all, the steps with their cost, the changes, the diffs."""
    return "\n".join(_lines(document))


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    changes = document.get("changes", [])
    nodes = dict.fromkeys(each["node"] for each in changes)
    yield f"### lbdeploy plan: {_cell(document['cluster'])}"
    yield ""
    if "error" in document:
        yield f"**Not all could be looked at:** {_cell(_told(document['error']))}"
        yield ""
    elif not changes:
        yield "Nothing to do: the nodes are as hosts.toml says."
    if not changes:
        return
    count = "1 change" if len(changes) == 1 else f"{len(changes)} changes"
    yield f"{count} on {', '.join(map(_cell, nodes))}."
    yield ""
    for each in document.get("refused", ()):
        yield f"**`up` would refuse this:** {_cell('; '.join(filter(None, (_told(each), each.get('fix')))))}"
        yield ""
    yield from _stages(document.get("stages", ()))
    yield from ("| node | action | what | why |", "| --- | --- | --- | --- |")
    for each in changes:
        what = f"{each['kind']} `{_code(each['name'])}`"
        yield f"| {_cell(each['node'])} | {_cell(each['action'])} | {what} | {_cell(each['reason'])} |"
    yield from _diffs(changes)


def _told(error: Mapping[str, Any]) -> str:
    return f"{error['node']}: {error['message']}" if error.get("node") else str(error["message"])


def _stages(stages: Any) -> Iterator[str]:
    for number, stage in enumerate(stages, 1):
        yield f"{number}. {_cell(' and '.join(stage['nodes']))}: {_cell(stage['cost'])}"
    yield ""


def _diffs(changes: Any) -> Iterator[str]:
    """A diff that is the same on several nodes, once."""
    by_text: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in changes:
        if each.get("diff"):
            by_text[each["name"], each["diff"]].append(each["node"])
    for (name, diff), nodes in by_text.items():
        fence = "`" * (max([2, *(len(run) for run in re.findall("`+", diff))]) + 1)
        yield from ("", "<details>", f"<summary>{_cell(name)} on {_cell(', '.join(nodes))}</summary>", "")
        yield from (f"{fence}diff", diff.rstrip("\n"), fence, "", "</details>")


def _cell(value: object) -> str:
    """Text that stays text: nothing in it is markup, and it stays in its cell."""
    line = " ".join(str(value).split())
    return re.sub(r"([\\`*_{}\[\]<>#|~&])", r"\\\1", line)


def _code(value: str) -> str:
    """Text between backquotes."""
    return " ".join(value.split()).replace("`", "'").replace("|", "\\|")
