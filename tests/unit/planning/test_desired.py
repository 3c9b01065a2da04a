"""What a node is to have: its files, packages, settings and services, in their order."""

from __future__ import annotations

import base64
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from builders import BIG, SEED, alone, cluster, running, steps_of
from clusters import (
    GONE,
    REPOSITORY_KEY,
    WITH_SOURCES,
    with_firewall,
    with_options,
)
from goldens import GOOD, SCRIPT, TOKEN
from syrupy.assertion import SnapshotAssertion

from lbdeploy.common.paths import shipped
from lbdeploy.common.redact import hidden, hidden_in_base64
from lbdeploy.config.model import Cluster
from lbdeploy.node.resources import File, Gone, Journal, Packages, ServerState, Service, Sysctl
from lbdeploy.node.resources.base import Answer
from lbdeploy.node.resources.file import FileState
from lbdeploy.node.resources.text_diff import not_shown
from lbdeploy.operations.down_steps import original
from lbdeploy.planning.desired import (
    CHECK_HAPROXY,
    FIREWALL_AS_SERVICE,
    FIREWALL_SERVICE,
    HAPROXY_CFG,
    KEEPALIVE,
    KEEPALIVED_CONF,
    NO_LEFTOVERS,
    NO_VRRP_METRICS,
    NOTIFY_SERVICE,
    OWN_SCRIPTS,
    SYSCTL_CONF,
    TICKLE_CLIENTS,
    VRRP_METRICS,
    apt_files,
    desired,
    files,
    packages,
    sysctls,
)
from lbdeploy.planning.haproxy.named_files import OWN_CAS, ca_files, secret_files

CLIENT_FILE = "/etc/haproxy/lbdeploy-machine-config-client.pem"


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


def rendered(cluster: Cluster, node: str) -> dict[str, str]:
    return {file.path: file.content for file in files(cluster, cluster.node(node))}


FOUR = ["net.ipv4.ip_nonlocal_bind", "net.ipv4.conf.all.promote_secondaries"]


@pytest.mark.parametrize(
    ("vips", "names"),
    [
        ('"192.168.0.10/24"', FOUR),
        ('["192.168.0.10/24", "2001:db8::10/64"]', [*FOUR, "net.ipv6.ip_nonlocal_bind"]),
    ],
)
def test_binding_to_absent_vips_is_allowed_for_their_families(tmp_path: Path, vips: str, names: list[str]) -> None:
    """Each address family of the VIPs has its own kernel setting, in force and kept over a reboot."""
    found = cluster(tmp_path, GOOD.replace('"192.168.0.10/24"', vips))
    wanted = dict.fromkeys(names, "1") | KEEPALIVE
    assert sysctls(found) == wanted
    lines = [line for line in rendered(found, "lb1")[SYSCTL_CONF].splitlines() if not line.startswith("#")]
    assert lines == [f"{name} = {value}" for name, value in wanted.items()]
    assert [each.name for each in desired(found, found.preferred) if isinstance(each, Sysctl)] == list(wanted)


def test_a_node_gets_packages_files_settings_and_services_in_this_order(seed: Cluster) -> None:
    """Nothing is started before the packages, files and kernel settings are there; what was interrupted comes first."""
    kinds = [type(each) for each in desired(seed, seed.preferred)]
    assert kinds == [
        Journal,
        Gone,
        Gone,
        Gone,
        Gone,
        Packages,
        ServerState,
        *[File] * 9,
        *[Sysctl] * 5,
        Service,
        Service,
        Gone,
    ]
    assert [each.unit for each in desired(seed, seed.preferred) if isinstance(each, Service)] == [
        "haproxy",
        "keepalived",
    ]


def test_every_resource_has_an_id_of_its_own(tmp_path: Path) -> None:
    """Resources are told apart by their ids."""
    found = cluster(tmp_path, BIG)
    ids = [each.id for each in desired(found, found.preferred)]
    assert len(ids) == len(set(ids))


