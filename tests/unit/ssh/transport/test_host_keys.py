"""Which keys prove a host, which keys log in, and how a login becomes root: what is decided without a connection."""

from __future__ import annotations

import socket
import subprocess
import sys
from base64 import b64decode, b64encode
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    SSHCertificateBuilder,
    SSHCertificateType,
)
from paramiko import Ed25519Key
from paramiko.pkey import PublicBlob

from lbdeploy.config.credentials import Answers
from lbdeploy.config.model import Node, Ssh
from lbdeploy.errors import ConnectError, HostKeyError, LoginError, SudoError
from lbdeploy.ssh.config import Known, LocalEndpoint, Target
from lbdeploy.ssh.connect import dial
from lbdeploy.ssh.known_hosts import fingerprint
from lbdeploy.ssh.manual_commands import ByHand
from lbdeploy.ssh.transport.certificates import authority, complaint, subject
from lbdeploy.ssh.transport.host_keys import KnownHosts, Verified, algorithms
from lbdeploy.ssh.transport.identities import Identities, LockedKeyError, identities, unlock
from lbdeploy.ssh.transport.login import Keys
from lbdeploy.ssh.transport.revocation import revoked
from lbdeploy.ssh.transport.session import CommandResult
from lbdeploy.ssh.transport.sudo import Root, masked

NODE = Node("lb1", 100, "lb1", {}, {})
CA, HOST = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
CERT = "ssh-ed25519-cert-v01@openssh.com"


def target(known: tuple[Known, ...] = (), **other: object) -> Target:
    made = Target(
        "lb1", 22, "ops", (), (), False, None, "lb1", known, (), "ask", None, False, (), (), 10.0, ByHand(Ssh(), "lb1")
    )  # fmt: skip
    return replace(made, **other)  # type: ignore[arg-type]


def public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1].decode()


def plain(key: Ed25519PrivateKey) -> Ed25519Key:
    return Ed25519Key(data=b64decode(public(key)))


def certificate(
    *names: bytes, kind: SSHCertificateType = SSHCertificateType.HOST, option: bytes | None = None
) -> PublicBlob:
    """Of HOST, by CA, valid from 1000 to 2000."""
    builder = SSHCertificateBuilder().public_key(HOST.public_key()).serial(1).type(kind).key_id(b"lb1")
    builder = builder.valid_principals(list(names)) if names else builder.valid_for_all_principals()
    builder = builder.valid_after(1000).valid_before(2000)
    builder = builder.add_critical_option(option, b"") if option else builder
    return PublicBlob.from_string(builder.sign(CA).public_bytes().decode())


@pytest.mark.parametrize("names", [(), (b"lb1",), (b"other", b"lb1")])
def test_a_certificate_proves_a_host(names: tuple[bytes, ...]) -> None:
    """For one of its names, or for all where it has none, within its time."""
    blob = certificate(*names)
    assert complaint(blob, "LB1", ("ssh-ed25519",), 1000) is None
    assert complaint(blob, "lb1", (), 1999.9) is None
    assert (authority(blob), subject(blob)) == (public(CA), b64decode(public(HOST)))


@pytest.mark.parametrize(
    ("blob", "at", "signed_with", "says"),
    [
        (certificate(b"lb1"), 999, (), "not valid before 1970-01-01"),
        (certificate(b"lb1"), 2000, (), "expired on 1970-01-01"),
        (certificate(b"lb2", b"*"), 1500, (), r"is for lb2, \*"),
        (certificate(b"lb1", kind=SSHCertificateType.USER), 1500, (), "for users"),
        (certificate(b"lb1", option=b"force-command"), 1500, (), "critical options"),
        (certificate(b"lb1"), 1500, ("rsa-sha2-512",), "signed with ssh-ed25519"),
    ],
)
def test_a_certificate_that_does_not_suit_is_no_proof(
    blob: PublicBlob, at: float, signed_with: tuple[str, ...], says: str
) -> None:
    """And what is wrong with it is said."""
    with pytest.raises(AssertionError, match=says):
        assert complaint(blob, "lb1", signed_with, at) is None


