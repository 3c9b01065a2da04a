"""What a node is to have: its files, packages, settings and services, in their order."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import BIG, SEED, cluster

from lbdeploy.config.model import Cluster
from lbdeploy.node.resources import File, Gone, Journal, Packages, Service, Sysctl
from lbdeploy.planning.desired import CHECK_HAPROXY, HAPROXY_CFG, KEEPALIVED_CONF, SYSCTL_CONF, desired, files, sysctls
from lbdeploy.planning.render import shipped


@pytest.mark.parametrize(
    ("template", "path", "line"),
    [
        ("keepalived.conf", KEEPALIVED_CONF, "# authentication { auth_type PASS auth_pass s3cret }"),
        ("haproxy.cfg", HAPROXY_CFG, "userlist u\n    user ann password $6$abc"),
    ],
)
def test_a_file_with_a_password_is_roots_alone(tmp_path: Path, template: str, path: str, line: str) -> None:
    """As a template of the operator's may have one; without one, all may read it."""

    def mode(folder: Path) -> str:
        made = cluster(folder, SEED.read_text())
        return next(file.mode for file in files(made, made.node("lb1")) if file.path == path)

    text = (shipped("templates") / f"{template}.j2").read_text()
    for folder, more in (("own", line), ("plain", "# nothing")):
        (tmp_path / folder / "templates").mkdir(parents=True)
        (tmp_path / folder / "templates" / f"{template}.j2").write_text(f"{text}\n{more}\n")
    assert (mode(tmp_path / "own"), mode(tmp_path / "plain")) == ("600", "644")


GOOD = SEED.read_text()


def rendered(cluster: Cluster, node: str) -> dict[str, str]:
    return {file.path: file.content for file in files(cluster, cluster.node(node))}


@pytest.mark.parametrize(
    ("vips", "names"),
    [
        ('"192.168.0.10/24"', ["net.ipv4.ip_nonlocal_bind"]),
        ('["192.168.0.10/24", "2001:db8::10/64"]', ["net.ipv4.ip_nonlocal_bind", "net.ipv6.ip_nonlocal_bind"]),
    ],
)
def test_binding_to_absent_vips_is_allowed_for_their_families(tmp_path: Path, vips: str, names: list[str]) -> None:
    """Each address family of the VIPs has its own kernel setting, in force and kept over a reboot."""
    found = cluster(tmp_path, GOOD.replace('"192.168.0.10/24"', vips))
    assert sysctls(found) == dict.fromkeys(names, "1")
    assert rendered(found, "lb1")[SYSCTL_CONF].splitlines()[1:] == [f"{name} = 1" for name in names]
    assert [each.name for each in desired(found, found.preferred) if isinstance(each, Sysctl)] == names


def test_a_node_gets_packages_files_settings_and_services_in_this_order(seed: Cluster) -> None:
    """Nothing is started before the packages, files and kernel settings are there; what was interrupted comes first."""
    kinds = [type(each) for each in desired(seed, seed.preferred)]
    assert kinds == [Journal, Gone, Gone, Packages, *[File] * 6, Sysctl, Service, Service, Gone]
    assert [each.unit for each in desired(seed, seed.preferred) if isinstance(each, Service)] == [
        "haproxy",
        "keepalived",
    ]


def test_every_resource_has_an_id_of_its_own(tmp_path: Path) -> None:
    """Resources are told apart by their ids."""
    found = cluster(tmp_path, BIG)
    ids = [each.id for each in desired(found, found.preferred)]
    assert len(ids) == len(set(ids))


def test_the_check_script_comes_before_the_configuration_that_names_it(seed: Cluster) -> None:
    """keepalived's validator looks for the script, so it has to lie there first."""
    order = [file.path for file in files(seed, seed.preferred)]
    assert order.index(CHECK_HAPROXY) < order.index(KEEPALIVED_CONF)
