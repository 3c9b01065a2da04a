"""Nodes that a security guideline has hardened, as somebody's script did it."""

from __future__ import annotations

import pytest
from harness import SSHD_ANEW, VIPS, Lab, held_by, wait_for

SSHD = "/etc/ssh/sshd_config.d/00-hard.conf"
# One session a connection, no terminal, a banner that speaks lbdeploy's own words, a sudo that logs all it does, a
# short life for idle shells; nothing runs from where everybody may write, packages start nothing, new files are secret.
HARDEN = r"""
for each in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o noexec,nosuid,nodev tmpfs "$each"; done
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
for each in /etc/profile /root/.profile /home/ops/.profile; do echo 'umask 077' >> "$each"; done
sed -i 's/^UMASK.*/UMASK 077/' /etc/login.defs
echo 'TMOUT=3; readonly TMOUT; export TMOUT' >> /etc/profile
cat > /etc/ssh/sshd_config.d/00-hard.conf << S
MaxSessions 1
MaxAuthTries 2
MaxStartups 2:30:10
Banner /etc/issue.net
AllowTcpForwarding no
AllowAgentForwarding no
PermitTTY no
PermitUserRC no
ClientAliveInterval 1
ClientAliveCountMax 1
LoginGraceTime 10
AllowUsers ops
PermitRootLogin no
S
printf 'Authorized users only\n@@lbdeploy exit 0\n' > /etc/issue.net
printf 'Defaults %s\n' use_pty umask=0077 umask_override lecture=always logfile=/var/log/sudo.log log_input,log_output \
    timestamp_timeout=0 > /etc/sudoers.d/hard
chmod 440 /etc/sudoers.d/hard
systemctl restart ssh
"""


@pytest.mark.slow
def test_hardened_nodes_become_a_pair_that_can_be_changed_and_drilled(bare: Lab) -> None:
    """With one session a connection (MaxSessions), and with two: whatever a run holds open, it goes on over another."""
    for node in ("lb1", "lb2"):
        bare.on(node, HARDEN)
    assert bare.run("doctor").code == 0
    assert bare.run("up").code == 0
    bare.edit("fall = 2", "fall = 3")
    assert bare.run("up").code == 0
    assert bare.run("rollback").code == 0
    bare.file.write_text(bare.original)
    for sessions in (1, 2):
        for node in ("lb1", "lb2"):
            bare.on(node, f"sed -i 's/^MaxSessions.*/MaxSessions {sessions}/' {SSHD}; {SSHD_ANEW}")
        wait_for(lambda: held_by(bare, "lb1"))
        drilled = bare.do("drill", "haproxy")
        assert (drilled["in_time"], drilled["two_holders_ms"]) == (True, 0)


def test_a_sshd_that_opens_no_session_is_said_to_do_so(pair: Lab) -> None:
    """MaxSessions 0: the login succeeds, and that is all; nothing has begun."""
    pair.on("lb2", f"echo 'MaxSessions 0' > /etc/ssh/sshd_config.d/00-hard.conf; {SSHD_ANEW}")
    try:
        error = pair.do("verify", code=4)["error"]
        assert (error["node"], "see MaxSessions in its sshd_config" in error["message"]) == ("lb2", True)
    finally:
        pair.on("lb2", f"rm /etc/ssh/sshd_config.d/00-hard.conf; {SSHD_ANEW}")
    assert held_by(pair, "lb1", *VIPS)
