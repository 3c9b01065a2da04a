"""docs/man/lbdeploy.1, from the commands themselves, in the macros of man(7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from lbdeploy import __version__
from lbdeploy.cli.run_log import KEPT
from lbdeploy.common import environment
from lbdeploy.operations import exit_status
from pages import tree

FILES = {
    "hosts.toml": "The cluster: its networks with their VIPs, nodes, VRRP, and frontends with servers.",
    "templates/": "Beside hosts.toml: replaces the built-in templates, file by file.",
    "~/.local/state/lbdeploy/": f"A log of each of the last {KEPT} runs that contacted nodes; its owner's alone.",
    "/var/lib/lbdeploy/generations/": "On a node: what its files held before each of the last five runs.",
}


def page() -> str:
    """The manual page."""
    return "".join(f"{line}\n" for line in lines())


def lines() -> Iterator[str]:
    """Every line of it."""
    root = tree.root()
    yield f'.TH LBDEPLOY 1 "" "lbdeploy {__version__}" "User Commands"'
    yield from (".SH NAME", "lbdeploy \\- " + roff(root.texts[0].text))
    yield from (".SH SYNOPSIS", ".B lbdeploy", "[\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]")
    yield from (".SH DESCRIPTION", *texts(root.texts[1:]))
    yield from (".SH OPTIONS", roff("All but --version stand before or after the command."), *definitions(root.options))
    yield ".SH COMMANDS"
    for command in tree.commands():
        yield from (f".SS {roff(command.usage)}", *texts(command.texts), *definitions(command.options))
    yield from (".SH EXIT STATUS", *mapping({code: plain(meaning) for code, meaning in exit_status.MEANINGS.items()}))
    yield from (".SH ENVIRONMENT", *mapping(environment.MEANINGS))
    yield from (".SH FILES", *mapping(FILES))
    yield from (".SH SEE ALSO", ".BR ssh (1),", ".BR ssh_config (5),", ".BR keepalived.conf (5),", ".BR haproxy (1)")


def texts(paragraphs: Iterable[tree.Text]) -> Iterator[str]:
    """Paragraphs; those with lines of their own as an example."""
    for each in paragraphs:
        if each.literal:
            yield from (".PP", ".RS 4", ".nf", *map(roff, each.text.splitlines()), ".fi", ".RE")
        else:
            yield from (".PP", roff(each.text))


def definitions(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Terms, each with its meaning."""
    for term, meaning in pairs:
        yield from (".TP", f"\\fB{roff(term)}\\fR", roff(meaning))


def mapping(pairs: Mapping[object, str]) -> Iterator[str]:
    """The same of a mapping."""
    return definitions((str(term), meaning) for term, meaning in pairs.items())


def plain(text: str) -> str:
    """Text without the marks by which Markdown shows what is typed."""
    return text.replace("`", "")


def roff(text: str) -> str:
    """Text as roff has it: hyphens that can be copied, straight quotes, and no line that begins with a request."""
    escapes = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti", '"': "\\(dq"}
    escaped = "".join(escapes.get(each, each) for each in text)
    return f"\\&{escaped}" if escaped.startswith(".") else escaped