def test_a_certificate_with_a_changed_byte_is_no_proof() -> None:
    """Wherever it was changed."""
    blob = certificate(b"lb1")
    for place in range(len(blob.key_blob)):
        raw = bytearray(blob.key_blob)
        raw[place] ^= 1
        assert complaint(PublicBlob(blob.key_type, bytes(raw)), "lb1", (), 1500), place


def test_a_host_is_asked_for_what_can_be_proven() -> None:
    """Certificates where an authority is known, then the types of keys that are known, then others."""
    assert algorithms(target())[0] == "ssh-ed25519"
    assert not any("cert" in name for name in algorithms(target()))
    rsa = algorithms(target((Known("", "ssh-rsa", "k"),)))
    assert rsa[:3] == ("rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519")
    certified = algorithms(target((Known("@cert-authority", "ssh-rsa", "k"), Known("", "ssh-rsa", "k"))))
    assert certified[0] == CERT
    assert certified[6:8] == ("rsa-sha2-512", "rsa-sha2-256")
    some = ("sk-ssh-ed25519@openssh.com", "rsa-sha2-256", CERT, "ssh-ed25519")
    assert algorithms(target(host_key_algorithms=some)) == ("rsa-sha2-256", "ssh-ed25519")


def judge(hop: Target, key: Ed25519Key, answers: Answers | None = None) -> HostKeyError | None:
    try:
        KnownHosts(NODE, hop, answers or Answers()).missing_host_key(None, "", key)
    except HostKeyError as error:
        return error
    return None


def test_a_key_is_known_changed_revoked_or_new() -> None:
    """A known one passes; the error of another shows both; a revoked one never passes; a new one may be asked about."""
    known, ca = Known("", "ssh-ed25519", public(HOST)), Known("@cert-authority", "ssh-ed25519", public(CA))
    assert judge(target((known,)), plain(HOST)) is None
    changed = judge(target((known,)), plain(CA))
    assert changed
    assert changed.new is None
    assert fingerprint(public(HOST)) in changed.message
    assert fingerprint(public(CA)) in changed.message
    revoked = judge(target((known, replace(known, marker="@revoked"))), plain(HOST))
    assert revoked
    assert "revoked" in revoked.message
    for hop in (target(), target((ca,)), target(new_keys="refuse")):
        new = judge(hop, plain(HOST))
        assert new
        assert "unknown" in new.message
        assert bool(new.new) == (hop.new_keys == "ask")
    changed = judge(target((known,), new_keys="accept"), plain(CA), Answers(accept_new=True))
    assert changed
    assert "has changed" in changed.message


def test_a_new_key_may_be_accepted(tmp_path: Path) -> None:
    """It is written down, and holds for this run; where it can't be written, that is said."""
    file, answers = tmp_path / "known_hosts", Answers(accept_new=True)
    assert judge(target(remember_in=file), plain(HOST), answers) is None
    assert file.read_text() == f"lb1 ssh-ed25519 {public(HOST)}\n"
    assert judge(target(), plain(HOST), answers) is None
    assert judge(target(new_keys="accept"), plain(CA)) is None
    refused = judge(target(remember_in=tmp_path), plain(CA), Answers(accept_new=True))
    assert refused
    assert "can't be written" in refused.message


def test_a_revoked_authority_is_no_authority() -> None:
    """What it has signed is refused, though the key itself is known."""
    key = plain(HOST)
    key.public_blob = certificate(b"lb1")
    ca = Known("@cert-authority", "ssh-ed25519", public(CA))
    expired = judge(target((ca,)), key)
    assert expired
    assert "its certificate has expired" in expired.message
    revoked = judge(target((ca, replace(ca, marker="@revoked"), Known("", "ssh-ed25519", public(HOST)))), key)
    assert revoked
    assert "is revoked" in revoked.message
    assert judge(target((Known("", "ssh-ed25519", public(HOST)),)), key) is None
    key.public_blob = PublicBlob(CERT, b"nonsense")
    damaged = judge(target((Known("", "ssh-ed25519", public(HOST)),)), key)
    assert damaged
    assert "can't be read" in damaged.message


