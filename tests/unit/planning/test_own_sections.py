"""The operator's own sections of haproxy.cfg, beside lbdeploy's."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import cluster
from goldens import GOOD

from lbdeploy.common.redact import hidden
from lbdeploy.config.model import Cluster
from lbdeploy.errors import RenderError
from lbdeploy.planning.desired import HAPROXY_CFG, files, former
from lbdeploy.planning.own_sections import parts

INGRESS = """\
listen ingress
    mode http
    bind {{ node.addresses.external }}:443
    bind *:8080
    timeout client 50s
    server w1 192.168.1.31:443 check
"""
EXTRA = '[haproxy]\nextra = ["haproxy.d/*.cfg"]\n'


def with_sections(folder: Path, *texts: str, more: str = "") -> Cluster:
    (folder / "haproxy.d").mkdir(exist_ok=True)
    for number, text in enumerate(texts):
        (folder / f"haproxy.d/{number}.cfg").write_text(text)
    return cluster(folder, GOOD + EXTRA + more)


def conf(found: Cluster, node: str = "lb1") -> str:
    return next(each.content for each in files(found, found.node(node)) if each.path == HAPROXY_CFG)


def test_they_stand_behind_lbdeploys_own_and_know_what_templates_know(tmp_path: Path) -> None:
    found = with_sections(tmp_path, INGRESS, "backend more\n    server s 192.168.1.40:80")
    text = conf(found, "lb2")
    assert text.startswith(conf(cluster(tmp_path, GOOD), "lb2"))
    assert "    bind 192.168.0.12:443\n" in text
    assert text.endswith("\n# From haproxy.d/1.cfg, beside hosts.toml.\nbackend more\n    server s 192.168.1.40:80\n")
    assert list(parts(found, text)[1]) == ["haproxy.d/0.cfg", "haproxy.d/1.cfg"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# x\nbind *:443\n", ":2, as rendered: this line stands in no section"),
        (".if defined(X)\nbind *:443\n.endif\n", ":2, as rendered: this line stands in no section"),
        ("listen k8s-api\n", ":1, as rendered: there is a section listen k8s-api already"),
        ("backend k8s-api\n", ":1, as rendered: there is a section listen k8s-api already"),
        ("frontend lbdeploy-status\n", ":1, as rendered: there is a section frontend lbdeploy-status already"),
        ("listen a\nlisten a\n", ":2, as rendered: there is a section listen a already"),
        ("peers lbdeploy\n", ":1, as rendered: there is a section peers lbdeploy already"),
        ("listen a\n  bind 192.168.0.10:6443\n", ":2, as rendered: 192.168.0.10:6443 is where k8s-api listens"),
        ("listen a\n  bind 192.168.0.10:6440-6450\n", ":2, as rendered: 192.168.0.10:6443 is where k8s-api listens"),
        ("listen a\n  bind 192.168.0.10:06443\n", ":2, as rendered: 192.168.0.10:6443 is where k8s-api listens"),
        ("listen a\n  bind {{ node.addresses.management }}:10646\n", ":10646 is where peers listens"),
        ("listen {{ nobody }}\n", ":1: 'nobody' is undefined"),
        ("listen {% if %}\n", ":1: Expected an expression"),
    ],
)
def test_what_can_not_stand_beside_lbdeploys_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """Before any node is contacted, with its file and line."""
    found = with_sections(tmp_path, text)
    with pytest.raises(RenderError) as caught:
        conf(found)
    assert "haproxy.d/0.cfg:" in caught.value.message
    assert message in caught.value.message


def test_a_line_in_no_section_is_not_quoted(tmp_path: Path) -> None:
    """It may be a secret: somebody named the file of a token, say."""
    with pytest.raises(RenderError) as caught:
        conf(with_sections(tmp_path, "hunter2\n"))
    assert "hunter2" not in str(vars(caught.value))


@pytest.mark.parametrize("text", ["listen a\n  bind 192.168.0.10:6440-6442\n", ".if defined(X)\nlisten a\n.endif\n"])
def test_ports_beside_lbdeploys_and_sections_under_a_condition_may_stand_there(tmp_path: Path, text: str) -> None:
    """haproxy decides for itself which of its conditional lines count (since 2.4)."""
    assert text in conf(with_sections(tmp_path, text))


def test_a_frontend_and_a_backend_may_have_one_name(tmp_path: Path) -> None:
    """As haproxy has it, up to 3.2; and there is no lack of anonymous defaults."""
    text = "defaults\n    mode http\nfrontend a\n    bind *:81\n    default_backend a\nbackend a\ndefaults\n"
    assert "default_backend a" in conf(with_sections(tmp_path, text))


def test_a_password_in_them_is_roots_alone_and_shown_nowhere(tmp_path: Path) -> None:
    found = with_sections(tmp_path, "userlist people\n    user admin insecure-password hunter2\n")
    (file,) = [each for each in files(found, found.preferred) if each.path == HAPROXY_CFG]
    assert file.mode == "600"
    assert "hunter2" not in hidden(file.content)
    assert "hunter2" not in repr(found)


def test_down_needs_none_of_them(tmp_path: Path) -> None:
    """What is wrong in a file of the operator's keeps nobody from taking lbdeploy away."""
    found = with_sections(tmp_path, "listen {{ nobody }}\n")
    assert former(found, found.preferred)
