"""docs/howto/templates.md says of templates what they are given, and its examples work."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from builders import BIG, SEED, cluster

from lbdeploy.config.model import Cluster, Node
from lbdeploy.planning import desired
from lbdeploy.planning.lint.lint import lint
from lbdeploy.planning.render import render

TOP = Path(__file__).parents[3]
PAGE = (TOP / "docs/howto/templates.md").read_text(encoding="utf-8")
EVERYTHING = BIG.replace('name = "prod.eu-1"', 'name = "prod.eu-1"\nfirewall = "nftables"') + (
    '[packages]\nhaproxy = "2.6.*"\napt_proxy = "http://10.0.0.5:3142"\n'
    '[packages.repositories.more]\nuri = "http://10.0.0.5/debian"\nsuite = "./"\n'
)


def test_the_page_names_what_templates_are_given(tmp_path: Path) -> None:
    """Each name that is given to a template is in the table, and none besides; so are the filters."""
    given: dict[str, set[str]] = defaultdict(set)

    def noted(of: Cluster, node: Node, template: str, **values: Any) -> str:
        given[template] |= values.keys()
        return render(of, node, template, **values)

    (tmp_path / "claim.sh").write_text("#!/bin/sh\n")
    text = EVERYTHING + '[metrics]\nnetwork = "back"\nvrrp = true\n'
    of = cluster(tmp_path, text.replace("[vrrp]\n", '[vrrp]\nnotify_master = "claim.sh"\n'))
    desired.files(of, of.preferred, noted)
    assert {f"{name}.j2" for name in given} == {path.name for path in (TOP / "templates").iterdir()}
    told: dict[str, set[str]] = defaultdict(set)
    for template, name in re.findall(r"^\| ([\w.-]+) \| `(\w+)` \|", PAGE, re.MULTILINE):
        told[template].add(name)
    assert told == {template: names for template, names in given.items() if names}
    for name in ("number", "duration", "endpoint"):
        assert f"`{name}`" in PAGE


def test_the_example_is_one(tmp_path: Path) -> None:
    """It renders, and nothing is wrong with it."""
    (tmp_path / "templates").mkdir()
    example = re.search(r"^```jinja\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert example
    (tmp_path / "templates" / "sysctl.conf.j2").write_text(example[1])
    of = cluster(tmp_path, SEED.read_text())
    assert lint(of, asked=True) == []
    (text,) = (each.content for each in desired.files(of, of.preferred) if each.path == desired.SYSCTL_CONF)
    assert text.splitlines() == [
        "# k8s-api, lb1",
        "net.ipv4.ip_nonlocal_bind = 1",
        "net.ipv4.conf.all.promote_secondaries = 1",
        *(f"{name} = {value}" for name, value in desired.KEEPALIVE.items()),
        "net.core.somaxconn = 8192",
    ]
