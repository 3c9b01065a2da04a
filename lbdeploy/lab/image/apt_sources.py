"""The mirrors of Debian's archive that this machine's apt settings name, for any suite of Debian."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lbdeploy.lab.host.processes import run

# Debian's names of its suites. The rest of a name, as in bookworm-security, is the part of the archive.
_DEBIAN = re.compile(
    r"(?:buster|bullseye|bookworm|trixie|forky|duke|sid|unstable|testing|stable|oldstable|oldoldstable)"
    r"(?P<part>|-updates|-security)"
)
_OPTION = re.compile(r"Acquire::(?:https?::|ForceIP|Retries|Check-Date|Check-Valid-Until).*")


@dataclass(frozen=True, slots=True)
class AptSource:
    """A part of Debian's archive ("", "-updates" or "-security"): where it is, and the keyring that its entry names."""

    uri: str
    part: str
    keyring: str | None = None

    def line(self, suite: str) -> str:
        """The one-line form of sources.list(5), for `suite`."""
        signed = f"[signed-by={self.keyring}] " if self.keyring else ""
        return f"deb {signed}{self.uri} {suite}{self.part} main"


def sources(suite: str) -> list[str]:
    """Lines of sources.list(5) for `suite`; none if this machine has no Debian sources: mmdebstrap has a default."""
    found = list(dict.fromkeys(_of_this_machine(Path("/etc/apt"))))
    return [source.line(suite) for source in found] if any(source.part == "" for source in found) else []


def options() -> list[str]:
    """apt's own settings that reaching a mirror from here may need, such as proxies, as lines of apt.conf(5)."""
    dump = run(["apt-config", "dump", "--no-empty", "--format", '%F "%v";%n'], check=False)
    return [line for line in dump.splitlines() if _OPTION.fullmatch(line)]


def _of_this_machine(directory: Path) -> Iterator[AptSource]:
    for path in (directory / "sources.list", *sorted(directory.glob("sources.list.d/*"))):
        if path.is_file():
            yield from parse(path.read_text(errors="replace"), path.suffix)


def parse(text: str, suffix: str) -> Iterator[AptSource]:
    """Debian's own sources in a file of apt's: `.sources` in deb822 style, `.list` one a line. Others are left out."""
    if suffix == ".sources":
        for stanza in re.split(r"\n\s*\n", text):
            yield from _deb822(stanza)
    elif suffix == ".list":
        for line in text.splitlines():
            yield from _one_line(line)


def _deb822(stanza: str) -> Iterator[AptSource]:
    text = "\n".join(line for line in stanza.splitlines() if not line.startswith("#"))
    fields = {key.lower(): value for key, value in re.findall(r"(?m)^([\w-]+):[ \t]*((?:.*)(?:\n[ \t].*)*)", text)}
    enabled = fields.get("enabled", "yes").strip().lower() not in {"no", "false", "0"}
    if enabled and "deb" in fields.get("types", "").split():
        uris, suites, components = (fields.get(key, "").split() for key in ("uris", "suites", "components"))
        yield from _debian(uris, suites, components, fields.get("signed-by", ""))


def _one_line(line: str) -> Iterator[AptSource]:
    match = re.fullmatch(
        r"deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<parts>[^#]*)(?:#.*)?", line
    )
    if match:
        signed = re.search(r"signed-by=(\S+)", match["options"] or "")
        yield from _debian([match["uri"]], [match["suite"]], match["parts"].split(), signed[1] if signed else "")


def _debian(uris: list[str], suites: list[str], components: list[str], signed: str) -> Iterator[AptSource]:
    """Other vendors name suites after Debian's, too, but they sign with keys of their own."""
    if "main" in components and (not signed or "debian-archive" in signed):
        for uri in uris:
            for suite in suites:
                if match := _DEBIAN.fullmatch(suite):
                    yield AptSource(uri, match["part"], signed.strip() or None)
