"""Asking through the operator's kubectl, and what its errors become."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdeploy.errors import ApiError, UsageError
from lbdeploy.operations.kubernetes import kubectl as module
from lbdeploy.operations.kubernetes.kubectl import LONGEST, kubectl


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that is all of PATH, but for the system's programs."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def program(path: Path, script: str) -> None:
    (path / "kubectl").write_text(f"#!/bin/sh\n{script}\n")
    (path / "kubectl").chmod(0o755)


def test_it_is_asked_with_what_was_given(path: Path) -> None:
    """Its configuration and context; how long the API may take is bounded."""
    program(path, 'echo "$@"')
    config = path / "admin.conf"
    config.touch()
    assert (kubectl(config, "prod").get("/readyz") or "").split() == [
        f"--kubeconfig={config}",
        "--context=prod",
        "--request-timeout=10s",
        "get",
        "--raw",
        "/readyz",
    ]
    assert kubectl(None).get("/x") == "--request-timeout=10s get --raw /x\n"


def test_the_lab_is_asked_without_proxies(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the environment can't reach the lab's addresses; the real cluster may need them."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    program(path, 'echo "proxy=$HTTPS_PROXY"')
    assert kubectl(None).get("/") == "proxy=http://proxy:3128\n"
    assert kubectl(None, direct=True).get("/") == "proxy=\n"


def test_it_is_not_given_the_sudo_password(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor are the login programs that it runs."""
    monkeypatch.setenv("LBDEPLOY_SUDO_PASSWORD", "hunter2")
    program(path, "env")
    assert "hunter2" not in str(kubectl(None).get("/"))


@pytest.mark.parametrize(
    ("said", "message", "fix"),
    [
        ("error: You must be logged in to the server (Unauthorized)", "You must be logged in", "has expired"),
        ('Error from server (Forbidden): nodes is forbidden: User "x"', "Forbidden", "may not read this"),
        ("Unable to connect to the server: dial tcp 10.0.0.1:6443: connect: connection refused", "refused", "by hand"),
        ("The connection to the server localhost:8080 was refused - did you", "localhost:8080", "no configuration"),
        ('error: context "prod" does not exist', 'context "prod" does not exist', "get-contexts"),
        ("Unable to connect to the server: x509: certificate signed by unknown authority", "x509", "authority"),
        (
            "Unable to connect to the server: getting credentials: exec: executable aws not found",
            "aws",
            "login program",
        ),
    ],
)
def test_what_it_says_is_explained(path: Path, said: str, message: str, fix: str) -> None:
    """Its own last words, and what to do about them."""
    (path / "said").write_text(f"I1129 12:00:00 some log line\n{said}\n")
    program(path, f"cat {path}/said >&2; exit 1")
    with pytest.raises(ApiError) as raised:
        kubectl(None).get("/x")
    assert message in raised.value.message
    assert fix in (raised.value.fix or "")
    assert raised.value.state == "nothing was changed"


def test_what_login_programs_print_is_not_repeated(path: Path) -> None:
    """It may be secret; and no message is longer than a person reads."""
    program(path, f"echo 'token: s3cret' >&2; echo 'error: {'x' * 999}' >&2; exit 1")
    with pytest.raises(ApiError) as raised:
        kubectl(None).get("/x")
    assert "s3cret" not in str(vars(raised.value))
    assert len(raised.value.message) < LONGEST + 100
    program(path, "echo 'token: s3cret' >&2; exit 1")
    with pytest.raises(ApiError, match="does not say why"):
        kubectl(None).get("/x")


def test_a_path_that_there_is_not(path: Path) -> None:
    """An older API, perhaps: that is no failure."""
    program(path, "echo 'Error from server (NotFound): the server could not find the requested resource' >&2; exit 1")
    assert kubectl(None).get("/apis/discovery.k8s.io/v1") is None


def test_one_that_does_not_end_is_stopped(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login program that waits for somebody is not waited for."""
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    monkeypatch.setattr(module, "LOGIN_PATIENCE", 0.2)
    program(path, "exec sleep 20")
    with pytest.raises(ApiError, match="was stopped"):
        kubectl(None).get("/x")


def test_no_kubectl_and_no_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are told before anything is asked, with what to do."""
    with pytest.raises(UsageError, match="can't be read: No such file"):
        kubectl(path / "none")
    monkeypatch.setenv("PATH", str(path))
    with pytest.raises(UsageError, match="which is not here") as raised:
        kubectl(None).get("/x")
    assert "kubernetes-client" in (raised.value.fix or "")
