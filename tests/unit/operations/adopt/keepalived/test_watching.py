"""Scripts that ask for haproxy alone, and scripts of which something would be lost."""

from __future__ import annotations

import time

import pytest

from lbdeploy.operations.adopt.keepalived.watching import asks_for_haproxy_alone

KUBEADM = """\
#!/bin/sh
APISERVER_DEST_PORT=8443
APISERVER_VIP=10.20.0.10

errorExit() {
    echo "*** $*" 1>&2
    exit 1
}

curl -sfk --max-time 2 https://localhost:${APISERVER_DEST_PORT}/healthz -o /dev/null || errorExit "Error GET (local)"
if ip addr | grep -q ${APISERVER_VIP}; then
    curl --silent --max-time 2 --insecure https://${APISERVER_VIP}:${APISERVER_DEST_PORT}/ -o /dev/null || errorExit
fi
"""
COUNTED = """\
#!/bin/bash
# it's there, or it isn't
set -eu
A=`ps -C haproxy --no-header | wc -l`
if [ $A -eq 0 ]; then
    exit 1
fi
"""


def alone(text: str) -> bool:
    """haproxy has port 8443 at localhost, and the VIP 10.20.0.10."""
    return asks_for_haproxy_alone(text, {8443}, {"10.20.0.10"})


@pytest.mark.parametrize(
    "text",
    [
        KUBEADM,
        COUNTED,
        "if ! pgrep -x haproxy > /dev/null 2>&1; then\n  exit 1\nelse\n  exit 0\nfi",
        '[ "$(systemctl is-active haproxy)" = active ]',
        'test -n "$(pidof haproxy)" || exit 1',
        "ps -ef | grep '[h]aproxy' | grep -v grep | wc -l",
        "timeout 2 /usr/bin/env pidof haproxy",
        "PID=$(cat /var/run/haproxy.pid)\nkill -0 $PID",
        "ss -lnt | grep -q ':8443 '",
        "lsof -i:8443",
        "wget -q -O /dev/null --no-check-certificate --timeout=2 https://127.0.0.1:8443/healthz",
        "pgrep \\\n  -x haproxy",
        "bash -c 'pidof haproxy && exit 0'",
        "service haproxy status",
    ],
)
def test_questions_about_haproxy_are_lbdeploys_own(text: str) -> None:
    assert alone(text)


@pytest.mark.parametrize(
    "text",
    [
        "[ ! -e /etc/keepalived/maintenance ] || exit 1\nsystemctl is-active --quiet haproxy",
        "test -f /run/off && exit 1; pidof haproxy",
        "killall -0 haproxy && curl -sfk https://10.99.0.1/uplink",
        "pidof haproxy && curl -s https://localhost:8443 10.99.0.1",
        "pidof haproxy\nping -c 1 10.0.0.1",
        "pidof haproxy; . /etc/keepalived/more",
        "pidof haproxy || systemctl restart haproxy",
        "pidof haproxy || systemctl stop keepalived",
        "pkill haproxy",
        "killall haproxy",
        "systemctl is-active haproxy keepalived",
        "systemctl --host=other is-active haproxy",
        "pgrep haproxy && pgrep nginx",
        "pgrep haproxy_exporter",
        "pidof haproxy > /var/lib/state",
        'pidof haproxy || echo "# down"; ping -c 1 10.0.0.1',
        "pidof haproxy || echo 'it''s down'; ping -c 1 10.0.0.1",
        'pidof haproxy; echo "$(echo "x" ; ping -c 1 10.0.0.1 ; echo "y")"',
        "haproxy=nginx; pgrep $haproxy",
        "P=8443; P=53; nc -z localhost $P",
        "GW=10.0.0.1; curl -sk https://$GW:8443/",
        "curl -sfk https://localhost:8443/healthz | grep -q ok",
        "echo 'disable server a/b' | socat stdio /run/haproxy/admin.sock",
        "ip addr | grep -q 10.20.0.10",
        "grep -q haproxy /etc/keepalived/maintenance",
        "cat /etc/haproxy/maintenance",
        "#!/usr/bin/python3\npgrep haproxy",
        "pidof haproxy <<END\nx\nEND",
        "for each in 1 2; do pidof haproxy; done",
        "pidof haproxy $(reboot)",
        "pidof haproxy `reboot`",
        'pidof "haproxy',
        "timeout 2",
        "env",
        "exit 0",
        "ps aux",
        "",
    ],
)
def test_what_asks_for_anything_else_or_does_more_is_not(text: str) -> None:
    """The operator's switch for maintenance, or a gateway, would not be watched any more."""
    assert not alone(text)


@pytest.mark.parametrize(
    "text",
    [
        "ss -lnt " + "sport:" * 40 + "x",
        "[ " + "a" * 200_000 + "- ]",
        "env " * 5_000 + "pidof haproxy",
        "timeout " * 5_000 + "pidof haproxy",
        "".join(f"a{number}=1\n" for number in range(20_000)) + "exit 0",
        "echo " + '"$(' * 20_000,
        "f" + " " * 200_000 + "x",
    ],
    ids=["word", "test", "env", "timeout", "variables", "quotes", "spaces"],
)
def test_a_script_of_a_node_takes_no_ones_time(text: str) -> None:
    """It is data, and may be anything."""
    begun = time.process_time()
    alone(text)
    assert time.process_time() - begun < 2
