"""How a run ends: its exit code and its JSON document, as the contract has them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lbdeploy.errors import ConnectError, LbdeployError, RemoteError

if TYPE_CHECKING:
    from lbdeploy.rollout import Outcome
    from lbdeploy.status import Status

CHANGES_PENDING = 3
UNHEALTHY = 6


@dataclass(frozen=True, slots=True)
class Ending:
    """The exit code, and what the document of a command has besides its head. `error` is in it, where there is one."""

    exit_code: int
    document: dict[str, Any]
    error: LbdeployError | None = None


def planned(outcome: Outcome) -> Ending:
    """The end of `plan`: a node that could not be looked at comes before changes that are pending."""
    document = {
        "changes": outcome.plan.to_json(),
        "order": outcome.plan.order,
        "stages": [stage.to_json() for stage in outcome.plan.stages],
    }
    for error in outcome.errors.values():
        return _failed(error, document)
    return Ending(CHANGES_PENDING if outcome.plan.changes else 0, document)


def changed(outcome: Outcome) -> Ending:
    """The end of a run that may have changed something: a node that was left out makes it a failure."""
    document = {"changes": outcome.plan.to_json(), **outcome.verdict.to_json()}
    for error in _left_out(outcome):
        return _failed(error, document)
    return Ending(0 if outcome.verdict.healthy else UNHEALTHY, document)


def verified(outcome: Outcome) -> Ending:
    """The end of `verify`: an unreachable node comes before an unhealthy cluster."""
    document = outcome.verdict.to_json()
    for error in outcome.errors.values():
        return _failed(error, document)
    return Ending(0 if outcome.verdict.healthy else UNHEALTHY, document)


def looked(status: Status) -> Ending:
    """The end of `status`, which judges nothing but whether every node could be looked at."""
    document = status.to_json()
    for error in status.errors.values():
        return Ending(ConnectError.exit_code, {**document, "error": error.to_json()}, error)
    return Ending(0, document)


def _failed(error: LbdeployError, document: dict[str, Any]) -> Ending:
    return Ending(error.exit_code, {**document, "error": error.to_json()}, error)


def _left_out(outcome: Outcome) -> Iterator[RemoteError]:
    for name, error in outcome.errors.items():
        yield RemoteError(
            f"left out, since {error.message}",
            node=name,
            state=f"the others are as hosts.toml says, and hold the VIPs; {name} is not",
            fix="bring it back, then: lbdeploy up",
        )