def public_file(folder: Path, name: str, key: Ed25519Key) -> Path:
    blob = key.public_blob
    kind, data = (blob.key_type, blob.key_blob) if blob else (key.get_name(), key.asbytes())
    (folder / name).write_text(f"{kind} {b64encode(data).decode()}\n")
    return folder / name


@pytest.mark.parametrize("form", ["text", "krl"])
def test_revoked_host_keys_are_refused(tmp_path: Path, form: str) -> None:
    """A key that is known, and one that an authority has signed whose key is in the file; others pass."""
    certified = plain(HOST)
    certified.public_blob = certificate(b"lb1")
    known = (Known("", "ssh-ed25519", public(HOST)), Known("", "ssh-ed25519", public(CA)))

    def refused(key: Ed25519Key, gone: Ed25519Key) -> bool:
        file = tmp_path / "gone"
        source = public_file(tmp_path, "gone.pub", gone)
        if form == "krl":
            subprocess.run(["ssh-keygen", "-q", "-k", "-f", file, source], check=True)
        else:
            file.write_text(f"# no more\n\n{source.read_text()}")
        error = judge(target(known, revoked_in=(file,)), key)
        assert not error or f"is revoked by {file}" in error.message
        return bool(error)

    assert refused(plain(HOST), plain(HOST))
    assert not refused(plain(HOST), plain(CA))
    assert refused(certified, plain(HOST))
    if form == "text":
        assert refused(certified, plain(CA))


@pytest.mark.parametrize("content", [None, b"ssh-ed25519\n", b"lb1 ssh-ed25519 AAAA\n", b"SSHKRL\n\0damaged"])
def test_a_file_of_revoked_keys_that_tells_nothing_is_against_every_key(tmp_path: Path, content: bytes | None) -> None:
    """As with ssh: what may stand in it is not known."""
    if content is not None:
        (tmp_path / "gone").write_bytes(content)
    why = revoked(tmp_path / "gone", plain(HOST))
    assert why
    assert "can't be checked" in why