def test_scripts_come_before_the_configuration_that_names_them(seed: Cluster) -> None:
    """keepalived's validator looks for them, so they have to lie there first."""
    order = [file.path for file in files(seed, seed.preferred)]
    assert order.index(CHECK_HAPROXY) < order.index(KEEPALIVED_CONF)
    assert order.index(TICKLE_CLIENTS) < order.index(KEEPALIVED_CONF)


def test_the_ca_lies_on_the_node_before_haproxy_reads_it(rich: Cluster) -> None:
    """The certificates are a file of the plan, staged before haproxy.cfg is validated, and a new one is a reload."""
    path = "/etc/haproxy/lbdeploy-api-ca.crt"
    paths = [each.path for each in files(rich, rich.preferred)]
    assert paths.index(path) < paths.index(HAPROXY_CFG)
    assert ca_files(rich) == {path: (rich.path.parent / "ca.pem").read_text()}
    haproxy = next(e for e in desired(rich, rich.preferred) if isinstance(e, Service) and e.unit == "haproxy")
    assert haproxy.watches == (HAPROXY_CFG, path, *secret_files(rich))


def test_what_servers_are_shown_is_roots_alone(rich: Cluster) -> None:
    """A token and a private key lie there before haproxy.cfg, which names their files and has nothing of them."""
    made = {each.path: each for each in files(rich, rich.preferred)}
    token, client = (f"/etc/haproxy/lbdeploy-machine-config{each}" for each in ("-token.map", "-client.pem"))
    assert [*made].index(client) < [*made].index(HAPROXY_CFG)
    assert {(made[each].mode, made[each].secret) for each in (token, client)} == {("600", True)}
    assert made[token].content == f"Authorization Bearer {TOKEN}\n"
    assert made[client].content == (rich.path.parent / "client.pem").read_text()
    assert TOKEN not in made[HAPROXY_CFG].content
    assert (token in made[HAPROXY_CFG].content, made[HAPROXY_CFG].mode) == (True, "644")


@pytest.mark.parametrize("path", ["/etc/haproxy/lbdeploy-machine-config-token.map", CLIENT_FILE])
def test_no_plan_shows_what_servers_are_shown(rich: Cluster, path: str) -> None:
    """Only that it is another one; nor does the script that a verbose run tells of."""
    (wanted,) = (each for each in files(rich, rich.preferred) if each.path == path)
    old = replace(wanted, content="Authorization Bearer hunter2\n")
    (change,) = wanted.compare(FileState("file", "600", "root:root", 0.0, old.content), ())
    assert change.diff == (f"--- a{path}\n+++ b{path}\n-({not_shown(old.content)})\n+({not_shown(wanted.content)})\n")
    script = "\n".join(text for _, text in wanted.steps(FileState("missing"), [change], ()))
    secret = wanted.content.splitlines()[-2:][0]
    assert secret in script
    assert secret not in hidden(script)
    assert hidden_in_base64(base64.b64encode(wanted.content.encode()).decode()).startswith("(base64 of a file")


def test_a_ca_that_no_frontend_names_any_more_is_removed(rich: Cluster) -> None:
    """By the next `up`, once haproxy reads it no more; and all of them by `down`."""
    old = f"{OWN_CAS}old.eu-ca.crt"
    line = " ".join((old, "644", base64.b64encode(b"x").decode()))
    kept = " ".join((f"{OWN_CAS}api-ca.crt", "644", base64.b64encode(b"x").decode()))
    (now,) = (each for each in desired(rich, rich.preferred) if isinstance(each, Gone) and each.covers(old))
    (leaving,) = (
        each for each in original(rich, rich.preferred, purge=False) if isinstance(each, Gone) and each.covers(old)
    )
    for gone, names in ((now, [old]), (leaving, [old, f"{OWN_CAS}api-ca.crt"])):
        assert f"{OWN_CAS}*" in gone.patterns
        assert [each.name for each in gone.compare(gone.read(Answer(f"{line}\n{kept}\n")), ())] == names


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("#!/bin/sh", ""),
        ("#! /bin/sh -eu", ""),
        ("#!/usr/bin/env sh", ""),
        ("#!/usr/bin/env -S sh -eu", ""),
        ("#!/opt/none", "this node has no /opt/none, by which it is to be run\n"),
        ("#!/usr/bin/env python99", "this node has no python99, by which it is to be run\n"),
        ("#!/bin/*", "this node has no /bin/*, by which it is to be run\n"),
    ],
)
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_script_that_a_node_can_not_run_is_refused_there(tmp_path: Path, shell: str, first: str, said: str) -> None:
    """Its interpreter is looked for, also by way of env, before the file is in place."""
    of = with_options(tmp_path)
    (tmp_path / "staged").write_text(f"{first}\nexit 0\n")
    (own,) = (each for each in files(of, of.preferred) if each.path == OWN_SCRIPTS + "notify")
    run = subprocess.run(
        [shell, "-c", str(own.validate), "x", tmp_path / "staged"], check=False, capture_output=True, text=True
    )
    assert (run.stdout, run.stderr) == (said, "")


