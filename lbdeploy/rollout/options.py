"""The options of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is to go. `limit`: the nodes to change, () for all; `ignore`: checks that do not stop it.

    `lock_wait`: seconds. The others are as in `lbdeploy up --help`.
    """

    limit: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    force_last: bool = False
    lock_wait: float = 0.0
    upgrade: bool = False
    reinstall: tuple[str, ...] = ()

    @property
    def typed(self) -> str:
        """The options that `up` needs to make the changes that `plan` has shown; for --limit, see Advice."""
        words = [f" --ignore {check}" for check in self.ignore] + [f" --reinstall {name}" for name in self.reinstall]
        return "".join([*words, " --upgrade" if self.upgrade else ""])
