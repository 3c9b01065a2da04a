"""What to type next is about the file, the lab and the nodes that the command was about."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from builders import LONG_AGO, observe, survey
from console import BAD, Run
from goldens import GOOD

from lbdeploy.cli.hints import Advice
from lbdeploy.cli.report.reporter import Reporter
from lbdeploy.common.typed import as_data, typed
from lbdeploy.config.model import Cluster
from lbdeploy.node.resources.file import FileState
from lbdeploy.planning.desired import HAPROXY_CFG
from lbdeploy.rollout.request import Options

PROD = Advice("plan", ("my prod.toml",), lab=True, limit=("lb1", "lb2"))


@pytest.mark.parametrize(
    ("general", "typed"),
    [
        ("lbdeploy up", "lbdeploy -f 'my prod.toml' --lab up --limit lb1,lb2"),
        ("lbdeploy verify --wait 60", "lbdeploy -f 'my prod.toml' --lab verify --limit lb1,lb2 --wait 60"),
        ("lbdeploy --lab drill link; or: lbdeploy drill link",
         "lbdeploy -f 'my prod.toml' --lab drill link; or: lbdeploy -f 'my prod.toml' --lab drill link"),
        ("lbdeploy -v plan shows it", "lbdeploy -f 'my prod.toml' --lab -v plan --limit lb1,lb2 shows it"),
        ("edit it, then: lbdeploy check", "edit it, then: lbdeploy -f 'my prod.toml' check"),
        ("lbdeploy lab up", "lbdeploy -f 'my prod.toml' lab up"),
        ("lbdeploy up, without --limit", "lbdeploy -f 'my prod.toml' --lab up, without --limit"),
        ("lbdeploy down --limit lb3", "lbdeploy -f 'my prod.toml' --lab down --limit lb3"),
        ("lbdeploy down restores it", "lbdeploy -f 'my prod.toml' --lab down restores it"),
        ("lbdeploy -f other.toml check", "lbdeploy -f other.toml check"),
        ("lbdeploy plan --help", "lbdeploy plan --help"),
        ("lbdeploy needs systemd", "lbdeploy needs systemd"),
    ],
)  # fmt: skip
def test_advice_has_the_options_of_the_invocation(general: str, typed: str) -> None:
    """The file, the lab, and --limit where the command takes it and no other is named; twice is as good as once."""
    assert PROD.of(general) == typed
    assert PROD.of(typed) == typed
    assert Advice().of(general) == general


def test_nodes_that_are_taken_away_limit_nothing_else() -> None:
    """After `down --limit lb2` the others are meant."""
    down = Advice("down", limit=("lb2",))
    assert down.of("lbdeploy up") == "lbdeploy up"
    assert down.of("lbdeploy down --yes") == "lbdeploy down --limit lb2 --yes"


def test_a_rollback_of_some_nodes_goes_on_with_these() -> None:
    """It would change others otherwise. After another command it is the last run that counts, whoever was changed."""
    again = "lbdeploy rollback --to 1 goes on; lbdeploy up brings back what hosts.toml says"
    back = Advice("rollback", limit=("lb2",)).of(again)
    assert back == again.replace("rollback", "rollback --limit lb2").replace("lbdeploy up", "lbdeploy up --limit lb2")
    assert Advice("up", limit=("lb2",)).of("lbdeploy rollback goes back") == "lbdeploy rollback goes back"


def test_every_fix_of_a_document_is_like_that() -> None:
    """However deep; other texts may tell of other runs, and stay."""
    document = {"error": {"fix": "lbdeploy up", "message": "lbdeploy up"}, "findings": [{"fix": None}, {"fix": "look"}]}
    assert Advice(files=("a.toml",)).within(document) == {
        "error": {"fix": "lbdeploy -f a.toml up", "message": "lbdeploy up"},
        "findings": [{"fix": None}, {"fix": "look"}],
    }


@pytest.mark.parametrize(
    "words",
    [("up",), ("verify", "--wait", "60"), ("down", "--limit", "lb3"), ("lab", "start", "lb1"), ("bundle",),
     ("undrain", "master 2"), ("plan", "--limit", "lb1")],
)  # fmt: skip
def test_a_command_for_programs_has_the_same_options_as_its_words(words: tuple[str, ...]) -> None:
    """Twice is as good as once."""
    entry = as_data(typed(*words, before="look, then: "))
    told = PROD.within(entry)
    assert told["fix"] == f"look, then: {shlex.join(told['fix_command'])}"
    assert PROD.within(told) == told
    assert Advice().within(entry) == entry


def test_a_schema_of_advice_is_none() -> None:
    assert PROD.within({"fix": {"type": "string"}, "fix_command": {"type": "array"}})["fix_command"] == {
        "type": "array"
    }


def test_the_plan_names_the_command_that_makes_it_so(seed: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    """After `-f prod.toml --lab plan`, `lbdeploy up` alone would change other nodes, and real ones."""
    edited = {f"file {HAPROXY_CFG}": FileState("file", "644", "root:root", LONG_AGO, "edited\n")}
    plan = survey(seed, observe(seed, seed.node("lb1")), observe(seed, seed.node("lb2"), states=edited)).plan
    reporter = Reporter(json=False, verbose=0, advise=Advice("plan", ("prod.toml",), lab=True).of)
    reporter.plan(plan, "lbdeploy up" + Options(upgrade=True, ignore=("vip-in-use",), reinstall=("socat",)).typed)
    said = capsys.readouterr().out
    typed = "lbdeploy -f prod.toml --lab up --ignore vip-in-use --reinstall socat --upgrade"
    assert said.endswith(f"\nTo make them: {typed}\n")
    reporter.plan(plan)
    assert capsys.readouterr().out.endswith("\n  clients   notice nothing\n")


@pytest.mark.parametrize("where", [("-f", "prod.toml", "--lab"), ("--lab", "--file=prod.toml")])
def test_the_command_line_passes_its_options_on(run: Run, tmp_path: Path, where: tuple[str, ...]) -> None:
    """On the screen and in JSON."""
    (tmp_path / "prod.toml").write_text(GOOD)
    typed = "lbdeploy -f prod.toml --lab down --limit lb1,lb2 --yes, if that is what you want"
    done = run("--json", *where, "down", "--limit", "lb1", "--limit", "lb2")
    assert done.code == 2
    assert f"next: {typed}\n" in done.err
    assert done.json["error"]["fix"] == typed


def test_the_file_that_is_taken_anyway_is_not_named(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither ./hosts.toml nor that of LBDEPLOY_FILE, whichever counts; the other one is."""
    assert run("-f", "hosts.toml", "--json", "down").json["error"]["fix"].startswith("lbdeploy down")
    monkeypatch.setenv("LBDEPLOY_FILE", "prod.toml")
    assert run("--json", "down").json["error"]["fix"].startswith("lbdeploy down")
    assert run("-f", "hosts.toml", "--json", "down").json["error"]["fix"].startswith("lbdeploy -f hosts.toml down")


def test_in_a_run_over_many_clusters_each_has_advice_of_its_own(run: Run, tmp_path: Path) -> None:
    """Also where one of them is the file that is taken anyway."""
    for name in ("hosts.toml", "b.toml"):
        (tmp_path / name).write_text(GOOD)
    done = run("-f", "hosts.toml", "b.toml", "--json", "plan", "--limit", "lb9")
    assert "alone: lbdeploy -f hosts.toml plan --limit lb9" in done.err
    assert "alone: lbdeploy -f b.toml plan --limit lb9" in done.err
    (tmp_path / "b.toml").write_text(BAD)
    (tmp_path / "hosts.toml").unlink()
    fixes = [each["error"]["fix"] for each in run("-f", "hosts.toml", "b.toml", "--json", "plan").json["clusters"]]
    assert fixes[0].endswith("or write one: lbdeploy -f hosts.toml init")
    assert fixes[1] == "edit b.toml, then: lbdeploy -f b.toml check"
