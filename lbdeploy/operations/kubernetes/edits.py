"""What hosts.toml becomes where it follows the cluster. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lbdeploy.common.typed import typed
from lbdeploy.config.model import Server
from lbdeploy.errors import ApiError, LbdeployError
from lbdeploy.operations.kubernetes.comparison import ComparedServer, Comparison

LEFT = "hosts.toml is as it was"


def followed(path: Path, text: str, comparison: Comparison) -> str:
    """The text of hosts.toml with the servers that the cluster names, and without those that are gone.

    Raises ApiError where that would leave a frontend without a server that serves, and UsageError where the text has
    its servers in a form that can't be edited.
    """
    from lbdeploy.config.editing.servers import edited

    for error in _refusals(path, comparison):
        raise error
    rows = comparison.differences
    added = {(row.frontend, row.server): Server(row.server, row.address, row.port) for row in rows if _new(row)}
    return edited(path, text, added, [(row.frontend, row.server) for row in rows if not _new(row)])


def _new(row: ComparedServer) -> bool:
    return row.state == "missing"


def _refusals(path: Path, comparison: Comparison) -> Iterator[LbdeployError]:
    for frontend in comparison.strange:
        message = f"the cluster that was asked names none of the servers of {frontend}: it may be another cluster"
        fix = f"see which one it is: kubectl cluster-info; where it is the right one, edit the servers in {path}"
        yield ApiError(message, state=LEFT, fix=fix)
    for frontend in dict.fromkeys(row.frontend for row in comparison.rows):
        own = [row for row in comparison.rows if row.frontend == frontend]
        if not any(row.state in {"same", "missing"} for row in own):
            yield ApiError(f"{frontend} would have no server that serves", state=LEFT, fix=typed("verify"))
