"""Observing all nodes until they are healthy: after a boot, for example, or a network fault."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from lbdeploy.errors import LbdeployError
from lbdeploy.rollout.observer import Observer, Wanted
from lbdeploy.rollout.survey import Survey
from lbdeploy.ssh.pool import SessionPool

POLL_SECONDS = 0.5


class Eyes:
    """Observes over the connections of a pool; one that has failed is reopened before the next look."""

    def __init__(self, pool: SessionPool, observer: Observer, wanted: Wanted) -> None:
        self._pool = pool
        self._observer = observer
        self._wanted = wanted
        self._failed: Mapping[str, LbdeployError] = {}

    def look(self) -> Survey:
        """Observe the nodes once."""
        for node in self._pool.nodes:
            if node.name in self._failed:
                with suppress(LbdeployError):  # then the observation fails, too, and its error says why
                    self._pool.reopen(node)
        survey = self._observer.look(self._wanted)
        self._failed = survey.errors
        return survey

    def until_well(self, seconds: float, *, also: Callable[[Survey], bool] | None = None) -> Survey:
        """Look until all is well, and what else is asked for; for `seconds` at most."""
        deadline = time.monotonic() + seconds
        while True:
            survey = self.look()
            well = survey.verdict.healthy and not survey.errors
            if (well and (also is None or also(survey))) or time.monotonic() >= deadline:
                return survey
            time.sleep(POLL_SECONDS)


def pending(survey: Survey) -> bool:
    """Whether the VIPs are about to move to a node of higher priority."""
    return any(each.check == "holder" and not each.ok for each in survey.verdict.findings)


def home(survey: Survey) -> bool:
    """Whether the VIPs are where VRRP's priorities put them."""
    return not pending(survey)


def servers_up(survey: Survey) -> bool:
    """Whether every node's haproxy calls every server up."""
    return all(each.ok for each in survey.verdict.findings if each.check == "server")
