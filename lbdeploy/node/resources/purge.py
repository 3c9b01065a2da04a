"""Removing everything: the packages that lbdeploy installed, and its own records on the node."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from lbdeploy.common.shell import Raw, cmd
from lbdeploy.node.paths import INSTALLED, STATE
from lbdeploy.node.resources.base import Answer, Change, Former, Phase, Step

# apt itself says what nothing else needs (autoremove), and what would have to go along: `apt-get -s` only simulates.
_ASK = """\
[ -d {state} ] && echo state
installed() {{ xargs dpkg-query -W -f '${{db:Status-Abbrev}} ${{Package}}\\n' | sed -n "s/^.i. */$1/p"; }}
echo {names} | installed 'there '
[ -s {record} ] || exit 0
mine=$(sort -u {record} | installed '')
printf 'mine %s\\n' $mine
asked=
for name in {names}; do case " $(echo $mine) " in *" $name "*) asked="$asked $name" ;; esac; done
[ "$asked" ] || exit 0
removed() {{ sed -n 's/^\\(Purg\\|Remv\\) \\([^ ]*\\) .*/'"$1"' \\2/p'; }}
printf 'asked %s\\n' $asked
apt-get -s purge $asked | removed takes
apt-get -s --auto-remove purge $asked | removed frees"""


@dataclass(frozen=True, slots=True)
class PurgeState:
    """`purgeable`: packages to purge. `needing`: packages of others that depend on them. `kept`: our folder exists.

    `staying`: packages that lbdeploy needed, but found there, or has no record of installing.
    """

    purgeable: tuple[str, ...] = ()
    needing: tuple[str, ...] = ()
    kept: bool = False
    staying: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Purge(Former[PurgeState]):
    """No package that lbdeploy installed is left: of `names`, and of their dependencies that nothing needs any more."""

    names: tuple[str, ...]

    @property
    def id(self) -> str:
        return "purge"

    def probe(self) -> Raw:
        return Raw(_ASK.format(state=STATE, record=INSTALLED, names=cmd(*self.names)))

    def read(self, answer: Answer) -> PurgeState:
        lines = [line.split() for line in answer.output.splitlines()]
        told = {word: [each[1] for each in lines if each[:1] == [word] and len(each) > 1] for word in _WORDS}
        mine, asked = set(told["mine"]), set(told["asked"])
        freed = [name for name in told["frees"] if name in mine and name not in asked]
        needing = [name for name in told["takes"] if name not in mine]
        staying = [name for name in told["there"] if name not in asked]
        return PurgeState((*told["asked"], *freed), tuple(needing), ["state"] in lines, tuple(staying))

    def compare(self, state: PurgeState, changing: Collection[str]) -> list[Change]:
        packages = [Change("package", name, "purge", "lbdeploy installed it") for name in state.purgeable]
        return packages + ([Change("file", STATE, "remove", "what lbdeploy kept")] if state.kept else [])

    @property
    def undoable(self) -> bool:
        return False

    def steps(self, state: PurgeState, changes: Sequence[Change], changing: Collection[str]) -> Iterator[Step]:
        yield Phase.PURGE, cmd("purge", *state.purgeable) if state.purgeable else Raw("")


_WORDS = ("there", "mine", "asked", "takes", "frees")
