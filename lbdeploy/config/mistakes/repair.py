"""Corrects what is certainly a typo in the text of hosts.toml; comments and order stay. Pure."""

from __future__ import annotations

from pathlib import Path

from lbdeploy.config.reader import misspelt

MOST = 100  # corrections of one file: a bound for the loop, since one may bring the next to light


def repaired(path: Path, text: str) -> tuple[str, list[str]]:
    """The text with its certain typos corrected, and what was done, a line each. Raises HostsFileError for no TOML.

    One after the other: a correction moves what is behind it, and what is below a misspelt table is seen only then.
    """
    done: list[str] = []
    while len(done) < MOST and (found := next(iter(misspelt(path, text)), None)):
        place, wrong, meant = found
        lines = text.split("\n")
        line, begin = lines[place.line - 1], place.column - 1
        end = begin + place.width
        lines[place.line - 1] = line[:begin] + line[begin:end].replace(wrong, meant, 1) + line[end:]
        if (corrected := "\n".join(lines)) == text:
            break
        text = corrected
        done.append(f"{path}:{place.line}: {wrong} is now {meant}")
    return text, done