def test_a_connection_comes_from_where_it_is_told_to() -> None:
    """BindAddress, BindInterface and AddressFamily; what has no such address is told."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        hop = target(port=server.getsockname()[1], host="localhost", source=LocalEndpoint("inet", "127.0.0.2", "lo"))
        with dial(NODE, hop):
            connection, peer = server.accept()
            connection.close()
            assert peer[0] == "127.0.0.2"
        for source in (LocalEndpoint("inet6"), LocalEndpoint(address="192.0.2.77"), LocalEndpoint(interface="no-such")):
            with pytest.raises(ConnectError, match="can't be reached"):
                dial(NODE, replace(hop, source=source))


def test_what_is_offered_is_what_ssh_config_allows() -> None:
    """In its order, under either name of a method; what lbdeploy does not have is passed over."""
    hop = target(
        ciphers=("chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr"),
        macs=("hmac-sha2-512-etm@openssh.com",),
        key_exchanges=("sntrup761x25519-sha512", "curve25519-sha256", "curve25519-sha256@libssh.org"),
        public_keys=("ssh-ed25519", "rsa-sha2-256"),
    )
    here, there = socket.socketpair()
    with here, there:
        offered = Verified(here, hop=hop).get_security_options()
        assert offered.ciphers == ("aes256-gcm@openssh.com", "aes128-ctr")
        assert offered.digests == ("hmac-sha2-512-etm@openssh.com",)
        assert offered.kex == ("curve25519-sha256@libssh.org",)
        assert "aes128-ctr" in Verified(here, hop=target()).get_security_options().ciphers
        assert Verified(here, hop=hop).preferred_pubkeys[-1] == "rsa-sha2-256"
        assert "rsa-sha2-512" not in Verified(here, hop=hop).preferred_pubkeys
        with pytest.raises(ConnectError, match="Ciphers for lb1 in ssh_config lists nothing that lbdeploy can do: x"):
            Verified(here, hop=target(ciphers=("x",)))


def test_keys_that_are_not_accepted_are_not_tried(tmp_path: Path) -> None:
    """Nor their certificates, where those are not; the error names what was left out."""
    (tmp_path / "key").write_bytes(HOST.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    (tmp_path / "key-cert.pub").write_text(certificate_line())
    hop = target(identity_files=(tmp_path / "key",))
    found = {
        allowed: [bool(key.public_blob) for _, key in identities(replace(hop, public_keys=allowed), Answers()).keys]
        for allowed in ((), ("ssh-ed25519",), (CERT,), ("rsa-sha2-512",))
    }
    assert list(found.values()) == [[True, False], [False], [True], []]
    nothing = identities(replace(hop, public_keys=("rsa-sha2-512",)), Answers())
    error = Keys(NODE, hop, Answers())._error(nothing, "there is no key to log in with")
    assert f"PubkeyAcceptedAlgorithms does not list that of {tmp_path}/key" in error.state


def test_a_missing_key_is_told_where_a_login_fails(tmp_path: Path) -> None:
    """With its path: it is likely the reason."""
    hop = target(missing=(tmp_path / "id",))
    error = Keys(NODE, hop, Answers())._error(Identities(), "there is no key to log in with")
    assert f"{tmp_path}/id, which hosts.toml names, is not there" in error.state
    assert error.fix == "ssh-copy-id lb1"


def write_key(path: Path, form: PrivateFormat, passphrase: str | None, *, ecdsa: bool = False) -> bytes:
    key = generate_private_key(SECP256R1()) if ecdsa else Ed25519PrivateKey.generate()
    cipher = NoEncryption() if not passphrase else BestAvailableEncryption(passphrase.encode())
    if passphrase and form == PrivateFormat.OpenSSH:
        cipher = form.encryption_builder().kdf_rounds(1).build(passphrase.encode())
    path.write_bytes(key.private_bytes(Encoding.PEM, form, cipher))
    text = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return b64decode(text.split()[1])


@pytest.mark.parametrize("form", [PrivateFormat.OpenSSH, PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("passphrase", [None, "sésame"])
def test_keys_in_every_format_are_unlocked(tmp_path: Path, form: PrivateFormat, passphrase: str | None) -> None:
    """With their passphrase; without it, or with another, they are locked."""
    blob = write_key(tmp_path / "key", form, passphrase, ecdsa=True)
    assert unlock(tmp_path / "key", passphrase).asbytes() == blob
    for wrong in (None, "wrong") if passphrase else ():
        with pytest.raises(LockedKeyError):
            unlock(tmp_path / "key", wrong)


def test_keys_are_tried_in_the_order_of_the_configuration(tmp_path: Path) -> None:
    """Each with its certificate first. What is locked, damaged or not there does not stop the others."""
    paths = [tmp_path / name for name in ("first", "locked", "damaged", "gone", "signed")]
    write_key(paths[0], PrivateFormat.OpenSSH, None)
    write_key(paths[1], PrivateFormat.OpenSSH, "secret")
    paths[2].write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nno key\n")
    paths[4].write_bytes(HOST.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    (tmp_path / "signed-cert.pub").write_text(certificate_line())
    hop = target(identity_files=tuple(paths), certificates=(tmp_path / "nothing-cert.pub",))
    found = identities(hop, Answers())
    assert [(Path(name).name, bool(key.public_blob)) for name, key in found.keys] == [
        ("first", False), ("signed", True), ("signed", False),
    ]  # fmt: skip
    assert found.locked == [paths[1]]
    opened = identities(hop, Answers(unlocked={paths[1]: unlock(paths[1], "secret")}))
    assert [Path(name).name for name, _ in opened.keys] == ["first", "locked", "signed", "signed"]
    assert opened.locked == []


def certificate_line() -> str:
    blob = certificate(b"ops", kind=SSHCertificateType.USER)
    return f"{blob.key_type} {b64encode(blob.key_blob).decode()} me\n"


WANTS = CommandResult("Welcome\nsudo: a password is required\n", 1)


def test_sudo_is_tried_without_a_password_then_with_it() -> None:
    """Once it has taken it, it gets it at once, on every connection; its output never holds the prompt."""
    answers = Answers(sudo_password="s3cret")
    root = Root(NODE, "ops", answers)
    assert root.way == ("env LC_ALL=C sudo -n -- sh -s", "")
    command, line = root.proof(WANTS)
    assert (command.startswith("env LC_ALL=C sudo -k -S -p "), line) == (True, "s3cret\n")
    root.proven(CommandResult("", 0))
    command, told = Root(NODE, "ops", answers).way
    assert command.startswith("env LC_ALL=C sudo -k -S -p ")
    assert told.startswith("s3cret\n")
    assert Root(NODE, "root", answers).way == ("sh -s", "")


@pytest.mark.parametrize("nopasswd", [False, True])
def test_a_password_that_sudo_does_not_read_is_no_command(nopasswd: bool) -> None:
    """Where a rule with NOPASSWD has come meanwhile, it is passed over, and the script runs all the same."""
    answers = Answers(sudo_password="echo * $HOME\\")
    root = Root(NODE, "ops", answers)
    root.proven(CommandResult("", 0))
    command, told = root.way
    read_by_sudo = "" if nopasswd else told.partition("\n")[0] + "\n"
    said = told.removeprefix(read_by_sudo) + "echo begun"
    shell = command.partition(" -- ")[2]
    run = subprocess.run(["sh", "-c", shell], input=said, capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("begun\n", "")


def test_the_proof_of_a_password_runs_nothing() -> None:
    """Whether sudo reads it or not."""
    command, told = Root(NODE, "ops", Answers(sudo_password="echo s3cret")).proof(WANTS)
    shell = command.partition(" -- ")[2]
    run = subprocess.run(["sh", "-c", shell], input=told, capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("", "")


def test_a_password_is_in_no_output() -> None:
    """As a shell would repeat it that took it for a command."""
    assert masked("sh: 1: s3cret: not found", "s3cret\n0123\n") == "sh: 1: (password): not found"
    assert masked("all is well", "") == "all is well"


def test_a_password_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also over other connections to the node; and it is in no error."""
    monkeypatch.setenv("LBDEPLOY_SUDO_PASSWORD", "wr0ng")
    answers = Answers()
    root = Root(NODE, "ops", answers)
    prompt = root.proof(WANTS)[0].split()[6]
    with pytest.raises(SudoError, match="refused the password; it said: Sorry, try again") as refused:
        root.proven(CommandResult(f"{prompt}Sorry, try again.\n{prompt}\n", 1))
    assert not refused.value.wants_password
    with pytest.raises(SudoError) as again:
        Root(NODE, "ops", answers).proof(WANTS)
    assert not again.value.wants_password
    assert "wr0ng" not in f"{refused.value.message}{refused.value.detail}{refused.value.fix}{answers}"


