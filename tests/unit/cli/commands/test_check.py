"""`check`, offline."""

from __future__ import annotations

from pathlib import Path

import pytest
from console import BAD, Run
from goldens import GOOD, READY

from lbdeploy.common.version import __version__


def test_check_of_a_good_file_ends_well(run: Run, tmp_path: Path) -> None:
    """A file without problems: exit 0, and something kind to read."""
    (tmp_path / "hosts.toml").write_text(READY)
    done = run("check")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("hosts.toml is valid: 2 nodes")
    assert done.out.endswith("\nNext: lbdeploy doctor; on nodes that are set up already: lbdeploy plan\n")
    document = run("--json", "check").json
    assert document.pop("duration_s") >= 0
    assert (document.pop("version"), len(document.pop("time"))) == (__version__, 20)
    head = {"format_version": 1, "command": "check", "ok": True, "exit_code": 0}
    assert document == {**head, "file": "hosts.toml", "cluster": "k8s-api", "findings": []}


def test_check_of_a_bad_file_tells_every_problem(run: Run, tmp_path: Path) -> None:
    """Every problem with its file, line, key and remedy: exit 2."""
    (tmp_path / "hosts.toml").write_text(BAD)
    done = run("check")
    assert (done.code, done.out) == (2, "")
    words = " ".join(done.err.split())
    for line, text in ((12, "networks.external.vip: '192.168.0.10' has no prefix length"),
                       (30, "vrrp.router_id: 300 is too large; write 255 or less")):  # fmt: skip
        assert f"hosts.toml:{line}: {text}" in words
    done = run("check", "--json")
    assert (done.code, done.json["ok"], done.json["exit_code"]) == (2, False, 2)
    error = done.json["error"]
    assert error["type"] == "HostsFile"
    assert "hosts.toml:30: vrrp.router_id: 300 is too large" in error["message"]
    assert f"hosts.toml:{12}:" in done.err
    assert error["fix"]


def test_check_ends_well_with_warnings(run: Run, tmp_path: Path) -> None:
    """What costs something but works is told, and is no failure."""
    (tmp_path / "hosts.toml").write_text(READY.replace("router_id", 'initial_state = "MASTER"\nrouter_id'))
    done = run("--json", "check")
    assert (done.code, done.json["ok"]) == (0, True)
    assert [each["severity"] for each in done.json["findings"]] == ["warning"]
    assert "loses preempt_delay" in " ".join((done.err + run("check").out).split())


def test_the_seeds_check_is_warned_of(run: Run) -> None:
    """The sample has what the seed writes: it works, and sees too little of an API server."""
    done = run("--json", "check")
    (found,) = done.json["findings"]
    assert (done.code, found["severity"]) == (0, "warning")
    assert 'frontends.k8s-api.check = "tcp" takes a kube-apiserver' in found["message"]


def test_check_fails_with_errors_in_what_would_be_written(run: Run, tmp_path: Path) -> None:
    """What would not work on the nodes is a failure."""
    (tmp_path / "hosts.toml").write_text(READY)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/haproxy.cfg.j2").write_text("")
    done = run("--json", "check")
    assert (done.code, done.json["ok"]) == (2, False)
    assert {each["severity"] for each in done.json["findings"]} == {"error"}
    error = done.json["error"]
    assert error["message"].startswith("what would be written will not work: /etc/haproxy/haproxy.cfg: is empty")
    assert (error["state"], error["fix"]) == ("nothing was contacted", done.json["findings"][0]["fix"])
    assert "what would be written" not in done.err, "what the findings say is not said again"
    assert "is empty" in " ".join(done.err.split())


