"""What `lbdeploy down` says where it does not come to its end; tests/lab/test_down.py has what it does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lbdeploy.common.typed import typed
from lbdeploy.config.model import Cluster
from lbdeploy.errors import RemoteError
from lbdeploy.events import silent
from lbdeploy.operations.down import Removal
from lbdeploy.rollout.request import Options, Origin


@pytest.mark.parametrize(("purge", "command"), [(False, "lbdeploy down"), (True, "lbdeploy down --purge")])
def test_what_to_type_is_the_same_removal(seed: Cluster, *, purge: bool, command: str) -> None:
    """With `up` as advice, all would be put there again; without --purge, the packages would stay."""
    pool: Any = SimpleNamespace(nodes=seed.nodes)
    removal = Removal(seed, pool, silent, Origin("id", "ann", ""), Options(), purge=purge)
    wording, start, failed = removal.wording, Any, RemoteError("no", node="lb2", state="it is half gone")
    assert wording.advice(typed("plan", after=" shows what is left")) == f"{command} shows what is left"
    assert wording.advice(typed("up", after=" repairs it")) == f"{command} repairs it"
    assert wording.halted_fix.startswith(f"{command} continues")
    with pytest.raises(RemoteError) as caught:
        removal.recover(failed, start, ("lb1",))  # type: ignore[arg-type]
    assert caught.value.fix == f"fix the cause, then again: {command}"
    assert caught.value.state == "it is half gone; lbdeploy is gone from lb1"
