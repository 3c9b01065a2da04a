"""Whose headers' values are shown."""

from __future__ import annotations

import pytest

from lbdeploy.common.header_names import is_harmless, is_secret


@pytest.mark.parametrize("name", ["Host", "x-forwarded-for", "X-Real-IP", "Content-Type", "Strict-Transport-Security"])
def test_ordinary_ones_are_harmless(name: str) -> None:
    """However they are written."""
    assert is_harmless(name)
    assert not is_secret(name)


@pytest.mark.parametrize("name", ["Authorization", "x-auth-request-user", "COOKIE", "X-Access-Key", "X-JWT"])
def test_some_are_secrets(name: str) -> None:
    """Whatever else is in the name."""
    assert is_secret(name)
    assert not is_harmless(name)


@pytest.mark.parametrize("name", ["X-Key", "Ocp-Apim-Subscription-Key", "X-Shared-Pw", "X-Host", "X-Forwarded-Key", ""])
def test_of_others_nobody_can_tell(name: str) -> None:
    """Also those that only begin, or end, as a harmless one."""
    assert not is_harmless(name)
    assert not is_secret(name)
