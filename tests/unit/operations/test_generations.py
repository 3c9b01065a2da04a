"""The generations on a node, as a real shell prints them, and what to go back to."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from clusters import GONE
from goldens import SCRIPT
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lbdeploy.config.model import Cluster
from lbdeploy.errors import RemoteError, UsageError
from lbdeploy.node.resources import File, Gone, Service
from lbdeploy.operations.generations import Generation, Reader, RollbackTarget, Stored, runs, target
from lbdeploy.planning.desired import HAPROXY_CFG, KEEPALIVED_CONF, NOTIFY_SERVICE, NOTIFY_UNIT, desired

FIRST, SECOND, THIRD = "20261121T000000.000Z", "20261122T000000.000Z", "20261123T000000.000Z"


def read(state: Path, shell: str = "sh") -> Stored:
    """What the reader makes of a state folder here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lbdeploy.operations.generations.GENERATIONS", str(state / "generations"))
        reader = Reader()
        done = subprocess.run([shell, "-s"], check=True, capture_output=True, input=reader.script().encode())
    assert done.stderr == b""
    return reader.read(done.stdout.decode(errors="surrogateescape"))


def put(state: Path, run: str, **texts: str) -> Path:
    """A generation with these files of its own; returns where those that it keeps go."""
    folder = state / "generations" / run
    (folder / "files").mkdir(parents=True)
    for name, text in texts.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder / "files"


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_generations_are_read_the_latest_first(tmp_path: Path, shell: str) -> None:
    """Each with whose run it was, the hosts.toml before it, and every file with its mode."""
    old = put(tmp_path, FIRST, about="ann: lbdeploy up\n", hosts_toml="a = 1\n")
    new = put(tmp_path, SECOND, about="it's $(bob)\n")
    (old / "etc/haproxy").mkdir(parents=True)
    (old / "etc/haproxy/haproxy.cfg").write_text("old\n")
    (new / "etc").mkdir()
    (new / "etc/check").write_text("")
    (new / "etc/check").chmod(0o755)
    (new / "etc/link").symlink_to("check")
    (old / "etc/haproxy/haproxy.cfg").chmod(0o640)
    (tmp_path / "hosts.toml").write_text("a = 2\n")
    later = Generation(SECOND, "it's $(bob)", "", {"/etc/check": ("755", "")})
    first = Generation(FIRST, "ann: lbdeploy up", "a = 1\n", {"/etc/haproxy/haproxy.cfg": ("640", "old\n")})
    assert read(tmp_path, shell) == Stored([later, first], "a = 2\n")


def test_generations_are_in_the_order_in_which_the_node_counted_them(tmp_path: Path) -> None:
    """A laptop's clock may be ahead or behind; those from before nodes counted come first, by their names."""
    for run, number in ((FIRST, "2\n"), (SECOND, ""), (THIRD, "1\n")):
        put(tmp_path, run, about="ann\n", **({"number": number} if number else {}))
    assert [(each.id, each.number) for each in read(tmp_path).generations] == [(FIRST, 2), (THIRD, 1), (SECOND, 0)]


@given(st.binary(max_size=100))
@example(b"")
@example(b"\x00\xff\r\n\n")
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_content_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """What somebody edited by hand may hold anything."""
    state = tmp_path_factory.mktemp("state")
    (put(state, FIRST) / "file").write_bytes(content)
    ((_, text),) = read(state).generations[0].files.values()
    assert text.encode(errors="surrogateescape") == content


def test_a_node_without_generations_has_none(tmp_path: Path) -> None:
    """No folder yet, or an empty one."""
    assert read(tmp_path) == Stored([])
    (tmp_path / "generations").mkdir()
    assert read(tmp_path) == Stored([])


def test_what_others_print_is_no_generation() -> None:
    """A banner, or a line that imitates one without knowing the nonce."""
    assert Reader().read("hello\nabc ./1/files/etc/x 644 aGVsbG8=\n") == Stored([])


def generation(run: str, content: str, hosts: str = "") -> Generation:
    """One that keeps both configurations, with this content."""
    return Generation(run, f"the run {run}", hosts, dict.fromkeys((HAPROXY_CFG, KEEPALIVED_CONF), ("644", content)))


NODES = {
    "lb1": [generation(THIRD, "lb1 before 3"), generation(FIRST, "lb1 before 1")],
    "lb2": [generation(SECOND, "lb2 before 2"), generation(FIRST, "lb2 before 1")],
    "lb3": [],
}


@pytest.mark.parametrize(
    ("run", "contents"),
    [
        (THIRD, {"lb1": "lb1 before 3"}),
        (SECOND, {"lb1": "lb1 before 3", "lb2": "lb2 before 2"}),
        (FIRST, {"lb1": "lb1 before 1", "lb2": "lb2 before 1"}),
    ],
)
def test_one_goes_back_to_how_every_node_was_before_a_run(run: str, contents: dict[str, str]) -> None:
    """A node that this run has not changed, but a later one, goes back to before that one."""
    goal = target(NODES, run)
    assert (goal.id, goal.about) == (run, f"the run {run}")
    assert {name: each.files[HAPROXY_CFG][1] for name, each in goal.nodes.items()} == contents


