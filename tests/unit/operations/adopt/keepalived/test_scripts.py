"""The scripts of a pair that was built by hand."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import handmade_files as made
import pytest
from handmade_files import adopt_all, pair_of, told

from lbdeploy.config import writer
from lbdeploy.operations.adopt.keepalived.scripts import watches_haproxy
from lbdeploy.operations.adopt.reading.sources import Sources

UPLINK = "#!/bin/sh\nping -c 1 10.20.0.1\n"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("pidof haproxy", True),
        ("/usr/bin/pgrep -x haproxy", True),
        ("'killall -0 haproxy'", True),
        ("/bin/sh -c 'kill -0 $(cat /run/haproxy.pid)'", True),
        ("systemctl is-active --quiet haproxy", True),
        ("/etc/keepalived/chk.sh", True),
        ("/etc/keepalived/api.sh", True),
        ("/etc/keepalived/uplink.sh", False),
        ("/usr/bin/ping -c 1 10.0.0.1", False),
        ("/etc/keepalived/none.sh", False),
        ("/usr/bin/curl -sk https://localhost:8443/healthz", True),
        ("/bin/nc -z -w 1 127.0.0.1 8443", True),
        ("/etc/keepalived/variables.sh", True),
        ("/etc/keepalived/more.sh", False),
        ("/etc/keepalived/dns-too.sh", False),
        ("/bin/nc -z 127.0.0.1 53", False),
        ("/usr/bin/curl -sf http://localhost:2379/health", False),
        ("/usr/bin/curl -sf http://localhost/healthz", False),
        ("/usr/bin/curl -sf http://127.0.0.1:9100/haproxy", False),
        ("/usr/bin/curl -sfk https://10.20.0.21:8443/healthz", False),
        ("", False),
    ],
)
def test_what_only_asks_for_haproxy_or_its_ports_is_lbdeploys_own_check(command: str, expected: bool) -> None:
    """By the command, or by what its script does; haproxy has port 8443 at localhost."""
    files = {
        "/etc/keepalived/chk.sh": "#!/bin/sh\n# see if haproxy is there\npgrep -x haproxy >/dev/null\n",
        "/etc/keepalived/api.sh": made.CHECK_APISERVER,
        "/etc/keepalived/variables.sh": "#!/bin/sh\nPORT=8443\ncurl -sfk https://$VIP:$PORT/healthz\n",
        "/etc/keepalived/more.sh": "#!/bin/sh\npidof haproxy && ping -c 1 10.0.0.1\n",
        "/etc/keepalived/dns-too.sh": "#!/bin/sh\npidof haproxy && nc -z localhost 53\n",
        "/etc/keepalived/uplink.sh": "#!/bin/sh\n# not of haproxy: curl localhost\nping -c 1 10.0.0.1\n",
    }
    assert watches_haproxy(command, Sources({path: {path: text} for path, text in files.items()}), {8443}) == expected


def tracking(script: str, more: str = "", notify: str = "") -> str:
    """k3s's file with a second script, and notifications."""
    block = f"vrrp_script up-link {{\n    script {script}\n    interval 5\n{more}}}\n"
    return block + made.K3S_KEEPALIVED.replace("chk_haproxy\n    }", f"chk_haproxy\n        up-link\n    }}\n{notify}")


def test_a_script_of_ones_own_lies_beside_hosts_toml() -> None:
    """Its text, its times and its weight; the script of haproxy does not."""
    conf = tracking('"/opt/uplink.sh"', "    weight -30\n    user nobody\n    fall 3\n")
    found = adopt_all(pair_of(conf, made.K3S_HAPROXY, {"/opt/uplink.sh": UPLINK}))
    assert found.files == {"scripts/up-link": UPLINK}
    assert tomllib.loads(writer.text(found.draft))["vrrp"]["track_scripts"] == {
        "up-link": {"script": "scripts/up-link", "interval": 5, "timeout": 5, "fall": 3, "rise": 1, "weight": -30}
    }
    assert told(found, "weight -30") == ("kept", "vrrp.track_scripts.up-link.weight = -30")
    assert told(found, "user nobody") == ("changes", "root runs it")


def test_a_script_of_haproxy_that_looks_for_more_is_kept() -> None:
    """It is what an operator takes a node out with."""
    script = "#!/bin/sh\n[ ! -e /etc/keepalived/maintenance ] || exit 1\nsystemctl is-active --quiet haproxy\n"
    conf = made.K3S_KEEPALIVED.replace("'killall -0 haproxy'", "/opt/chk.sh")
    found = adopt_all(pair_of(conf, made.K3S_HAPROXY, {"/opt/chk.sh": script}))
    assert found.files == {"scripts/chk_haproxy": script}
    assert told(found, "script /opt/chk.sh")[0] == "kept"


def test_a_command_becomes_a_script_that_runs_it() -> None:
    found = adopt_all(pair_of(tracking('"/usr/bin/ping -c 1 10.20.0.1"'), made.K3S_HAPROXY))
    assert found.files == {"scripts/up-link": "#!/bin/sh\nexec /usr/bin/ping -c 1 10.20.0.1\n"}


