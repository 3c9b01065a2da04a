"""Which keys prove a host: what is decided without a connection."""

from __future__ import annotations

import socket
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from sshkeys import CA, CERT, HOST, NODE, judge, plain, public, target

from lbdeploy.config.credentials import Answers
from lbdeploy.errors import ConnectError
from lbdeploy.ssh.config import Known
from lbdeploy.ssh.known_hosts import fingerprint
from lbdeploy.ssh.transport.host_keys import KnownHosts, Verified, algorithms


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


def test_a_stated_key_replaces_the_old_one_for_all_names_of_the_node(tmp_path: Path) -> None:
    """Where another name or address of the same node in hosts.toml had the old key; everybody else's lines stay."""
    file, old, new = tmp_path / "known_hosts", public(CA), public(HOST)
    rest = f"10.0.0.3 ssh-ed25519 {old}\n10.0.1.1 ssh-ed25519 AAAA\n"
    file.write_text(f"lb1,10.0.0.1,10.0.0.3 ssh-ed25519 {old}\n10.0.1.1 ssh-ed25519 AAAA\n")
    hop = target((Known("", "ssh-ed25519", old),), known_hosts_files=(file,), remember_in=file)
    node = replace(NODE, addresses={"a": ip_address("10.0.0.1"), "b": ip_address("10.0.1.1")})
    KnownHosts(node, hop, Answers(), fingerprint(new)).missing_host_key(None, "", plain(HOST))
    assert file.read_text() == f"{rest}lb1 ssh-ed25519 {new}\n10.0.0.1 ssh-ed25519 {new}\n"


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
