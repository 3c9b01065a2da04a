"""Where this machine gets Debian from, read from its apt settings."""

from __future__ import annotations

import pytest

from lbdeploy.lab.image.apt_sources import AptSource, parse

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
DEB822 = f"""
# The archive.
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: {KEYRING}

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
# in the middle
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no
"""


def test_deb822_sources_are_read_stanza_by_stanza() -> None:
    archive = "http://mirror.example/debian"
    assert list(parse(DEB822, ".sources")) == [AptSource(archive, "", KEYRING), AptSource(archive, "-updates", KEYRING)]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("deb http://m.example/debian bookworm main", [AptSource("http://m.example/debian", "")]),
        ("deb http://m.example/d stable main contrib # ours", [AptSource("http://m.example/d", "")]),
        (f"deb [arch=amd64 signed-by={KEYRING}] http://m/d sid main", [AptSource("http://m/d", "", KEYRING)]),
        ("deb http://m/security trixie-security main", [AptSource("http://m/security", "-security")]),
        ("deb-src http://m/d bookworm main", []),
        ("# deb http://m/d bookworm main", []),
        ("deb http://m/d bookworm contrib", []),
        ("deb http://m/d bookworm-backports main", []),
        ("deb http://vendor/x cloud-sdk-bookworm main", []),
        ("deb [signed-by=/etc/apt/keyrings/vendor.gpg] http://vendor/x bookworm main", []),
        ("deb http://m/d nodistro main", []),
    ],
)
def test_one_line_sources_are_read_and_other_vendors_left_out(line: str, found: list[AptSource]) -> None:
    assert list(parse(f"\n{line}\n", ".list")) == found


def test_disabled_files_are_left_out() -> None:
    assert list(parse("deb http://m/d bookworm main", ".list.disabled")) == []


def test_a_source_is_written_for_another_suite() -> None:
    signed = AptSource("http://m/d", "-updates", KEYRING)
    assert signed.line("trixie") == f"deb [signed-by={KEYRING}] http://m/d trixie-updates main"
    assert AptSource("http://m/d", "").line("bullseye") == "deb http://m/d bullseye main"
