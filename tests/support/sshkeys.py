"""Keys and certificates of hosts and users, and whoever judges them."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificateBuilder,
    SSHCertificateType,
)
from paramiko import Ed25519Key
from paramiko.pkey import PublicBlob

from lbdeploy.config.credentials import Answers
from lbdeploy.config.model import Node, Ssh
from lbdeploy.errors import HostKeyError
from lbdeploy.ssh.config import Known, Target
from lbdeploy.ssh.manual_commands import ByHand
from lbdeploy.ssh.transport.host_keys import KnownHosts

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


def judge(hop: Target, key: Ed25519Key, answers: Answers | None = None) -> HostKeyError | None:
    try:
        KnownHosts(NODE, hop, answers or Answers()).missing_host_key(None, "", key)
    except HostKeyError as error:
        return error
    return None


def certificate_line() -> str:
    blob = certificate(b"ops", kind=SSHCertificateType.USER)
    return f"{blob.key_type} {b64encode(blob.key_blob).decode()} me\n"
