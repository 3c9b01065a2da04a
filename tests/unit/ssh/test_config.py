"""How hosts are resolved, and which of their keys are known: asked of the real ssh and ssh-keygen, on files here."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from lbdeploy.config.model import Ssh
from lbdeploy.errors import ConnectError
from lbdeploy.ssh.config import Known, LocalEndpoint, Resolving, Target
from lbdeploy.ssh.manual_commands import ByHand

pytestmark = pytest.mark.skipif(not shutil.which("ssh"), reason="needs OpenSSH's client")

# Keys as ssh-keygen makes them; nobody has their private halves any more.
ED25519 = "AAAAC3NzaC1lZDI1NTE5AAAAIDnlXl8ZJcYHzfcRKLj8mW5Kqy7nPGpqrKZ1Mg1BvYvB"
OTHER = "AAAAC3NzaC1lZDI1NTE5AAAAIFw1gLq0yEBCsCzQYj2wTRyc1GZ7LxYnCwhNXQEhb1Dn"
ECDSA = (
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRg"
    "g6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg="
)


class Home:
    """An operator's ~/.ssh in a folder here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known_hosts = folder / "known_hosts"
        self.config("")

    def config(self, text: str) -> None:
        """The operator's config; by default it knows no hosts but those of this folder."""
        tail = f"\nHost *\n    UserKnownHostsFile {self.known_hosts}\n    GlobalKnownHostsFile none\n"
        (self.folder / "config").write_text(text + tail)

    def knows(self, *lines: str) -> None:
        self.known_hosts.write_text("".join(line + "\n" for line in lines))

    def resolve(self, host: str, ssh: Ssh | None = None) -> Target:
        given = ssh or Ssh()
        return Resolving(
            Ssh(
                given.user,
                given.port,
                given.identity_file,
                given.known_hosts_file,
                given.jump,
                given.connect_timeout,
                self.folder / "config",
            ),
            host,
        ).result()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def keys(target: Target) -> list[tuple[str, str]]:
    return [(known.marker, known.key) for known in target.known]


def test_a_host_without_any_configuration_is_itself(home: Home) -> None:
    """An address that no configuration speaks of is reached as it is, on port 22, as the one who calls."""
    target = home.resolve("192.168.1.11")
    user = subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()
    assert (target.host, target.port, target.user, target.jumps) == ("192.168.1.11", 22, user, ())
    assert target.known == ()


def test_the_operators_own_configuration_is_followed(home: Home) -> None:
    """Included files, Match blocks and patterns count, as they do for ssh itself."""
    (home.folder / "more").write_text("Host lb*\n    HostName %h.example.org\n    User ops\n")
    home.config(
        f"Include {home.folder}/more\nMatch host lb1.example.org\n    Port 2222\n"
        f'Match originalhost lb1 exec "true"\n    IdentityFile {home.folder}/key\n'
    )
    (home.folder / "key").write_text("")
    target = home.resolve("lb1")
    assert (target.host, target.port, target.user) == ("lb1.example.org", 2222, "ops")
    assert target.identity_files == (home.folder / "key",)
    assert home.resolve("other").port == 22


def test_what_hosts_toml_says_comes_first(home: Home) -> None:
    """User, port and key of hosts.toml take the place of those of the operator's configuration."""
    home.config("Host *\n    User nobody\n    Port 1\n")
    (home.folder / "id").write_text("")
    target = home.resolve("lb1", Ssh(user="ops", port=2222, identity_file=home.folder / "id"))
    assert (target.user, target.port) == ("ops", 2222)
    assert target.identity_files[0] == home.folder / "id"


@pytest.mark.parametrize("name", ["plain", "with space", "it's", "a=b", "100%", 'say "hi"', "back\\slash", "$HOME"])
def test_files_may_have_any_name(home: Home, name: str) -> None:
    """A key or a known_hosts file whose name has a space, a quote or a sign in it is found."""
    folder = home.folder / name
    folder.mkdir()
    (folder / "id").write_text("")
    (folder / "known").write_text(f"lb1 ssh-ed25519 {ED25519}\n")
    target = home.resolve("lb1", Ssh(identity_file=folder / "id", known_hosts_file=folder / "known"))
    assert target.identity_files[0] == folder / "id"
    assert target.known_hosts_files[0] == folder / "known"
    assert keys(target) == [("", ED25519)]


