"""Logging in by keys."""

from __future__ import annotations

import copy
import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from paramiko import PKey
from sshkeys import CERT, HOST, NODE, certificate_line, target

from lbdeploy.config.credentials import Answers
from lbdeploy.ssh.transport import login
from lbdeploy.ssh.transport.identities import Identities, identities
from lbdeploy.ssh.transport.login import Keys


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


@pytest.mark.parametrize(
    ("reason", "tried", "said", "locked"),
    [
        ("refused", False, "no key for ops on lb1 is without a passphrase, and {} has one", True),
        ("refused", True, "lb1 refused the login of ops: refused; {} has a passphrase, and was not tried", True),
        (
            "it requires more than a key: keyboard-interactive", True,
            "lb1 refused the login of ops: it requires more than a key: keyboard-interactive", False,
        ),
    ],
)  # fmt: skip
def test_a_key_with_a_passphrase_is_the_reason_only_where_no_other_was_refused(
    tmp_path: Path, reason: str, said: str, *, tried: bool, locked: bool
) -> None:
    """The host's own words are told, and nobody is asked for a passphrase that would not help."""
    found = Identities(keys=[("work (agent)", PKey())] if tried else [], locked=[tmp_path / "id_rsa"])
    error = Keys(NODE, target(), Answers())._error(found, reason)
    assert error.message == said.format(tmp_path / "id_rsa")
    assert (error.locked, error.fix.startswith("ssh-add")) == ((*found.locked,) if locked else (), locked)


def test_logging_in_imports_only_what_it_needs() -> None:
    """Fabric and paramiko bring yaml, asyncio, unittest and email along, 80 ms, unless the command line says no."""
    program = (
        "import sys; from lbdeploy.common import startup; startup.lean = True; import lbdeploy.ssh.transport.session;"
        "print(*({'yaml', 'asyncio', 'unittest.case', 'importlib.metadata', 'email', 'zipfile'} & set(sys.modules)));"
        "import paramiko; print(paramiko.__version__)"
    )
    out = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert out == f"\n{metadata.version('paramiko')}\n"


def test_connections_share_their_settings_and_write_none() -> None:
    """Several threads read them at once: while invoke merges what was written, there are none."""
    before = copy.deepcopy(dict(login._config()))
    first, second = (
        login._Connection(host, user="ops", port=port, config=login._config(), connect_timeout=3)
        for host, port in (("lb1", 22), ("lb2", 2222))
    )
    assert [(each.host, each.user, each.port, each.connect_timeout) for each in (first, second)] == [
        ("lb1", "ops", 22, 3),
        ("lb2", "ops", 2222, 3),
    ]
    first.whatever = "its own"
    assert not hasattr(second, "whatever")
    assert dict(login._config()) == before
