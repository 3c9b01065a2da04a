"""What hosts.toml has haproxy show to the servers that it checks: tokens, and certificates with their private keys.

No message has anything of their contents.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from lbdeploy.common.paths import shown
from lbdeploy.common.shell import Raw, cmd
from lbdeploy.config.loading.named_file import contents

LONGEST = 8192  # bytes of a token: haproxy's buffer has 16 kB for the whole request
LARGEST = 200_000  # bytes of a certificate with its chain and key


class SecretFileError(Exception):
    """A file that can't be used: what is wrong, and what would be right."""


def token(path: Path) -> str:
    """The text of a file with a bearer token (RFC 6750, section 2.1). Raises SecretFileError."""
    text = _text(path, LONGEST)
    if not re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", text.strip()):
        fix = 'write the token alone into it, without "Bearer"; one that does not end: docs/howto/frontends.md'
        raise SecretFileError(f"{shown(path)} is not a bearer token", fix)
    return text


def client_certificate(path: Path) -> str:
    """The text of a file with a certificate and its private key, in PEM. Raises SecretFileError."""
    text = _text(path, LARGEST)
    for needed, words in (("CERTIFICATE-----", "certificate"), ("PRIVATE KEY-----", "private key")):
        if needed not in text:
            fix = f"put both into one file: {cmd('cat', 'client.crt', 'client.key', Raw('>'), path.name)}"
            raise SecretFileError(f"{shown(path)} holds no {words} in PEM", fix)
    if "ENCRYPTED" in text:
        fix = "give one without: openssl pkey -in client.key"
        raise SecretFileError(f"the private key in {shown(path)} has a passphrase, for which haproxy can't ask", fix)
    _fit(path)
    return text


READERS: dict[str, Callable[[Path], str]] = {"check_token_file": token, "check_certificate": client_certificate}


def _text(path: Path, largest: int) -> str:
    try:
        content = contents(path, largest)
        text = content.decode("ascii")
    except OSError as error:
        fix = "name a file that you may read, by its path relative to hosts.toml"
        raise SecretFileError(f"{shown(path)} can't be read: {error.strerror}", fix) from None
    except UnicodeDecodeError:
        raise SecretFileError(f"{shown(path)} is not plain text", "name another file") from None
    if len(content) > largest:
        raise SecretFileError(f"{shown(path)} is larger than {largest // 1000} kB", "name another file")
    return text


def _fit(path: Path) -> None:
    import ssl  # needed only for files that name a certificate

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(path)
    except ssl.SSLError as error:
        fits = error.reason != "KEY_VALUES_MISMATCH"
        wrong = "can't be read as PEM" if fits else "hold a private key that is not that of the certificate"
        fix = "give the certificate first, then those that signed it, and its private key"
        raise SecretFileError(f"the contents of {shown(path)} {wrong}", fix) from None
