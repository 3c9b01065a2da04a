"""What an operator may ask of a run."""

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