def test_a_script_that_is_told_of_states_is_told_of_the_present_one_where_it_is_new(tmp_path: Path) -> None:
    """Where others were told of theirs before: the service that tells begins anew, and does so as it starts."""
    (tmp_path / "claim").write_text(SCRIPT)
    key = '[vrrp]\nnotify_master = "claim"\n'
    one, two = (cluster(tmp_path, GOOD.replace("[vrrp]\n", text)) for text in (key, f'{key}notify_backup = "claim"\n'))
    before, after = (rendered(each, "lb1") for each in (one, two))
    changing = {path for path, text in after.items() if before.get(path) != text}
    wanted = desired(two, two.preferred)
    (service,) = (each for each in wanted if isinstance(each, Service) and each.unit == NOTIFY_SERVICE)
    assert [change.action for change in service.compare(running(), changing)] == ["restart"]
    assert service.compare(running(), ()) == []


def test_scripts_that_nothing_names_any_more_are_removed() -> None:
    """Only those with names that lbdeploy gives, and not those that are wanted."""
    leftovers = replace(NO_LEFTOVERS, but=(OWN_SCRIPTS + "notify",))
    assert OWN_SCRIPTS + "*" in leftovers.patterns
    state = leftovers.read(Answer(f"{GONE} 700 IyEvYmluL3NoCg==\n{OWN_SCRIPTS}notify 700 eA=="))
    assert state == {GONE: ("700", "#!/bin/sh\n")}
    (change,) = leftovers.compare(state, ())
    assert (change.kind, change.name, change.action) == ("file", GONE, "remove")
    assert leftovers.compare({}, ()) == []


def test_metrics_of_vrrp_that_nobody_asks_for_are_taken_away_and_never_put_back(tmp_path: Path, seed: Cluster) -> None:
    """A keepalived with a former configuration writes them by itself: an old file would be drift at once."""
    on = cluster(tmp_path, SEED.read_text() + '[metrics]\nnetwork = "management"\nvrrp = true\n')
    assert VRRP_METRICS in rendered(on, "lb1")
    assert NO_VRRP_METRICS not in desired(on, on.preferred)
    assert VRRP_METRICS not in rendered(seed, "lb1")
    assert NO_VRRP_METRICS in desired(seed, seed.preferred)
    (path,) = NO_VRRP_METRICS.patterns
    kept = {path: File(path, "old"), VRRP_METRICS: File(VRRP_METRICS, "#!/bin/sh\n")}
    assert NO_VRRP_METRICS.as_kept(kept) == []
    assert NO_VRRP_METRICS.as_kept({path: File(path, "old")}) == [NO_VRRP_METRICS]


def test_a_firewall_takes_a_package_and_a_service(tmp_path: Path) -> None:
    """Without one, nothing is added, and what an earlier hosts.toml asked for is taken away."""
    on, off = cluster(tmp_path, with_firewall(SEED.read_text())), cluster(tmp_path, SEED.read_text())
    assert set(packages(on)) - set(packages(off)) == {"nftables"}
    for found, expected in ((on, True), (off, False)):
        wanted = desired(found, found.preferred)
        assert any(isinstance(each, Service) and each.unit == FIREWALL_SERVICE for each in wanted) == expected
        assert any(isinstance(each, Gone) and each.unit == FIREWALL_SERVICE for each in wanted) != expected