def test_the_systems_known_hosts_count_beside_the_ones_of_hosts_toml(home: Home) -> None:
    """A known_hosts file of hosts.toml takes the place of the operator's own, not of the system's."""
    for name, key in (("system", ED25519), ("mine", OTHER)):
        (home.folder / name).write_text(f"lb1 ssh-ed25519 {key}\n")
    home.knows(f"lb1 ecdsa-sha2-nistp256 {ECDSA}")
    home.config(f"Host *\n    GlobalKnownHostsFile {home.folder}/system\n")
    assert keys(home.resolve("lb1", Ssh(known_hosts_file=home.folder / "mine"))) == [("", OTHER), ("", ED25519)]
    assert keys(home.resolve("lb1")) == [("", ECDSA), ("", ED25519)]


def test_files_that_are_not_there_are_left_out(home: Home) -> None:
    """ssh names the places where it would look; only what lies there counts."""
    target = home.resolve("lb1", Ssh(identity_file=home.folder / "none", known_hosts_file=home.folder / "none"))
    assert home.folder / "none" not in target.identity_files
    assert target.known_hosts_files == ()


def test_every_key_of_a_host_is_known(home: Home) -> None:
    """A host may have several keys, in several files."""
    home.knows(
        f"lb1,192.168.1.11 ssh-ed25519 {ED25519} comment",
        f"lb1 ecdsa-sha2-nistp256 {ECDSA}",
        f"lb2 ssh-ed25519 {OTHER}",
    )
    (home.folder / "second").write_text(f"lb1 ssh-ed25519 {OTHER}\n")
    home.config(f"Host lb1\n    UserKnownHostsFile {home.known_hosts} {home.folder}/second\n")
    assert home.resolve("lb1").known == (
        Known("", "ssh-ed25519", ED25519),
        Known("", "ecdsa-sha2-nistp256", ECDSA),
        Known("", "ssh-ed25519", OTHER),
    )
    assert keys(home.resolve("lb3")) == []


def test_hashed_names_are_recognised(home: Home) -> None:
    """A known_hosts file with hashed names, as Debian writes it, tells the keys all the same."""
    home.knows(f"192.168.1.11 ssh-ed25519 {ED25519}", f"192.168.1.12 ssh-ed25519 {OTHER}")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", home.known_hosts], check=True, capture_output=True)
    assert "192.168.1.11" not in home.known_hosts.read_text()
    assert keys(home.resolve("192.168.1.11")) == [("", ED25519)]


def test_patterns_are_recognised(home: Home) -> None:
    """Wildcards and exclusions in known_hosts count, as they do for ssh itself."""
    home.knows(f"*.example.org,!bad.example.org ssh-ed25519 {ED25519}")
    assert keys(home.resolve("lb1.example.org")) == [("", ED25519)]
    assert keys(home.resolve("bad.example.org")) == []
    assert keys(home.resolve("example.com")) == []


def test_markers_are_kept(home: Home) -> None:
    """A revoked key and a certificate authority are told from a plain key."""
    home.knows(
        f"@revoked * ssh-ed25519 {OTHER}",
        f"@cert-authority *.example.org ecdsa-sha2-nistp256 {ECDSA}",
        f"lb1.example.org ssh-ed25519 {ED25519}",
    )
    assert keys(home.resolve("lb1.example.org")) == [
        ("@revoked", OTHER),
        ("@cert-authority", ECDSA),
        ("", ED25519),
    ]


