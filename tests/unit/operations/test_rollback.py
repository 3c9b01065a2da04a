"""What a rollback asks before it begins, and what each node gets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from builders import SEED, cluster

from lbdeploy.common.typed import typed
from lbdeploy.config.model import Cluster
from lbdeploy.errors import InterruptedRunError, LbdeployError, LockedError, RemoteError
from lbdeploy.events import Event, Note
from lbdeploy.node.resources import File
from lbdeploy.operations.generations import Generation, RollbackTarget, Stored
from lbdeploy.operations.rollback import Rollback, wording
from lbdeploy.planning.desired import HAPROXY_CFG, KEEPALIVED_CONF, desired
from lbdeploy.rollout.request import Options, Origin
from lbdeploy.rollout.run import Run

HERE = SEED.read_text()
FORGED = HERE.replace('"192.168.1.21"', '"192.168.1.66"')
RUN, LATE = "20261122T000000.000Z", "29990101T000000.000Z"


def generation(run: str, hosts: str, number: int = 1) -> Generation:
    return Generation(run, "ann", hosts, dict.fromkeys((HAPROXY_CFG, KEEPALIVED_CONF), ("644", f"{run}\n")), number)


HONEST = Stored([generation(RUN, HERE)], HERE)
BROKEN_INTO = Stored([generation(LATE, FORGED, 2), generation(RUN, HERE)], FORGED)


def rollback(found: Cluster, heard: list[Event], limit: tuple[str, ...] = ()) -> Rollback:
    pool: Any = SimpleNamespace(nodes=found.nodes)
    return Rollback(found, pool, heard.append, Origin("now", "ann", HERE), Options(limit=limit))


def test_what_one_node_forges_is_refused_before_anything_is_changed(tmp_path: Path) -> None:
    """A run of the year 2999, with servers of its own: its peers never get them."""
    with pytest.raises(RemoteError, match="is not the same on all nodes: that on lb2 differs") as caught:
        rollback(cluster(tmp_path, HERE), []).prepare({"lb1": HONEST, "lb2": BROKEN_INTO}, None)
    assert (caught.value.exit_code, caught.value.state) == (1, "nothing was changed")
    assert f"lbdeploy rollback --to {LATE} --limit NODE" in str(caught.value.fix)


def test_at_a_terminal_one_is_asked_and_each_node_gets_its_own_old_files_only(tmp_path: Path) -> None:
    """The others are left alone, and the hosts.toml here remains the one that counts."""
    found, asked = cluster(tmp_path, HERE), list[str]()

    def agree(text: str) -> bool:
        asked.append(text)
        return True

    run, goal = rollback(found, []).prepare({"lb1": HONEST, "lb2": BROKEN_INTO}, None, agree)
    assert "each of lb2 would get back its own old files" in asked[0]
    assert (goal.id, run.context.scope, run.context.origin.hosts) == (LATE, frozenset({"lb2"}), HERE.rstrip("\n"))
    assert run.wanted.resources["lb1"] == desired(found, found.node("lb1"))
    with pytest.raises(InterruptedRunError, match="not approved"):
        rollback(found, []).prepare({"lb1": HONEST, "lb2": BROKEN_INTO}, None, lambda text: False)


def test_a_run_is_named_to_pass_over_a_forged_one(tmp_path: Path) -> None:
    """The last run that both nodes know is undone, by what each of them kept."""
    run, goal = rollback(cluster(tmp_path, HERE), []).prepare({"lb1": HONEST, "lb2": BROKEN_INTO}, RUN)
    assert list(goal.nodes) == ["lb1", "lb2"]
    assert run.context.scope == {"lb1", "lb2"}


def test_with_limit_only_those_nodes_go_back_to_their_own_files(tmp_path: Path) -> None:
    """No other one gets anything, and the last run is the last of theirs."""
    found = cluster(tmp_path, HERE)
    run, goal = rollback(found, [], ("lb1",)).prepare({"lb1": HONEST, "lb2": BROKEN_INTO}, None)
    assert (goal.id, list(goal.nodes), run.context.scope) == (RUN, ["lb1"], frozenset({"lb1"}))
    run, goal = rollback(found, [], ("lb2",)).prepare({"lb1": HONEST, "lb2": BROKEN_INTO}, None)
    assert (goal.id, run.context.scope) == (LATE, frozenset({"lb2"}))
    assert run.wanted.resources["lb1"] == desired(found, found.node("lb1"))


def test_an_old_file_that_was_edited_by_hand_comes_back_and_is_named(tmp_path: Path) -> None:
    """It is that node's own, so nobody is asked."""
    heard: list[Event] = []
    run, _ = rollback(cluster(tmp_path, HERE), heard).prepare({"lb1": Stored([], HERE), "lb2": HONEST}, None)
    contents = [
        each.content for each in run.wanted.resources["lb2"] if isinstance(each, File) and each.path == HAPROXY_CFG
    ]
    assert contents == [f"{RUN}\n"]
    (note,) = heard
    assert isinstance(note, Note)
    assert f"{HAPROXY_CFG} will not be the same on lb1 and lb2" in note.text


