"""What of a haproxy.cfg no frontend of hosts.toml can do: kept as it is, in a file for `[haproxy] extra`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbdeploy.operations.adopt.haproxy.frontends import Frontends
from lbdeploy.operations.adopt.haproxy.proxies import Proxy
from lbdeploy.operations.adopt.reading.haproxy_cfg import Directive, Section

FILE, PATTERN = "haproxy.d/sections.cfg", "haproxy.d/*.cfg"
# Settings of all of haproxy on which sections may depend, and of which lbdeploy's sections have no need.
_NEEDED = (
    "setenv",
    "presetenv",
    "unsetenv",
    "resetenv",
    "lua-",
    "ssl-",
    "tune.",
    "ca-base",
    "crt-base",
    "issuers-chain",
)


@dataclass(slots=True)
class KeptSections:
    """Of a node's file: the `sections` themselves, and the lines that they need of the sections global."""

    sections: Sequence[Section] = ()
    globals: Sequence[Directive] = ()
    defaults: Sequence[Section] = ()

    def has(self, line: Directive) -> bool:
        """Whether a line is kept."""
        own = (each for section in self.sections for each in (section.head, *section.lines))
        return any(line is each for each in (*own, *self.globals))

    def text(self) -> str:
        """The sections in their order, each behind the section defaults that holds for it; "" without any."""
        if not self.sections:
            return ""
        lines = ["global", *(f"    {each.text}" for each in self.globals)] if self.globals else []
        for each in sorted((*self.sections, *self.defaults), key=lambda one: one.order):
            lines += [each.head.text, *(f"    {line.text}" for line in each.lines if not line.unread)]
        return "\n".join(lines) + "\n"


def kept_sections(node: str, sections: Sequence[Section], proxies: Sequence[Proxy], made: Frontends) -> KeptSections:
    """All of a node that no frontend does the work of, once one of these listens; also what these lead to."""
    served = [part for each in proxies if (node, each.front.name) in made.of and not each.why for part in each.sections]
    left = [each for each in sections if each.kind not in ("global", "defaults") and not _in(each, served)]
    if not any(each.kind in ("frontend", "listen") for each in left):
        return KeptSections()
    named = {name for each in left for name in _leads_to(each)}
    anywhere = any("%[" in name for name in named)  # what clients send decides
    # lbdeploy's own section of this name does what the backend did.
    others = [each for each in served if each.kind != "frontend" and each.name not in made.tables]
    shared = [each for each in others if anywhere or each.name in named]
    kept = [each for each in sections if _in(each, left) or _in(each, shared)]
    wide = [line for each in sections if each.kind == "global" for line in each.lines]
    return KeptSections(
        kept, [each for each in wide if each.words[0].startswith(_NEEDED)], list(_needed_defaults(sections, kept))
    )


def _leads_to(section: Section) -> Iterator[str]:
    """The backends that a section names, its default one also by its section defaults."""
    if section.kind in ("frontend", "listen"):
        default = section.last("default_backend")
        for line in (*section.own("use_backend"), *([default] if default else [])):
            yield from line.words[1:2]


def _in(section: Section, sections: Sequence[Section]) -> bool:
    return any(section is each for each in sections)


def _needed_defaults(sections: Sequence[Section], kept: Sequence[Section]) -> Iterator[Section]:
    """Those with a name, and of the others those before a kept section."""
    for index, each in enumerate(sections):
        if each.kind == "defaults":
            following = (one for one in sections[index + 1 :] if one.kind == "defaults" or _in(one, kept))
            if each.name or next((one.kind for one in following), "defaults") != "defaults":
                yield each


def file_of(texts: Mapping[str, str], nodes: Mapping[str, Mapping[str, Any]]) -> str:
    """One file from what each node has, by name: where they differ by more than their own addresses, each has its own.

    `nodes`: as hosts.toml has them, each with its address by network.
    """
    placed = {name: _with_places(_literal(text), nodes[name]) for name, text in texts.items()}
    if len(set(texts.values())) == 1:
        return _literal(next(iter(texts.values())))
    if len(set(placed.values())) == 1:
        return next(iter(placed.values()))
    each = (
        f'{{% if node.name == "{name}" %}}\n{_literal(text)}{{% endif %}}\n' for name, text in texts.items() if text
    )
    return "".join(each)


def _literal(text: str) -> str:
    """A template that yields this text, whatever it is: a node's text is data, and could end a raw block of jinja's."""
    return re.sub(r"\{(?=[{%#])", '{{ "{" }}', text)


def _with_places(text: str, node: Mapping[str, Any]) -> str:
    """The text with the node's own addresses as variables of a template."""
    for network in (each for each in node if each not in ("priority", "host", "interfaces")):
        address = node[network]
        text = re.sub(
            rf"(?<![0-9A-Fa-f.:]){re.escape(address)}(?![0-9A-Fa-f.])", f'{{{{ node.addresses["{network}"] }}}}', text
        )
    return text