def test_a_host_on_another_port_is_known_by_name_and_port(home: Home) -> None:
    """known_hosts names a host on another port than 22 with the port; the bare name is another host."""
    home.knows(f"[lb1]:2222 ssh-ed25519 {ED25519}", f"lb1 ssh-ed25519 {OTHER}")
    target = home.resolve("lb1", Ssh(port=2222))
    assert (target.key_name, keys(target)) == ("[lb1]:2222", [("", ED25519)])
    assert keys(home.resolve("lb1")) == [("", OTHER)]


def test_a_host_key_alias_is_followed(home: Home) -> None:
    """Where the configuration gives a host another name for its key, that name is looked up."""
    home.config("Host lb1\n    HostKeyAlias the-balancer\n")
    home.knows(f"the-balancer ssh-ed25519 {ED25519}", f"lb1 ssh-ed25519 {OTHER}")
    assert keys(home.resolve("lb1")) == [("", ED25519)]


def test_an_ipv6_address_is_looked_up(home: Home) -> None:
    """An IPv6 address is known with and without a port."""
    home.knows(f"fd00::11 ssh-ed25519 {ED25519}", f"[fd00::11]:2222 ssh-ed25519 {OTHER}")
    assert keys(home.resolve("fd00::11")) == [("", ED25519)]
    assert keys(home.resolve("fd00::11", Ssh(port=2222))) == [("", OTHER)]


@pytest.mark.parametrize("line", ["lb1 ssh-ed25519", "lb1", "lb1 ssh-ed25519 no-base64!", "@revoked lb1"])
def test_a_damaged_line_proves_nothing(home: Home, line: str) -> None:
    """A line that is damaged is no key, and does not hide the others."""
    home.knows(line, f"lb1 ssh-ed25519 {ED25519}")
    assert keys(home.resolve("lb1")) == [("", ED25519)]


def hops(target: Target) -> list[tuple[str, str, int]]:
    return [(hop.user, hop.host, hop.port) for hop in target.jumps]


@pytest.mark.parametrize(
    ("jump", "expected"),
    [
        ("ops@bastion:2222", [("ops", "bastion", 2222)]),
        ("bastion", [("me", "bastion", 22)]),
        ("a@one,b@two:23", [("a", "one", 22), ("b", "two", 23)]),
        ("ops@[fd00::1]:2222", [("ops", "fd00::1", 2222)]),
        ("ssh://ops@bastion:24", [("ops", "bastion", 24)]),
    ],
)
@pytest.mark.parametrize("place", ["hosts.toml", "config"])
def test_jump_hosts_are_resolved_one_by_one(
    home: Home, place: str, jump: str, expected: list[tuple[str, str, int]]
) -> None:
    """A jump host, whether hosts.toml or the operator names it, has its own user and port, and is resolved itself."""
    own = f"Host lb1\n    ProxyJump {jump}\n" if place == "config" else ""
    home.config(own + "Host *\n    User me\n")
    assert hops(home.resolve("lb1", Ssh(jump=jump if place == "hosts.toml" else None))) == expected


def test_a_jump_host_has_its_own_configuration_and_key(home: Home) -> None:
    """A jump host's address, user and known key come from the operator's configuration."""
    home.config("Host bastion\n    HostName 203.0.113.1\n    User gate\n    Port 2200\n")
    home.knows(f"[203.0.113.1]:2200 ssh-ed25519 {ED25519}")
    target = home.resolve("lb1", Ssh(user="ops", port=22, jump="bastion"))
    assert hops(target) == [("gate", "203.0.113.1", 2200)]
    assert keys(target.jumps[0]) == [("", ED25519)]
    assert target.user == "ops"


def test_no_jump_is_no_jump(home: Home) -> None:
    """`ProxyJump none` in the configuration means a direct connection."""
    home.config("Host lb1\n    ProxyJump none\nHost * !bastion\n    ProxyJump bastion\n")
    assert hops(home.resolve("lb1")) == []
    assert [hop.host for hop in home.resolve("lb2").jumps] == ["bastion"]