@pytest.mark.parametrize(
    ("to", "then", "unended", "refused"),
    [
        (None, "1", False, False),
        (None, "2", False, True),  # it has ended, and was undone: no generation tells of it
        (None, "1", True, True),  # it was kept, and watches its peers: not a generation yet
        (RUN, "2", False, False),
    ],
)
def test_the_last_run_is_the_same_once_the_lock_is_held(
    to: str | None, then: str, unended: bool, refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise it might undo another run than the one that is meant; where it is named, what it restores counts."""
    known = {"lb1": HONEST, "lb2": HONEST}
    run, _ = rollback(cluster(tmp_path, HERE), []).prepare(known, to)
    looks = iter((("1", False), (then, unended), (then, unended)))

    def start(_: Run) -> Any:
        last, under_way = next(looks)
        return SimpleNamespace(survey=SimpleNamespace(runs={"lb1": last}, unended=under_way, undecided={}))

    monkeypatch.setattr(Run, "start", start)
    monkeypatch.setattr("lbdeploy.operations.rollback.stored", lambda *_: known)
    run.start()
    if refused:
        with pytest.raises(RemoteError, match="may not be the one you mean"):
            run.start()
        return
    run.start()
    known["lb1"] = Stored([generation(RUN, FORGED)], HERE)
    with pytest.raises(RemoteError, match="may not be the one you mean"):
        run.start()


@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("at_work", [True, False])
def test_a_run_that_came_in_between_is_waited_for_while_it_is_at_work(
    at_work: bool, second: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends on one node after another, and what is stored there is not the same any more: exit code 5, not 1.

    Also at a second look without the lock, as after VIPs were waited for.
    """
    known = {"lb1": HONEST, "lb2": HONEST}
    run, _ = rollback(cluster(tmp_path, HERE), []).prepare(known, None)
    survey = SimpleNamespace(runs={"lb1": "1"}, unended=False, seen={}, undecided={})
    monkeypatch.setattr(Run, "start", lambda _: SimpleNamespace(survey=survey))
    if second:
        monkeypatch.setattr("lbdeploy.operations.rollback.stored", lambda *_: known)
        run.start()
        survey.undecided = {"lb2": "ann"} if at_work else {}
    later = {"lb1": HONEST, "lb2": Stored([generation(LATE, HERE, 2), *HONEST.generations], HERE)}
    monkeypatch.setattr("lbdeploy.operations.rollback.stored", lambda *_: later)

    @contextmanager
    def locking(*_: object) -> Iterator[None]:
        if at_work:
            raise LockedError("another run is at work", node="lb1", state="nothing was changed", fix="wait")
        yield

    monkeypatch.setattr("lbdeploy.rollout.loop.locking", locking)
    with pytest.raises(LbdeployError) as caught:
        run.start()
    assert (caught.value.exit_code, caught.value.state) == (5 if at_work else 1, "nothing was changed")


def test_all_that_a_rollback_advises_is_about_rollback() -> None:
    """The nodes that were done have a later run by then, which another `rollback` alone would undo."""
    found = wording(RollbackTarget(RUN, "ann", {}))
    assert found.halted_fix == f"lbdeploy rollback --to {RUN} goes on; lbdeploy up brings back what hosts.toml says"
    assert found.declined_fix == f"lbdeploy rollback --to {RUN}, once it is"
    assert "lbdeploy up --ask" not in found.outdated_fix


@pytest.mark.parametrize(
    ("fix", "told"),
    [
        (typed("up", before="fix the cause, then: "), f"fix the cause, then: lbdeploy rollback --to {RUN}"),
        (typed("up", "--force-last", before="or: "), f"or: lbdeploy rollback --to {RUN} --force-last"),
        (typed("plan", before="then: "), f"then: lbdeploy rollback --to {RUN} --ask"),
    ],
)
def test_a_rollback_that_failed_advises_itself(fix: str, told: str) -> None:
    """`up` would make the change again that is to be undone."""
    assert wording(RollbackTarget(RUN, "ann", {})).advice(fix) == told
