"""Asking the Kubernetes API with the operator's own kubectl: its configuration, contexts, plugins and proxies apply.

See docs/decisions/065-the-operators-kubectl.md.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lbdeploy.common.shell import cmd
from lbdeploy.errors import ApiError, UsageError
from lbdeploy.ssh.config import environment

REQUEST_SECONDS = 10  # for the API's answer
PATIENCE = 30.0  # for kubectl as a whole, with its plugins
LOGIN_PATIENCE = 180.0  # where a plugin may ask the person at the terminal to log in
SAYS = re.compile(r"(?:error:|Error from server|Unable to connect|The connection to the server|Error in config).*")
LONGEST = 300  # characters of what kubectl says that are shown
# What kubectl says (any version), and what to do about it.
ADVICE = (
    ("Forbidden", "the login may not read this: have somebody with more rights run it, or name another --kubeconfig"),
    ("Unauthorized", "the login is not known or has expired: log in again, or fetch a new kubeconfig"),
    ("logged in", "the login is not known or has expired: log in again, or fetch a new kubeconfig"),
    ("localhost:8080", "kubectl has no configuration: name one with --kubeconfig FILE or KUBECONFIG"),
    ("does not exist", "kubectl config get-contexts lists the contexts"),
    ("x509", "the kubeconfig has another authority than the API server's certificate, or another address"),
    ("certificate", "the kubeconfig has another authority than the API server's certificate, or another address"),
    ("exec", "the kubeconfig's login program failed: run {probe} to see it by itself"),
)
ELSE = "ask it by hand: {probe}; where that asks a VIP: lbdeploy verify"


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl with a configuration: its own where none is named. `direct`: without the proxies of the environment."""

    config: Path | None = None
    context: str | None = None
    direct: bool = False

    def get(self, path: str) -> str | None:
        """What the API answers to a GET; None where it has no such path. Raises ApiError and UsageError."""
        done = self._run(["get", "--raw", path])
        if done.returncode == 0:
            return done.stdout
        if "NotFound" in done.stderr or "could not find the requested resource" in done.stderr:
            return None
        raise self._error(done.stderr)

    def _run(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        patience = LOGIN_PATIENCE if sys.stdin and sys.stdin.isatty() else PATIENCE
        argv = [*self._argv, f"--request-timeout={REQUEST_SECONDS}s", *arguments]
        run = partial(subprocess.run, capture_output=True, check=False, encoding="utf-8", errors="replace")
        try:
            return run(argv, env=self._environment(), timeout=patience)
        except FileNotFoundError:
            fix = "install kubectl (Debian: apt-get install kubernetes-client); its configuration is used as it is"
            raise UsageError("lbdeploy asks the Kubernetes API through kubectl, which is not here", fix=fix) from None
        except OSError as error:
            raise UsageError(f"kubectl can't be started: {error.strerror}", fix="kubectl version --client") from None
        except subprocess.TimeoutExpired:
            fix = f"see what it waits for: {self.probe}"
            raise ApiError(f"kubectl has not ended after {patience:.0f} s, and was stopped", fix=fix) from None

    @property
    def _argv(self) -> list[str]:
        config = [f"--kubeconfig={self.config}"] if self.config else []
        return ["kubectl", *config, *([f"--context={self.context}"] if self.context else [])]

    @property
    def probe(self) -> str:
        """What the operator can type to see the same."""
        return cmd(*self._argv, "get", "--raw", "/readyz")

    def _environment(self) -> dict[str, str]:
        """This process's environment, without the sudo password: kubectl runs login programs of others.

        A proxy is of no use in the lab, whose addresses it can't reach.
        """
        proxies = {"http_proxy", "https_proxy", "all_proxy"} if self.direct else set()
        return {key: value for key, value in environment().items() if key.lower() not in proxies}

    def _error(self, said: str) -> ApiError:
        """What kubectl says in its last words. What a login program has printed may be secret, and is not repeated."""
        own = [match[0] for match in map(SAYS.match, said.splitlines()) if match]
        message = own[-1][:LONGEST].removeprefix("error: ") if own else "kubectl failed, and does not say why"
        advice = next((fix for word, fix in ADVICE if word in message), ELSE)
        return ApiError(f"the Kubernetes API did not answer: {message}", fix=advice.format(probe=self.probe))


def kubectl(config: Path | None, context: str | None = None, *, direct: bool = False) -> Kubectl:
    """kubectl with this configuration. Raises UsageError where the file can't be read."""
    if config is not None:
        try:
            config.open("rb").close()
        except OSError as error:
            fix = "name the cluster's kubeconfig: --kubeconfig FILE"
            raise UsageError(f"{config} can't be read: {error.strerror}", fix=fix) from None
    return Kubectl(config, context, direct)