def test_a_node_that_no_longer_has_its_state_before_a_run_is_refused_a_later_one() -> None:
    """It keeps its last generations only, and counts them: it may have taken part in that run."""
    kept = [replace(generation(THIRD, "lb2 before 3"), number=7), replace(generation(SECOND, "lb2 before 2"), number=6)]
    nodes = {"lb1": NODES["lb1"], "lb2": kept}
    with pytest.raises(RemoteError, match=f"no longer has its state before run {FIRST}: .* before {SECOND}") as caught:
        target(nodes, FIRST)
    assert (caught.value.node, caught.value.state) == ("lb2", "nothing was changed")
    assert str(caught.value.fix).endswith(f"or without lb2: lbdeploy rollback --to {FIRST} --limit lb1")
    assert target(nodes, SECOND).nodes["lb2"] == kept[1]
    first = {"lb1": NODES["lb1"], "lb2": [replace(kept[0], number=1)]}
    assert target(first, FIRST).nodes["lb2"] == first["lb2"][0]  # it had no other before


def test_the_last_run_is_the_last_on_the_nodes_that_it_changed_whatever_its_name() -> None:
    """A laptop whose clock is ahead has given the run before it a later name; only that of the last one is undone."""
    ahead, last = generation(THIRD, "before the first"), generation(SECOND, "before the last")
    goal = target({"lb1": [last, ahead], "lb2": [ahead]}, None)
    assert (goal.id, list(goal.nodes)) == (SECOND, ["lb1"])
    assert list(runs({"lb1": [last, ahead], "lb2": [ahead]})) == [SECOND, THIRD]


@pytest.mark.parametrize(
    "other",
    [[generation(FIRST, ""), generation(SECOND, "")], [generation(THIRD, ""), generation(FIRST, "")]],
)
def test_where_nodes_do_not_agree_which_run_was_the_last_one_has_to_name_it(other: list[Generation]) -> None:
    """Each took part in another one, or they state another order; names, which anybody can forge, decide nothing."""
    with pytest.raises(RemoteError, match="do not agree which run was the last: on lb1 20261122") as caught:
        target({"lb1": [generation(SECOND, ""), generation(FIRST, "")], "lb2": other}, None)
    assert caught.value.state == "nothing was changed"
    assert caught.value.fix is not None
    assert f"lbdeploy rollback --to {SECOND}" in caught.value.fix


def test_a_run_that_no_node_knows_is_refused_with_those_that_are_known() -> None:
    """It may have been forgotten, or never have been."""
    with pytest.raises(UsageError, match="no node knows a run 1999") as caught:
        target(NODES, "1999")
    assert caught.value.fix == f"one of: {THIRD}, {SECOND}, {FIRST}"


def test_where_nothing_was_changed_there_is_nothing_to_go_back_to() -> None:
    """No node has any generation."""
    with pytest.raises(RemoteError, match="no run has changed any file yet") as caught:
        target({"lb1": [], "lb2": []}, None)
    assert caught.value.state == "nothing was changed"


def test_one_does_not_go_back_to_before_there_was_a_load_balancer() -> None:
    """Before the first run a node had no keepalived.conf: there is nothing that would run with it."""
    bare = Generation(FIRST, "ann", "", {HAPROXY_CFG: ("644", "Debian's own\n")})
    with pytest.raises(RemoteError, match="before that run, lb2 had no load balancer") as caught:
        target({"lb1": [generation(FIRST, "x")], "lb2": [bare]}, None)
    assert (caught.value.node, caught.value.state) == ("lb2", "nothing was changed")


def test_what_is_wanted_are_the_files_of_then(seed: Cluster) -> None:
    """With their content and mode of then; what was not kept, and all else, is as hosts.toml says."""
    goal = target({"lb1": [Generation(FIRST, "", "", {KEEPALIVED_CONF: ("600", "then\n")})]}, None)
    now = desired(seed, seed.preferred)
    then = goal.wanted("lb1", now)
    assert [each.id for each in then] == [each.id for each in now]
    for before, after in zip(now, then, strict=True):
        if isinstance(after, File) and after.path == KEEPALIVED_CONF:
            assert isinstance(before, File)
            assert (after.content, after.mode, after.validate) == ("then\n", "600", before.validate)
        else:
            assert after == before
    assert goal.wanted("lb2", now) == now


def test_a_rollback_brings_back_scripts_that_hosts_toml_does_not_name(seed: Cluster) -> None:
    """They were among the files of that time, so they are wanted, and no leftovers."""
    then = Generation("run", "ann", "", {GONE: ("755", SCRIPT), KEEPALIVED_CONF: ("644", "old\n")})
    wanted = RollbackTarget("run", "ann", {"lb1": then}).wanted("lb1", desired(seed, seed.node("lb1")))
    assert File(GONE, SCRIPT, "755", secret=True) in wanted
    (leftovers,) = (each for each in wanted if isinstance(each, Gone) and each.covers(GONE))
    assert leftovers.but == (GONE,)
    other = RollbackTarget("run", "ann", {"lb1": then}).wanted("lb2", desired(seed, seed.node("lb2")))
    assert other == desired(seed, seed.node("lb2"))


def test_a_rollback_brings_back_the_service_that_tells_scripts_of_states(seed: Cluster) -> None:
    """With its unit file, which nothing removes; and where that was not kept, there is none to start."""
    service = Service(NOTIFY_SERVICE, unit_files=(NOTIFY_UNIT,))
    conf = {KEEPALIVED_CONF: ("644", "old\n")}
    for files, there in ((conf | {NOTIFY_UNIT: ("644", "[Unit]\n")}, True), (conf, False)):
        then = Generation("run", "ann", "", files)
        wanted = RollbackTarget("run", "ann", {"lb1": then}).wanted("lb1", desired(seed, seed.node("lb1")))
        (gone,) = (each for each in wanted if isinstance(each, Gone) and each.unit == NOTIFY_SERVICE)
        assert (service in wanted) == (File(NOTIFY_UNIT, "[Unit]\n") in wanted) == (NOTIFY_UNIT in gone.but) == there