@pytest.mark.parametrize(("bind", "own"), [("*:6443", False), ("10.20.0.10:6443", True)], ids=["haproxy", "another"])
def test_who_answers_at_a_port_of_the_node_itself_decides_what_is_watched(bind: str, own: bool) -> None:
    """haproxy that is open on the VIP alone is not what answers at localhost."""
    conf = tracking('"/usr/bin/curl -sk https://localhost:6443/readyz"')
    found = adopt_all(pair_of(conf, made.K3S_HAPROXY.replace("*:6443", bind)))
    assert list(found.draft["vrrp"].get("track_scripts", {})) == (["up-link"] if own else [])


def test_notifications_of_states_become_one_script(tmp_path: Path) -> None:
    """It runs what the state asks for."""
    notify = '    notify_master "/bin/echo up now"\n    notify_backup "/bin/echo down"\n'
    found = adopt_all(
        pair_of(made.K3S_KEEPALIVED.replace("    track_script", f"{notify}    track_script"), made.K3S_HAPROXY)
    )
    assert found.draft["vrrp"]["notify"] == "scripts/notify"
    script = tmp_path / "notify"
    script.write_text(found.files["scripts/notify"])
    said = [
        subprocess.run(["sh", script, "INSTANCE", "X", state, "5"], check=True, capture_output=True, text=True).stdout
        for state in ("MASTER", "BACKUP", "FAULT")
    ]
    assert said == ["up now\n", "down\n", ""]
    assert told(found, 'notify_backup "/bin/echo down"')[0] == "kept"


def test_one_notification_of_all_states_is_kept_as_it_is() -> None:
    conf = made.K3S_KEEPALIVED.replace("    track_script", '    notify "/opt/n.sh"\n    track_script')
    found = adopt_all(pair_of(conf, made.K3S_HAPROXY, {"/opt/n.sh": "#!/bin/sh\necho $3\n"}))
    assert found.files == {"scripts/notify": "#!/bin/sh\necho $3\n"}


@pytest.mark.parametrize(
    ("line", "text", "verdict"),
    [
        ("notify /opt/n.sh", "#!/bin/sh\necho $3\n", "kept"),
        ("notify /opt/n.sh root", "#!/bin/sh\necho $3\n", "kept"),
        ("notify /opt/n.sh nobody", "#!/bin/sh\necho $3\n", "changes"),
        ('notify "/opt/other.sh a b" nobody nogroup', '#!/bin/sh\nexec /opt/other.sh a b "$@"\n', "changes"),
        ("notify '/opt/other.sh a b' nobody", '#!/bin/sh\nexec /opt/other.sh a b "$@"\n', "changes"),
        ("notify \"/opt/other.sh 'a b'\"", "#!/bin/sh\nexec /opt/other.sh 'a b' \"$@\"\n", "kept"),
        (r'notify "/opt/other.sh \"a b\"" nobody', '#!/bin/sh\nexec /opt/other.sh "a b" "$@"\n', "changes"),
    ],
)
def test_the_user_of_a_notification_is_no_argument_of_it(line: str, text: str, verdict: str) -> None:
    """It is root that runs it from then on, which is said."""
    conf = made.K3S_KEEPALIVED.replace("    track_script", f"    {line}\n    track_script")
    found = adopt_all(pair_of(conf, made.K3S_HAPROXY, {"/opt/n.sh": "#!/bin/sh\necho $3\n"}))
    assert found.files == {"scripts/notify": text}
    assert (told(found, line)[0], "no longer nobody" in told(found, line)[1]) == (verdict, verdict == "changes")


def test_the_users_of_notifications_of_states_are_no_arguments() -> None:
    conf = made.K3S_KEEPALIVED.replace("    track_script", '    notify_fault "/opt/f.sh x" nobody\n    track_script')
    assert "FAULT) /opt/f.sh x ;;" in adopt_all(pair_of(conf, made.K3S_HAPROXY)).files["scripts/notify"]


def test_a_command_in_single_quotes_is_run_without_them() -> None:
    found = adopt_all(pair_of(tracking("'/usr/bin/ping -c 1 10.20.0.1'"), made.K3S_HAPROXY))
    assert found.files == {"scripts/up-link": "#!/bin/sh\nexec /usr/bin/ping -c 1 10.20.0.1\n"}


def test_a_notification_that_only_the_other_node_has_ends() -> None:
    """Scripts are the same on all nodes: those of the preferred one."""
    conf = made.K3S_KEEPALIVED.replace("    track_script", "    notify /opt/OWN.sh\n    track_script")
    found = adopt_all(pair_of(conf, made.K3S_HAPROXY))
    assert (told(found, "notify /opt/11.sh")[0], told(found, "notify /opt/12.sh", "lb2")[0]) == ("kept", "ends")


@pytest.mark.parametrize(
    ("path", "kept"), [("/run/uplink", True), ("/etc/uplink", False)], ids=["a folder that lasts", "another folder"]
)
def test_files_are_tracked_where_hosts_toml_allows_it(path: str, kept: bool) -> None:
    block = f"track_file uplink {{\n    file {path}\n    weight 2\n}}\n"
    conf = block + made.K3S_KEEPALIVED.replace("    track_script", "    track_file {\n uplink\n }\n    track_script", 1)
    found = adopt_all(pair_of(conf, made.K3S_HAPROXY))
    assert found.draft["vrrp"].get("track_files") == ({"uplink": {"file": path, "weight": 2}} if kept else None)
    assert told(found, f"file {path}")[0] == ("kept" if kept else "ends")