def test_many_files_are_checked_and_the_worst_counts(run: Run, tmp_path: Path) -> None:
    """Each with its problems; one that is bad hides no other."""
    (tmp_path / "bad.toml").write_text(BAD)
    (tmp_path / "b.toml").write_text(GOOD)
    for words in (("check", "bad.toml", "b.toml", "nope.toml"), ("-f", "bad.toml", "b.toml", "nope.toml", "check")):
        done = run("--json", *words)
        assert (done.code, [each["exit_code"] for each in done.json["files"]]) == (2, [2, 0, 2])
        assert "1 of 3 files are valid" in done.err
        assert done.json["file"] == "bad.toml, b.toml, nope.toml"
        error = done.json["error"]
        assert (error["type"], error["file"]) == ("HostsFile", "bad.toml")
        assert error["fix_command"] == ["lbdeploy", "-f", "bad.toml", "check"]
    assert run("check", "b.toml").code == 0
    assert "error" not in run("--json", "check", "b.toml", "hosts.toml").json


def test_a_template_that_fails_is_the_error_of_its_file(run: Run, tmp_path: Path) -> None:
    """Among several: what would not work on the nodes is a failure, as it is of one file."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/hosts.toml").write_text(READY)
    (tmp_path / "site/templates").mkdir()
    (tmp_path / "site/templates/haproxy.cfg.j2").write_text("")
    document = run("--json", "check", "hosts.toml", "site/hosts.toml").json
    assert (document["exit_code"], document["error"]["file"]) == (2, "site/hosts.toml")
    assert document["error"]["message"].startswith("what would be written will not work")


def test_typos_are_corrected_where_that_is_asked_for(run: Run, tmp_path: Path) -> None:
    """The file is written only then, and what is left is told."""
    file = tmp_path / "hosts.toml"
    file.write_text(GOOD.replace("priority = 200", "prioritiy = 300"))
    assert run("check").code == 2
    assert "prioritiy" in file.read_text()
    done = run("check", "--fix")
    assert (done.code, done.out) == (2, "Corrected: hosts.toml:21: prioritiy is now priority\n")
    assert "300 is too large" in done.err
    file.write_text(file.read_text().replace("300", "200"))
    assert file.read_text() == GOOD
    assert run("--json", "check", "--fix").json["corrected"] == []


@pytest.mark.parametrize("command", ["check", "render"])
def test_every_template_that_does_not_render_is_told_with_its_line_marked(
    run: Run, tmp_path: Path, command: str
) -> None:
    """Also sections of haproxy.cfg; what is wrong on both nodes is told once."""
    for folder in ("templates", "haproxy.d"):
        (tmp_path / folder).mkdir()
    (tmp_path / "templates/sysctl.conf.j2").write_text("x = {{ clustr.name }}\n")
    (tmp_path / "templates/keepalived.conf.j2").write_text("{% if node.name == 'lb2' %}{{ node.nmae }}{% endif %}\n")
    (tmp_path / "templates/haproxy.cfg.j2").write_text("\n{% for %}\n")
    (tmp_path / "haproxy.d/a.cfg").write_text("listen {{ nobody }}\n")
    (tmp_path / "haproxy.d/b.cfg").write_text("no section\n")
    (tmp_path / "hosts.toml").write_text(READY + '[haproxy]\nextra = ["haproxy.d/*.cfg"]\n')
    done = run("--json", command)
    problems = done.json["error"]["problems"]
    told = {(Path(each["file"]).name, each["line"], each.get("column")) for each in problems}
    assert told == {
        ("sysctl.conf.j2", 1, 8), ("keepalived.conf.j2", 1, 36), ("haproxy.cfg.j2", 2, 1), ("a.cfg", 1, 11),
        ("b.cfg", 0, None),
    }  # fmt: skip
    assert (done.code, len(problems)) == (2, 5)
    assert "the templates have 5 problems" in done.err
    assert "1 │ x = {{ clustr.name }}\n      │        ^^^^^^\n" in done.err
    assert "has no attribute 'nmae' (on lb2)" in " ".join(done.err.split())


def test_a_single_template_that_does_not_render_is_told_in_the_first_line(run: Run, tmp_path: Path) -> None:
    """And its line is marked."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/sysctl.conf.j2").write_text("x = {{ clustr.name }}\n")
    first, *rest = run("check").err.splitlines()
    assert first.startswith("error: lb1: ")
    assert rest[-3].strip() == "│        ^^^^^^"
