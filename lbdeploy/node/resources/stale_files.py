"""Files that an earlier hosts.toml asked for, and this one does not: they are removed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lbdeploy.common.shell import Raw, cmd, here
from lbdeploy.node.answers import base64_text
from lbdeploy.node.resources.base import Answer, Change
from lbdeploy.node.resources.text_diff import difference

_LOOK = """\
for path in {patterns}; do
    case $path in *.lbdeploy-new) continue ;; esac
    if [ -f "$path" ] || [ -L "$path" ]; then printf '%s %s\\n' "$path" "$(base64 -w 0 "$path")"; fi
done"""


@dataclass(frozen=True, slots=True)
class Gone:
    """No file matches `patterns` (of the shell, without spaces), except for those in `but`. `name` is for people.

    `unit`: a service of lbdeploy's whose unit file is among them: it is stopped first. `late`: they are removed only
    once no daemon needs them any more. The state is the content of each file found, by path.
    """

    name: str
    patterns: tuple[str, ...]
    but: tuple[str, ...] = ()
    unit: str = ""
    late: bool = False

    @property
    def id(self) -> str:
        return f"file {self.name}"

    def probe(self) -> Raw:
        return Raw(_LOOK.format(patterns=" ".join(self.patterns)))

    def read(self, answer: Answer) -> dict[str, str]:
        lines = (line.partition(" ") for line in answer.output.splitlines())
        found = {path: base64_text(text) for path, _, text in lines}
        return {path: text for path, text in found.items() if path not in self.but}

    def compare(self, state: Mapping[str, str], changing: Collection[str]) -> list[Change]:
        why = "hosts.toml does not ask for it"
        return [Change("file", path, "remove", why, difference(path, old, "")) for path, old in state.items()]

    def fix(self, state: Mapping[str, str], changes: list[Change]) -> Raw:
        """Their old content is kept first: see `transaction`."""
        drop = [cmd("drop", change.name) for change in changes]
        return Raw("\n".join([*([self._stop()] if self.unit and changes else []), *drop]))

    def _stop(self) -> str:
        """Stop the unit while its unit file, which says how, still exists; undone once the file is back."""
        back = cmd("systemctl", "enable", "--quiet", "--now", self.unit)
        stop = f"run systemctl disable --quiet --now {cmd(self.unit)}"
        known = f"systemctl cat {cmd(self.unit)} > /dev/null 2>&1"
        return f"if {known}; then\nstep stop {cmd(self.unit)}\nundo_last {here(back)}\n{stop}\nfi"