def test_a_jump_host_may_have_one_of_its_own(home: Home) -> None:
    """The first jump host's own jump hosts come before it, as with ssh itself; those of later ones do not count."""
    home.config("Host inner\n    ProxyJump outer\nHost late\n    ProxyJump never\n")
    assert [hop.host for hop in home.resolve("lb1", Ssh(jump="inner,late")).jumps] == ["outer", "inner", "late"]
    assert all(hop.jumps == () for hop in home.resolve("lb1", Ssh(jump="inner")).jumps)


def test_jump_hosts_that_lead_to_each_other_are_told(home: Home) -> None:
    """A way that never ends is an error, not a run that never ends."""
    home.config("Host one\n    ProxyJump two\nHost two\n    ProxyJump one\n")
    with pytest.raises(ConnectError, match="reached through itself"):
        home.resolve("lb1", Ssh(jump="one"))


@pytest.mark.parametrize("name", ["key-%h", "key-%r-%p", "%%key", '"a key"'])
def test_a_keys_name_may_depend_on_the_host(home: Home, name: str) -> None:
    """The tokens that ssh replaces in a key's name are replaced, and quotes around it are none of it."""
    names = {"key-%h": "key-lb1.example.org", "key-%r-%p": "key-ops-2222", "%%key": "%key", '"a key"': "a key"}
    (home.folder / names[name]).write_text("")
    path = f'"{home.folder}/{name[1:]}' if name.startswith('"') else f"{home.folder}/{name}"
    home.config(f"Host lb1\n    HostName lb1.example.org\n    User ops\n    Port 2222\n    IdentityFile {path}\n")
    assert home.resolve("lb1").identity_files == (home.folder / names[name],)


def test_a_key_may_lie_in_the_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ~ of a key's name is the operator's home."""
    monkeypatch.setenv("HOME", str(home.folder))
    (home.folder / "id_lab").write_text("")
    home.config("Host lb1\n    IdentityFile ~/id_lab\n")
    assert home.resolve("lb1").identity_files == (home.folder / "id_lab",)


def test_a_keys_name_may_have_variables_of_the_environment(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ssh -G` leaves them as they are (ssh_config(5)); one that is not set names no key."""
    monkeypatch.setenv("KEYS", str(home.folder))
    (home.folder / "id_lab").write_text("")
    home.config("Host lb1\n    IdentityFile ${KEYS}/id_lab\n    IdentityFile ${NONE_SUCH}/id_lab\n")
    assert home.resolve("lb1").identity_files == (home.folder / "id_lab",)


def test_known_hosts_files_with_spaces_in_their_names_are_told_apart(home: Home) -> None:
    """Several files of which one has a space in its name are all read."""
    (home.folder / "a b").write_text(f"lb1 ssh-ed25519 {ED25519}\n")
    (home.folder / "c").write_text(f"lb1 ssh-ed25519 {OTHER}\n")
    home.config(f'Host lb1\n    UserKnownHostsFile "{home.folder}/a b" {home.folder}/none {home.folder}/c\n')
    assert keys(home.resolve("lb1")) == [("", ED25519), ("", OTHER)]