def test_a_table_that_is_gone_is_drift() -> None:
    """The service runs, but what it has set up is not what it left: its rules are loaded again."""
    state = FIREWALL_AS_SERVICE.read(Answer("ActiveState=active\nUnitFileState=enabled\nInForce=no\n"))
    assert state.lost
    (change,) = FIREWALL_AS_SERVICE.compare(replace(state, load="loaded"), ())
    assert (change.action, change.reason) == ("reload", "what it has set up was removed or changed")
    assert not FIREWALL_AS_SERVICE.read(Answer("ActiveState=active\n")).lost


def test_a_firewall_of_ours_is_stopped_while_its_file_is_there() -> None:
    """So that the unit itself says how; undone by starting it again."""
    gone = Gone("x", ("/etc/a",), unit="lbdeploy-firewall")
    fix = steps_of(gone, {"/etc/a": ("644", "")})
    assert fix.index("disable --quiet --now") < fix.index("drop /etc/a")
    assert "undo_last 'systemctl enable --quiet --now lbdeploy-firewall'" in fix


def test_what_apt_is_told(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    """The keys come before the sources that name them; a binary key is armored, as gpg does it."""
    (tmp_path / "own.gpg").write_bytes(REPOSITORY_KEY)
    found = cluster(tmp_path, GOOD + WITH_SOURCES)
    files = apt_files(found, found.preferred)
    assert [each.path.rpartition("/")[2] for each in files] == [
        "lbdeploy-own.asc", "lbdeploy", "lbdeploy.sources", "lbdeploy"
    ]  # fmt: skip
    assert "\n".join(f"==> {each.path}\n{each.content}" for each in files) == snapshot


def test_an_armored_key_is_taken_as_it_is(tmp_path: Path) -> None:
    """What gpg --armor wrote goes to the node; and of what was made here, gpg reads the same bytes."""
    (tmp_path / "own.gpg").write_bytes(REPOSITORY_KEY)
    made = apt_files(*_pair(tmp_path))[0].content
    read = subprocess.run(["gpg", "--dearmor"], check=True, capture_output=True, input=made.encode()).stdout
    assert read == REPOSITORY_KEY
    (tmp_path / "own.gpg").write_text(made)
    assert apt_files(*_pair(tmp_path))[0].content == made


def _pair(folder: Path):  # type: ignore[no-untyped-def]
    found = cluster(folder, GOOD + WITH_SOURCES)
    return found, found.preferred


def test_what_hosts_toml_asks_for_no_more_is_removed(tmp_path: Path) -> None:
    """Files of ours in apt's folders that nobody asks for; those that are wanted stay."""
    for name in ("a b", "c", "d"):
        (tmp_path / f"lbdeploy-{name.replace(' ', '')}.asc").write_text(name + "\n")
    (tmp_path / "lbdeploy-d.asc").chmod(0o600)
    (tmp_path / "lbdeploy-ab.asc").chmod(0o644)
    gone = Gone("x", (f"{tmp_path}/lbdeploy-*.asc", f"{tmp_path}/none"), but=(f"{tmp_path}/lbdeploy-c.asc",))
    said = subprocess.run(["sh", "-c", alone(gone)], check=True, capture_output=True, text=True).stdout
    seen = gone.read(Answer(said))
    assert seen == {
        f"{tmp_path}/lbdeploy-ab.asc": ("644", "a b\n"),
        f"{tmp_path}/lbdeploy-d.asc": ("600", "d\n"),
    }
    first, _ = gone.compare(seen, ())
    assert (first.action, first.name) == ("remove", f"{tmp_path}/lbdeploy-ab.asc")
    assert first.diff == f"--- a{first.name}\n+++ /dev/null\n@@ -1 +0,0 @@\n-a b\n"
    (hidden,) = gone.compare({"/etc/apt/apt.conf.d/lbdeploy": ("600", 'Proxy "http://me:secret@proxy";\n')}, ())
    assert "secret" not in str(hidden.diff)
    assert steps_of(gone, seen, [first]) == f"drop {first.name}"
