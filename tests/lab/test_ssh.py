"""SSH as operators have it: their keys, agents, certificates, jump hosts and known hosts, on real nodes."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest
from harness import LBDEPLOY, SSHD_ANEW, Lab, wait_for

from lbdeploy.config.credentials import Answers
from lbdeploy.config.model import Node
from lbdeploy.ssh.transport.session import CommandResult
from lbdeploy.ssh.transport.sudo import Root

NODES = {"lb1": "192.168.1.11", "lb2": "192.168.1.12"}
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key.pub"
SSHD = "/etc/ssh/sshd_config.d/test.conf"
# Takes commands as fish and csh do: no assignments in front of one, none of sh's syntax but single quotes; and talks
# before that.
ODD_SHELL = r"""#!/bin/sh
echo Welcome to fish, the friendly interactive shell
[ "$1" = -c ] || exec /bin/sh
case ${2%% *} in *=*) echo "odd: no assignments"; exit 127 ;; esac
case $(echo "$2" | sed "s/'[^']*'//g") in *[\;\&\|\<\>\$\`\(\)\{\}]*) echo "odd: what is $2?"; exit 127 ;; esac
exec /bin/sh -c "$2"
"""


class Operator:
    """The operator of the lab, whose keys and configuration a test changes."""

    def __init__(self, lab: Lab, own: Path, folder: Path) -> None:
        self.lab = lab
        self.own = own  # the lab's
        self.folder = folder  # of the test
        self.config_file, self.known_hosts = self.own / "ssh_config", self.own / "known_hosts"
        self.key = self.own / "id_ed25519"

    def config(self, *lines: str) -> None:
        """These lines are all that the operator has; with no lines, ssh's defaults."""
        self.config_file.write_text("".join(f"{line}\n" for line in lines) + "GlobalKnownHostsFile none\n")

    def plan(self, *options: str, code: int = 0, **env: str) -> Any:
        """What `plan` says, for the error that it must give, or {}."""
        done = self.lab.run("--json", *options, "plan", env={"SSH_AUTH_SOCK": "", **env})
        assert done.code == code, done.out + done.err
        return done.json.get("error", {})

    def at_terminal(self, *options: str, **env: str) -> pexpect.spawn:
        argv = ["-f", str(self.lab.file), "--lab", *options, "plan"]
        environment = {**os.environ, "SSH_AUTH_SOCK": "", "TERM": "xterm", **env}
        return pexpect.spawn(LBDEPLOY, argv, env=environment, encoding="utf-8", timeout=30, dimensions=(40, 160))

    def keygen(self, *argv: str | Path) -> None:
        subprocess.run(["ssh-keygen", "-q", *map(str, argv)], check=True, stdin=subprocess.DEVNULL)

    def new_key(self, name: str, *argv: str) -> Path:
        path = self.folder / name
        self.keygen("-t", "ed25519", "-N", "", "-f", path, *argv)
        return path

    def use_only(self, key: Path | None) -> None:
        """From now on the lab's own key is this one, or none."""
        for path in (self.key, self.key.with_suffix(".pub")):
            path.unlink()
        if key:
            self.key.write_bytes(key.read_bytes())
            self.key.chmod(0o600)

    @contextmanager
    def agent(self, *add: str | Path) -> Iterator[str]:
        """An agent with a key, or what ssh-add is told to add; its socket."""
        socket = str(self.folder / "agent")
        process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
        try:
            wait_for(lambda: os.path.exists(socket), 5)
            subprocess.run(["ssh-add", "-q", *map(str, add)], check=True, env={**os.environ, "SSH_AUTH_SOCK": socket})
            yield socket
        finally:
            process.terminate()
            process.wait()
            Path(socket).unlink(missing_ok=True)

    def sshd(self, node: str, *lines: str) -> None:
        """Settings of a node's sshd besides its own."""
        self.lab.on(node, f"printf '%s\\n' {' '.join(repr(line) for line in lines)} > {SSHD}; {SSHD_ANEW}")


@pytest.fixture(scope="module")
def converged(session_lab: Lab) -> Lab:
    wait_for(lambda: session_lab.run("up").code == 0, 60)
    return session_lab


@pytest.fixture(scope="module")
def own(converged: Lab) -> Path:
    """Where the lab's operator has keys and configuration."""
    return Path(converged.known_hosts).parent


@pytest.fixture
def operator(converged: Lab, own: Path, tmp_path: Path) -> Iterator[Operator]:
    made = Operator(converged, own, tmp_path)
    files = ("ssh_config", "known_hosts", "id_ed25519", "id_ed25519.pub")
    before = {name: (made.own / name).read_bytes() for name in files}
    yield made
    converged.file.write_text(converged.original)
    for name, content in before.items():
        (made.own / name).write_bytes(content)
        (made.own / name).chmod(0o644 if name.endswith(".pub") else 0o600)


@pytest.fixture
def nodes_sshd(operator: Operator) -> Iterator[Operator]:
    """For a test that changes the nodes' sshd."""
    yield operator
    for node in NODES:
        operator.lab.on(node, f"rm -f {SSHD}; {SSHD_ANEW}")


def finish(child: pexpect.spawn) -> int:
    """The exit code; what was said is in `before`."""
    child.expect(pexpect.EOF)
    child.close()
    assert "Traceback" not in child.before
    return int(child.exitstatus)


def screen(child: pexpect.spawn) -> str:
    """What stands on the terminal in the end."""
    drawn = pyte.Screen(160, 40)
    pyte.Stream(drawn).feed(child.before)
    return "\n".join(drawn.display)


def test_a_passphrase_is_asked_for_once(operator: Operator) -> None:
    """On a terminal, unseen, and again when it was wrong; elsewhere the error says what to do."""
    operator.config()
    operator.keygen("-p", "-N", "sesame-4711", "-f", operator.key)
    error = operator.plan(code=4)
    assert (error["type"], "has one" in error["message"]) == ("Login", True)
    assert f"ssh-add {operator.key}" in error["fix"]
    child = operator.at_terminal()
    said = ""
    for passphrase in ("wrong", "sesame-4711"):
        child.expect("Passphrase of .*id_ed25519: ?")
        said += child.before
        assert child.waitnoecho(5)
        child.sendline(passphrase)
    assert finish(child) == 0
    said += child.before
    assert "sesame" not in said
    assert "Passphrase" not in child.before
    skipped = operator.at_terminal()
    skipped.expect("Passphrase")
    assert skipped.waitnoecho(5)
    skipped.sendline("")
    assert finish(skipped) == 4


def test_agents(operator: Operator) -> None:
    """The environment's, that of IdentityAgent, or none; with IdentitiesOnly, only the keys that are named."""
    public = operator.folder / "mine.pub"
    public.write_bytes(operator.key.with_suffix(".pub").read_bytes())
    other = operator.new_key("other")
    with operator.agent(operator.key) as socket:
        operator.use_only(None)
        operator.config()
        assert operator.plan(code=4)["type"] == "Login"
        operator.plan(SSH_AUTH_SOCK=socket)
        operator.config(f"IdentityAgent {socket}")
        operator.plan()
        operator.config("IdentityAgent none")
        assert operator.plan(code=4, SSH_AUTH_SOCK=socket)["type"] == "Login"
        operator.config("IdentitiesOnly yes", f"IdentityFile {other}", f"IdentityFile {public.with_suffix('')}")
        operator.plan(SSH_AUTH_SOCK=socket)
        operator.config("IdentitiesOnly yes", f"IdentityFile {other}")
        assert str(other) in operator.plan(code=4, SSH_AUTH_SOCK=socket)["state"]


def test_certificates_of_users(nodes_sshd: Operator) -> None:
    """Beside the key, as CertificateFile, and in the agent, with its key or without: wherever ssh would take one."""
    operator = nodes_sshd
    authority, key = operator.new_key("authority"), operator.new_key("signed")
    public = authority.with_suffix(".pub").read_text().strip()
    for node in NODES:
        operator.lab.on(node, f"echo '{public}' > /etc/ssh/users_ca.pub")
        operator.sshd(node, "TrustedUserCAKeys /etc/ssh/users_ca.pub")
    operator.use_only(None)
    operator.config(f"IdentityFile {key}")
    assert operator.plan(code=4)["type"] == "Login"
    operator.keygen("-s", authority, "-I", "me", "-n", "ops", "-V", "-1h:+1h", key.with_suffix(".pub"))
    operator.plan()
    with operator.agent(key) as socket:
        operator.config()
        operator.plan(SSH_AUTH_SOCK=socket)
        plain = operator.folder / "plain.pub"
        plain.write_bytes(key.with_suffix(".pub").read_bytes())
        subprocess.run(["ssh-add", "-q", "-d", plain], check=True, env={**os.environ, "SSH_AUTH_SOCK": socket})
        operator.plan(SSH_AUTH_SOCK=socket)
    beside = key.with_name("signed-cert.pub").rename(operator.folder / "elsewhere.pub")
    operator.config(f"IdentityFile {key}", f"CertificateFile {beside}")
    operator.plan()
    with operator.agent(key) as socket:
        operator.config(f"CertificateFile {beside}")
        operator.plan(SSH_AUTH_SOCK=socket)


@pytest.mark.parametrize("way", [["192.168.1.11"], ["192.168.0.11", "192.168.0.12"]])
def test_every_hops_key_is_checked(operator: Operator, way: list[str]) -> None:
    """lb2 by way of one host or two: logged in to, and refused as soon as the key of any of them is another one."""
    operator.config("Host 192.168.1.12", f"    ProxyJump {','.join(f'ops@{hop}' for hop in way)}")
    operator.config_file.write_text(f"{operator.config_file.read_text()}Host *\n    IdentityFile {operator.key}\n")
    known = operator.known_hosts.read_text()
    operator.plan()
    for hop in way:
        operator.known_hosts.write_text("".join(_other_key(line, hop) for line in known.splitlines(keepends=True)))
        error = operator.plan(code=4)
        assert f"the host key of {hop} has changed" in error["message"]
        operator.known_hosts.write_text(known)
    revoked = operator.folder / "revoked"
    revoked.write_text(operator.lab.on("lb2", f"cat {HOST_KEY}"))
    operator.config_file.write_text(f"{operator.config_file.read_text()}    RevokedHostKeys {revoked}\n")
    error = operator.plan(code=4)
    assert (error["node"], f"is revoked by {revoked}" in error["message"]) == ("lb2", True)


def _other_key(line: str, host: str) -> str:
    """The line without that host, and one that gives it a key that is not its own."""
    names, kind, _ = line.split()
    if host not in names.split(","):
        return line
    others = ",".join(name for name in names.split(",") if name != host)
    wrong = "AAAAC3NzaC1lZDI1NTE5AAAAIDnlXl8ZJcYHzfcRKLj8mW5Kqy7nPGpqrKZ1Mg1BvYvB"
    return line.replace(names, others, 1) + f"{host} {kind} {wrong}\n"


def test_proxy_commands(operator: Operator) -> None:
    """One that works is used, with its tokens replaced; the error of another one shows it, and how to see more."""
    jump = operator.folder / "jump_config"
    jump.write_bytes(operator.config_file.read_bytes())
    operator.config("Host 192.168.1.12", f"    ProxyCommand ssh -F {jump} -W %h:%p %r@192.168.1.11")
    operator.plan()
    # A shell of its own, whose standard output stays open until it has spoken: ssh ends the command with that.
    operator.config("Host 192.168.1.12", "    ProxyCommand sh -c 'echo no proxy at %h >&2; false'")
    begun = time.monotonic()
    error = operator.plan(code=4)
    assert "through its ProxyCommand (sh -c 'echo no proxy at 192.168.1.12" in error["message"]
    assert time.monotonic() - begun < 10
    _, _, by_hand = error["fix"].partition("and try: ")
    argv = shlex.split(by_hand)
    assert argv[:7] == ["lbdeploy", "-f", str(operator.lab.file), "lab", "exec", "operator", "ssh"]
    inside = [LBDEPLOY, *argv[1:]]
    heard = subprocess.run(inside, check=False, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert "no proxy at 192.168.1.12" in heard.stderr
    operator.config_file.write_bytes(jump.read_bytes())
    subprocess.run(inside, check=True, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)


def test_a_host_behind_a_jump_host_that_drops_packets(operator: Operator) -> None:
    """It is given up after connect_timeout, and the error has the way to it."""
    operator.lab.edit("[networks.external]", "connect_timeout = 2\n\n[networks.external]")
    operator.config("Host 192.168.1.12", "    HostName 192.168.1.99", "    ProxyJump ops@192.168.1.11")
    operator.config_file.write_text(f"{operator.config_file.read_text()}Host *\n    IdentityFile {operator.key}\n")
    nowhere = "192.168.1.99 dev ens32"
    operator.lab.on("lb1", f"ip neigh replace {nowhere} lladdr 02:00:00:00:00:99 nud permanent")
    try:
        begun = time.monotonic()
        error = operator.plan(code=4)
    finally:
        operator.lab.on("lb1", f"ip neigh del {nowhere}")
    assert time.monotonic() - begun < 10
    assert (error["node"], error["message"]) == ("lb2", "192.168.1.99 can't be reached: no answer")
    assert "ops@192.168.1.12 true" in error["fix"]


@pytest.mark.slow
def test_a_cable_that_is_back_is_enough(operator: Operator) -> None:
    """The kernel's search for a node that began while the cable was out fails after that, for a new connection, too."""
    lab, every = operator.lab, "for each in /proc/sys/net/ipv4/neigh/*/retrans_time_ms; do echo {} > $each; done"
    lab.on("operator", f"{every.format(4000)}; ip neigh flush all")
    try:
        lab.lab("cut", "operator")
        began = time.monotonic()
        lab.on("operator", f"bash -c 'echo > /dev/udp/{NODES['lb2']}/9'")
        time.sleep(8.3)  # the last of three questions has been asked
        lab.lab("join", "operator")
        time.sleep(max(0.0, began + 10 - time.monotonic()))
        assert operator.plan() == {}
    finally:
        lab.on("operator", every.format(1000))


def test_new_host_keys_are_asked_about_once(operator: Operator) -> None:
    """One question for both nodes; no means no, and yes writes them down, hashed where that is wanted."""
    operator.config("HashKnownHosts yes")
    prints = {node: fingerprint_of(operator.lab, node) for node in NODES}
    operator.known_hosts.write_text("# mine\n")
    refused = operator.plan(code=4)
    assert prints[refused["node"]] in refused["message"]
    assert "--accept-new" in refused["fix"]
    for answer, code in (("n", 4), ("y", 0)):
        child = operator.at_terminal()
        child.expect(r"\[y/N\]: ?")
        for node, address in NODES.items():
            assert re.search(rf"{address}  ssh-ed25519  {re.escape(prints[node])}", child.before)
        child.sendline(answer)
        assert finish(child) == code
        assert "[y/N]" not in child.before
    lines = operator.known_hosts.read_text().splitlines()
    assert lines[0] == "# mine"
    assert [line[:3] for line in lines[1:]] == ["|1|", "|1|"]
    operator.plan()


def test_a_jump_hosts_new_key_is_asked_about_first(operator: Operator) -> None:
    """What is behind it can't be asked about before; each host is in one question only."""
    operator.config(
        "Host 192.168.1.12", "    ProxyJump ops@192.168.1.11", "Host *", f"    IdentityFile {operator.own}/id_ed25519"
    )
    operator.known_hosts.write_text("")
    child = operator.at_terminal()
    for address in NODES.values():
        child.expect(r"\[y/N\]: ?")
        assert child.before.count("SHA256:") == 1
        assert f"{address}  ssh-ed25519" in child.before
        child.sendline("y")
    assert finish(child) == 0
    assert [line.split()[0] for line in operator.known_hosts.read_text().splitlines()] == list(NODES.values())


def fingerprint_of(lab: Lab, node: str) -> str:
    return lab.on(node, f"ssh-keygen -lf {HOST_KEY}").split()[1]


def test_init_asks_about_host_keys_too(operator: Operator, tmp_path: Path) -> None:
    """It is the first command of all, on hosts that nobody has logged in to."""
    operator.config()
    operator.known_hosts.write_text("")
    argv = ["-f", str(operator.lab.file), "--lab", "init", "--output", str(tmp_path / "new.toml")]
    child = pexpect.spawn(LBDEPLOY, argv, encoding="utf-8", timeout=30, dimensions=(40, 160))
    for question, answer in (("Name", ""), ("Login", "ops"), ("Nodes", "lb1=192.168.1.11 lb2=192.168.1.12")):
        child.expect(question + "[^\n]*: $")
        child.sendline(answer)
    child.expect(r"\[y/N\]: ?")
    assert child.before.count("SHA256:") == 2
    child.sendline("y")
    child.expect(r"Networks[^\n]*external=ens33 management=ens32\]")
    child.sendintr()
    assert finish(child) == 130
    assert len(operator.known_hosts.read_text().splitlines()) == 2


@pytest.mark.parametrize("how", ["--accept-new", "accept-new", "no"])
def test_new_host_keys_may_be_accepted_and_changed_ones_never(operator: Operator, how: str) -> None:
    """By an option, or by StrictHostKeyChecking; whatever that says, a changed key is refused."""
    options = (how,) if how.startswith("--") else ()
    operator.config("" if options else f"StrictHostKeyChecking {how}")
    known = operator.known_hosts.read_text()
    operator.known_hosts.write_text("")
    child = operator.at_terminal(*options)
    assert finish(child) == 0
    assert screen(child).count("its new host key was accepted: ssh-ed25519 SHA256:") == 2
    assert sorted(line.split()[0] for line in operator.known_hosts.read_text().splitlines()) == list(NODES.values())
    operator.known_hosts.write_text("".join(_other_key(line, NODES["lb1"]) for line in known.splitlines(keepends=True)))
    error = operator.plan(*options, code=4)
    assert "has changed" in error["message"]
    assert error["message"].count("SHA256:") == 2


def test_host_certificates(nodes_sshd: Operator) -> None:
    """A host that an authority of known_hosts vouches for is known; not with another name, too late, or revoked."""
    operator = nodes_sshd
    authority, stranger = operator.new_key("authority"), operator.new_key("stranger")
    words = authority.with_suffix(".pub").read_text().split()[:2]
    trust = f"@cert-authority 192.168.1.* {' '.join(words)}"

    for node in NODES:
        (operator.folder / f"{node}.pub").write_text(operator.lab.on(node, f"cat {HOST_KEY}") + "\n")
        operator.sshd(node, "HostCertificate /etc/ssh/host-cert.pub")

    def certify(*how: str, by: Path = authority, nodes: tuple[str, ...] = ("lb1",)) -> None:
        for node in nodes:
            operator.keygen("-s", by, "-h", "-I", node, *how, operator.folder / f"{node}.pub")
            text = (operator.folder / f"{node}-cert.pub").read_text().strip()
            operator.lab.on(node, f"echo '{text}' > /etc/ssh/host-cert.pub; {SSHD_ANEW}")

    operator.config()
    certify("-n", ",".join(NODES.values()), "-V", "-1h:+1h", nodes=("lb1", "lb2"))
    operator.known_hosts.write_text(f"{trust}\n")
    operator.plan()
    operator.known_hosts.write_text(f"{trust}\n@revoked * {' '.join(words)}\n")
    assert "is revoked" in operator.plan(code=4)["message"]
    operator.known_hosts.write_text(f"{trust}\n")
    certify("-n", "lb1.example.org")
    assert "its certificate is for lb1.example.org" in operator.plan(code=4)["message"]
    certify("-n", ",".join(NODES.values()), "-V", "-2h:-1h")
    assert "its certificate has expired" in operator.plan(code=4)["message"]
    certify(by=stranger)
    assert "is unknown" in operator.plan(code=4)["message"]
    known = [f"{at} {(operator.folder / f'{node}.pub').read_text()}" for node, at in NODES.items()]
    operator.known_hosts.write_text(f"{trust}\n{''.join(known)}")
    operator.plan()


def test_the_hosts_other_keys_are_asked_for(operator: Operator) -> None:
    """Where only the ECDSA key is known, that one is asked for; HostKeyAlgorithms has the last word."""
    operator.config()
    keys = [operator.lab.on(node, "cat /etc/ssh/ssh_host_ecdsa_key.pub") for node in NODES]
    operator.known_hosts.write_text("".join(f"{at} {key}\n" for at, key in zip(NODES.values(), keys, strict=True)))
    operator.plan()
    operator.config("HostKeyAlgorithms ssh-ed25519")
    error = operator.plan(code=4)
    assert "it shows ssh-ed25519" in error["message"]
    assert "known is ecdsa-sha2-nistp256" in error["message"]


def test_algorithms_are_those_that_ssh_config_allows(nodes_sshd: Operator) -> None:
    """A host that takes others only is not logged in to, though both sides would have them."""
    operator = nodes_sshd
    for node in NODES:
        operator.sshd(node, "Ciphers aes128-ctr", "MACs hmac-sha2-256-etm@openssh.com")
    own = f"IdentityFile {operator.key}"
    operator.config(own)
    operator.plan()
    operator.config(own, "Ciphers aes128-ctr,chacha20-poly1305@openssh.com", "MACs hmac-sha2-256-etm@openssh.com")
    operator.plan()
    operator.config(own, "Ciphers aes256-gcm@openssh.com")
    assert "no acceptable ciphers" in operator.plan(code=4)["message"]
    operator.config(own, "Ciphers chacha20-poly1305@openssh.com")
    error = operator.plan(code=4)
    assert "lists nothing that lbdeploy can do: chacha20-poly1305@openssh.com" in error["message"]
    assert "aes128-ctr" in error["fix"]
    operator.config(own, "PubkeyAcceptedAlgorithms rsa-sha2-512")
    error = operator.plan(code=4)
    assert error["type"] == "Login"
    assert "PubkeyAcceptedAlgorithms does not list that of" in error["state"]


@pytest.fixture
def with_password(operator: Operator) -> Iterator[Operator]:
    """sudo wants a password on both nodes."""
    for node in NODES:
        operator.lab.on(
            node,
            "rule=$(grep -rl NOPASSWD /etc/sudoers.d); cp -p $rule /root/rule; readlink -f $rule > /root/where; "
            "echo ops:s3cret | chpasswd; sed -i 's/NOPASSWD: *//' $rule; date +%s > /root/since",
        )
    yield operator
    for node in NODES:
        operator.lab.on(node, "cp -p /root/rule $(cat /root/where); passwd -q -l ops 2>&1 || true", check=False)


def attempts(lab: Lab, node: str) -> str:
    log = 'journalctl -q -t sudo --since="@$(cat /root/since)"'
    return lab.on(node, f"{log} | grep -o '[0-9]* incorrect password attempts*'", check=False)


def test_sudos_password_is_asked_for_once(with_password: Operator) -> None:
    """For both nodes, unseen, and tried once: a wrong one does not lock anybody out. Or in advance, by --ask-sudo."""
    operator = with_password
    error = operator.plan(code=4)
    assert (error["type"], "LBDEPLOY_SUDO_PASSWORD" in error["fix"]) == ("Sudo", True)
    left = operator.at_terminal()
    left.expect("Password for sudo on lb1 and lb2: ?")
    left.sendintr()
    assert finish(left) == 130
    for password, code, options in (("wr0ng", 4, ()), ("s3cret", 0, ()), ("s3cret", 0, ("--ask-sudo",))):
        child = operator.at_terminal(*options)
        child.expect("Password for sudo,? on (lb1 and lb2|all nodes): ?")
        assert child.waitnoecho(5)
        child.sendline(password)
        assert finish(child) == code
        assert password not in child.before
        assert "Password for sudo" not in child.before
    for node in NODES:
        assert attempts(operator.lab, node) == "1 incorrect password attempt"
    assert operator.lab.run("--ask-sudo", "plan").code == 2


def test_sudos_password_is_no_command(with_password: Operator) -> None:
    """Where sudo wants none any more, as where it does: the script runs, and nothing else."""
    answers = Answers(sudo_password="s3cret")
    root = Root(Node("lb1", 100, "lb1", {}, {}), "ops", answers)
    root.proven(CommandResult("", 0))
    command, told = root.way
    script = f"cd / && printf %s {shlex.quote(told + 'id -u')} | runuser -u ops -- {command} 2>&1"
    wanted = with_password.lab.on("lb1", script)
    with_password.lab.on("lb1", "cp -p /root/rule $(cat /root/where)")
    assert with_password.lab.on("lb1", script) == "0"
    assert wanted.removeprefix(command.split()[6]) == "0"


def test_a_login_without_root_rights_is_told(with_password: Operator) -> None:
    """A user whom sudo does not know, with a password or without: exit 4."""
    operator = with_password
    for node in NODES:
        operator.lab.on(node, "sed -i 's/^ops/nobody/' $(cat /root/where)")
    error = operator.plan(code=4, LBDEPLOY_SUDO_PASSWORD="s3cret")
    assert error["type"] == "Sudo"
    assert "ops is not in the sudoers file" in error["message"] or "may not run sudo" in error["message"]


def test_root_may_log_in(operator: Operator) -> None:
    """Without sudo, and whatever its .bashrc says first."""
    for node in NODES:
        operator.lab.on(node, "mkdir -p /root/.ssh; cp ~ops/.ssh/authorized_keys /root/.ssh/; mv /usr/bin/sudo /root/")
        operator.lab.on(node, "cp -p /root/.bashrc /root/kept; echo 'echo Welcome, root' > /root/.bashrc")
    try:
        operator.lab.edit('user = "ops"', 'user = "root"')
        operator.plan()
    finally:
        for node in NODES:
            operator.lab.on(node, "mv /root/sudo /usr/bin/; mv /root/kept /root/.bashrc; rm -r /root/.ssh")


def test_odd_shells_and_locales(with_password: Operator) -> None:
    """A login shell that speaks no POSIX and is noisy, messages in another language, and a password for sudo."""
    operator = with_password
    for node in NODES:
        encoded = ODD_SHELL.encode().hex()
        operator.lab.on(
            node, f'perl -e \'print pack("H*", "{encoded}")\' > /usr/local/bin/odd; chmod 755 /usr/local/bin/odd'
        )
        operator.lab.on(node, "usermod -s /usr/local/bin/odd ops; echo LANG=ja_JP.eucJP > /etc/default/locale")
    try:
        operator.plan(LBDEPLOY_SUDO_PASSWORD="s3cret")
    finally:
        for node in NODES:
            operator.lab.on(node, "usermod -s /bin/bash ops; rm /etc/default/locale /usr/local/bin/odd")