def test_the_agent_is_the_one_that_ssh_would_ask(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's, or none, or the one of a socket or a variable that IdentityAgent names."""
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    monkeypatch.setenv("MY_AGENT", "/run/mine")
    home.config(
        "Host lb1\n    IdentityAgent none\nHost lb2\n    IdentityAgent /run/%h\nHost lb3\n    IdentityAgent $MY_AGENT\n"
    )
    agents = [home.resolve(host).agent for host in ("lb1", "lb2", "lb3", "lb4")]
    assert agents == [None, Path("/run/lb2"), Path("/run/mine"), Path("/run/agent")]
    monkeypatch.delenv("SSH_AUTH_SOCK")
    assert home.resolve("lb4").agent is None


def test_certificates_are_found(home: Home) -> None:
    """Those of CertificateFile, where they are there; IdentitiesOnly is followed, and the public half is a key, too."""
    for name in ("a-cert.pub", "ops.pub"):
        (home.folder / name).write_text("")
    home.config(
        f"Host lb1\n    CertificateFile {home.folder}/a-cert.pub\n    CertificateFile {home.folder}/none-cert.pub\n"
        f"    IdentityFile {home.folder}/%r\n    User ops\n    IdentitiesOnly yes\n"
    )
    target = home.resolve("lb1")
    assert target.certificates == (home.folder / "a-cert.pub",)
    assert target.identity_files == (home.folder / "ops",)
    assert (target.identities_only, home.resolve("lb2").identities_only) == (True, False)


@pytest.mark.parametrize(
    ("told", "becomes"),
    [("ask", "ask"), ("yes", "refuse"), ("accept-new", "accept"), ("no", "accept"), ("off", "accept")],
)
def test_what_becomes_of_new_host_keys(home: Home, told: str, becomes: str) -> None:
    """StrictHostKeyChecking and HashKnownHosts are followed, and the first of the operator's files is written to."""
    home.config(
        f"Host lb1\n    StrictHostKeyChecking {told}\n    HashKnownHosts yes\n"
        f"    UserKnownHostsFile {home.folder}/new {home.known_hosts}\nHost lb2\n    UserKnownHostsFile /dev/null\n"
    )
    target = home.resolve("lb1")
    assert (target.new_keys, target.hash_names, target.remember_in) == (becomes, True, home.folder / "new")
    other = home.resolve("lb2")
    assert (other.new_keys, other.hash_names, other.remember_in) == ("ask", False, None)


@pytest.mark.parametrize(("own", "config", "seconds"), [(None, "", 10), (None, "7", 7), (3.0, "7", 3), (None, "0", 10)])
def test_the_time_for_connecting(home: Home, own: float | None, config: str, seconds: float) -> None:
    """hosts.toml comes first, then ConnectTimeout."""
    home.config(f"Host *\n    ConnectTimeout {config}\n" if config else "")
    assert home.resolve("lb1", Ssh(connect_timeout=own, jump="gate")).connect_timeout == seconds
    assert home.resolve("lb1", Ssh(connect_timeout=own, jump="gate")).jumps[0].connect_timeout == seconds


def test_a_proxy_command_is_followed(home: Home) -> None:
    """With its tokens replaced; a jump host takes its place, and may have one itself."""
    home.config(
        "Host gate\n    ProxyCommand corkscrew proxy 80 %h %p\n"
        "Host lb1\n    HostName 192.0.2.1\n    User ops\n    ProxyCommand nc -X %r %n '%h' %%%p\n"
        "Host lb2\n    ProxyCommand none\n"
    )
    assert home.resolve("lb1").proxy_command == "nc -X ops lb1 '192.0.2.1' %22"
    assert home.resolve("lb2").proxy_command is None
    through = home.resolve("lb1", Ssh(jump="gate,gate"))
    assert through.proxy_command is None
    assert [hop.proxy_command for hop in through.jumps] == ["corkscrew proxy 80 gate 22", None]


@pytest.mark.parametrize(
    ("ssh", "login"),
    [
        (Ssh(), "ssh lb1 true"),
        (Ssh(user="ops", port=2222, jump="a@one,two"), "ssh -p 2222 -J a@one,two ops@lb1 true"),
        (
            Ssh(identity_file=Path("/a b/id"), known_hosts_file=Path("/100% h")),
            """ssh -o 'UserKnownHostsFile="/100%% h"' -i '/a b/id' lb1 true""",
        ),
        (
            Ssh(user="ops", identity_file=Path("/lab/id"), config_file=Path("/lab/ssh_config")),
            "lbdeploy lab exec operator ssh -F /lab/ssh_config ops@lb1 true",
        ),
    ],
)
def test_a_login_by_hand_has_what_hosts_toml_says(ssh: Ssh, login: str) -> None:
    """By the way, with the key and the known_hosts file of hosts.toml; in the lab, from its operator's network."""
    assert ByHand(ssh, "lb1").login() == login
    copy = ByHand(ssh, "lb1").copy_key()
    assert copy.startswith("lbdeploy lab exec operator ssh-copy-id " if ssh.config_file else "ssh-copy-id ")
    assert ("-o ProxyJump=a@one,two" in copy) == bool(ssh.jump)


def test_a_login_by_hand_resolves_to_the_same(home: Home) -> None:
    """`ssh -G` with the command's options says what lbdeploy goes by."""
    folder = home.folder / "it's mine"
    folder.mkdir()
    (folder / "id").write_text("")
    own = Ssh(user="ops", port=2222, identity_file=folder / "id", known_hosts_file=folder / "known", jump="gate")
    argv = shlex.split(ByHand(own, "lb1").login())
    out = subprocess.run([argv[0], "-F", "none", "-G", *argv[1:-1]], check=True, capture_output=True, text=True).stdout
    said = out.splitlines()
    assert {"user ops", "port 2222", "proxyjump gate", f"userknownhostsfile {folder}/known"} <= set(said)
    assert f"identityfile {folder}/id" in said


def test_each_hop_is_reached_by_hand_through_those_before_it(home: Home) -> None:
    """The name that the configuration knows it by, not the address that it has."""
    home.config("Host two\n    HostName 192.0.2.2\n")
    target = home.resolve("lb1", Ssh(jump="ops@one,two"))
    logins = [hop.by_hand.login().replace(f"lbdeploy lab exec operator ssh -F {home.folder}/config", "ssh")
              for hop in (*target.jumps, target)]  # fmt: skip
    assert logins == ["ssh ops@one true", "ssh -J ops@one two true", "ssh -J ops@one,two lb1 true"]


def test_where_a_connection_comes_from(home: Home) -> None:
    """AddressFamily, BindAddress and BindInterface are followed, and files of RevokedHostKeys are found."""
    home.config(
        f"Host lb1\n    AddressFamily inet6\n    BindAddress ::1\n    BindInterface lo\n"
        f"    RevokedHostKeys {home.folder}/gone\nHost lb2\n    RevokedHostKeys none\n"
    )
    target = home.resolve("lb1")
    assert target.source == LocalEndpoint("inet6", "::1", "lo")
    assert target.revoked_in == (home.folder / "gone",)
    assert home.resolve("lb2").source == LocalEndpoint("any")
    assert home.resolve("lb2").revoked_in == ()


def test_a_key_of_hosts_toml_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Not one of which the public half is there: the agent may have it."""
    key = tmp_path / "id"
    assert Resolving(Ssh(identity_file=key), "lb1").result().missing == (key,)
    key.with_name("id.pub").touch()
    assert Resolving(Ssh(identity_file=key), "lb1").result().missing == ()


def test_other_programs_are_not_told_the_password(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a Match block runs does not have it in its environment."""
    monkeypatch.setenv("LBDEPLOY_SUDO_PASSWORD", "s3cret")
    home.config(f'Match exec "env > {home.folder}/seen"\n    Port 2222\n')
    assert home.resolve("lb1").port == 2222
    assert "s3cret" not in (home.folder / "seen").read_text()


def test_a_broken_configuration_is_told(home: Home) -> None:
    """What ssh says against the configuration reaches the operator."""
    home.config("Host *\n    Prot 22\n")
    with pytest.raises(ConnectError) as caught:
        home.resolve("lb1")
    assert "prot" in caught.value.message.lower()
    assert caught.value.exit_code == 4


def test_a_machine_without_ssh_is_told_how_to_get_it(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without OpenSSH's client there is no way to know hosts, and the error says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConnectError) as caught:
        home.resolve("lb1")
    assert "there is no ssh here" in caught.value.message
    assert "openssh-client" in (caught.value.fix or "")


def test_asking_contacts_nothing(home: Home) -> None:
    """A host that does not exist is resolved at once: neither names nor hosts are asked for anything."""
    target = home.resolve("no-such-host.invalid")
    assert target.host == "no-such-host.invalid"
    assert os.path.lexists(home.folder / "config")