@pytest.mark.parametrize(
    ("user", "said", "error", "wants"),
    [
        ("ops", "sudo: a password is required", SudoError, True),
        ("ops", "sudo: sorry, you must have a tty to run sudo", SudoError, True),
        ("ops", "sudo: interactive authentication is required", SudoError, True),  # sudo-rs, of Ubuntu 26.04
        ("ops", "ops may not run sudo on lb1.", SudoError, False),
        ("ops", "env: 'sudo': No such file or directory", SudoError, False),
        ("root", "This account is currently not available.", LoginError, False),
    ],
)
def test_a_login_that_does_not_become_root_is_told(user: str, said: str, error: type[Exception], wants: bool) -> None:
    """In the node's own words; only where a password would help, somebody is asked for one."""
    with pytest.raises(error, match=said.replace(".", r"\.")) as caught:
        Root(NODE, user, Answers()).proof(CommandResult(f"noise\n{said}\n", 1))
    assert getattr(caught.value, "wants_password", False) == wants


def test_logging_in_imports_only_what_it_needs() -> None:
    """Fabric and paramiko bring yaml, asyncio and unittest along, which cost 60 ms, unless the command line says no."""
    program = (
        "import sys; from lbdeploy.common import startup; startup.lean = True; import lbdeploy.ssh.transport.session;"
        "print(*({'yaml', 'asyncio', 'unittest.case'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert out.strip() == ""
