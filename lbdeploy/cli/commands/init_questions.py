"""The questions of `lbdeploy init`. A wrong answer is explained, and the question asked again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from lbdeploy.cli.prompts import ask, confirm
from lbdeploy.config import draft as drafts
from lbdeploy.config import reader
from lbdeploy.config.checks.cluster import NO_ADDRESS, NO_VIP
from lbdeploy.config.draft import Draft
from lbdeploy.errors import LbdeployError, Problem, UsageError
from lbdeploy.operations.discovery import DiscoveredHost, SharedSubnet, discover, is_usable, router_ids, shared

if TYPE_CHECKING:
    from lbdeploy.cli.app import App
    from lbdeploy.cli.commands.init_flags import Flags
    from lbdeploy.config.model import Ssh

Put = Callable[[Draft, str], None]


class Interview:
    """Asks on the terminal. `made` is the draft so far, checked after every answer."""

    def __init__(self, app: App, flags: Flags) -> None:
        self.app = app
        self.flags = flags
        self.made: Draft = {}
        self.hosts: dict[str, str] = {}
        self.shared: dict[str, SharedSubnet] = {}  # the shared subnet that was found for each network, by its name
        self.used: dict[int, str] = {}
        self.reached: dict[str, str] = {}  # the hosts that could be looked at

    def draft(self) -> Draft:
        """Ask everything; returns a draft that makes a valid file. Raises click's Abort on Ctrl-C."""
        self.app.reporter.warn("Enter accepts what is in [brackets]; Ctrl-C exits, and nothing is written.")
        self._ask("Name of the cluster", self._name, default=self.flags.name)
        self._ask("Login on the nodes (Enter: as ssh would)", self._login, default=self.flags.user or "")
        self._ask("Nodes, the preferred first: lb1=ADDRESS lb2=ADDRESS", self._nodes)
        candidates = self._look()
        self._ask("Networks: NAME=INTERFACE ...", lambda d, a: self._networks(d, a, candidates), _proposed(candidates))
        for name in self.hosts:
            self._ask(f"Addresses of {name} on {_listed(self._names)}", self._addresses(name), self._known(name))
        for name in self._names:
            self._ask(f"VIP on {name} (Enter: none)", self._vip(name), default="")
        self._vrrp()
        self._ask("API servers: master1=ADDRESS master2=ADDRESS ...", self._servers)
        self._check()
        return drafts.finished(self.made)

    @property
    def _names(self) -> list[str]:
        return list(self.made["networks"])

    def _ask(self, question: str, put: Put, default: str | None = None) -> None:
        """Ask until the answer adds no problem to the draft."""
        before = {each.id for each in reader.problems(self.made)}
        while True:
            answer = ask(question, default)
            tried = deepcopy(self.made)
            try:
                put(tried, answer)
                found = [each for each in reader.problems(tried) if each.id not in before]
                wrong = [each for each in found if not _later(each, tried)]
                if not wrong:
                    self.made = tried
                    return
                self._refuse(wrong[0].message, wrong[0].fix, key=wrong[0].parts[-1])
            except UsageError as error:
                self._refuse(error.message, error.fix or "")

    def _refuse(self, message: str, fix: str, key: str = "") -> None:
        self.app.reporter.warn(("✗ ", "bad"), (f"{key}: " if key else "", "name"), message)
        self.app.reporter.warn(("  right: ", "next"), fix)

    def _name(self, made: Draft, answer: str) -> None:
        made["cluster"] = {"name": answer}

    def _login(self, made: Draft, answer: str) -> None:
        if answer:
            made["ssh"] = {"user": answer}

    def _nodes(self, made: Draft, answer: str) -> None:
        self.hosts = drafts.named(drafts.words(answer), "lb")
        drafts.set_nodes(made, self.hosts)
        if len(self.hosts) < 2 or len(set(self.hosts.values())) < len(self.hosts):
            raise UsageError("at least two different nodes are needed", fix="lb1=192.168.1.11 lb2=192.168.1.12")

    def _look(self) -> list[tuple[str, SharedSubnet]]:
        """Look at the nodes: the networks that all reachable ones share, with proposed names."""
        while True:
            found = self._discovered()
            seen = {name: each for name, each in found.items() if isinstance(each, DiscoveredHost)}
            for error in (each for each in found.values() if isinstance(each, LbdeployError)):
                self.app.reporter.error(error)
            if len(seen) == len(found) or not confirm("Look again?"):
                break
        self.used, self.reached = router_ids(seen), {name: self.hosts[name] for name in seen}
        for name, one in seen.items():
            self._tell(name, one)
        return _names_for(shared(seen), self.hosts) if seen else []

    def _ssh(self) -> Ssh:
        return self.app.ssh if self.app.lab else replace(reader.ssh_of(self.made), answers=self.app.answers)

    def _discovered(self) -> dict[str, DiscoveredHost | LbdeployError]:
        try:
            return discover(self.hosts, self._ssh(), self.app.emit)
        except KeyboardInterrupt:
            raise click.Abort from None  # as at a question, since nothing is being changed
        finally:
            self.app.reporter.quiet()

    def _tell(self, name: str, seen: DiscoveredHost) -> None:
        places = (f"{link.name} {each}" for link in seen.links for each in link.addresses if is_usable(each))
        self.app.reporter.warn((f"{name}: ", "name"), ", ".join(places))

    def _networks(self, made: Draft, answer: str, candidates: Sequence[tuple[str, SharedSubnet]]) -> None:
        networks = drafts.distinct(drafts.pairs(drafts.words(answer), "external=ens33 management=ens32"))
        made["networks"] = {name: {"interface": interface} for name, interface in networks.items()}
        by_interface = {each.interface: each for _, each in candidates}
        self.shared = {name: by_interface[each] for name, each in networks.items() if each in by_interface}
        for node in self.hosts:
            own = {name: each.members[node][0] for name, each in self.shared.items() if node in each.members}
            others = {name: interface for name, interface in own.items() if interface != networks[name]}
            made["nodes"][node] |= {"interfaces": others} if others else {}

    def _known(self, node: str) -> str | None:
        """The addresses that were found on a node; None where one is missing."""
        members = [self.shared[name].members for name in self._names if name in self.shared]
        seen = [str(each[node][1].ip) for each in members if node in each]
        return " ".join(seen) if len(seen) == len(self._names) else None

    def _addresses(self, node: str) -> Put:
        return lambda made, answer: drafts.set_addresses(made, node, drafts.words(answer))

    def _vip(self, network: str) -> Put:
        like = self.shared[network].like if network in self.shared else None

        def put(made: Draft, answer: str) -> None:
            vips = [(network, drafts.with_prefix(word, like)) for word in drafts.words(answer)]
            drafts.add_vips(made, vips)
            if network == self._names[-1] and not any("vip" in each for each in made["networks"].values()):
                raise UsageError("no network has a VIP yet", fix=f"an address on {network}, like 192.168.1.10/24")

        return put

    def _vrrp(self) -> None:
        network = self.flags.vrrp or next((n for n, s in self.shared.items() if s.is_at(self.hosts)), self._names[-1])
        free = next(n for n in (drafts.ROUTER_ID, *range(1, 256)) if n not in self.used)
        if len(self._names) > 1 or network not in self._names:
            question = f"Network for VRRP: {_listed(self._names)}"
            self._ask(question, lambda made, answer: drafts.set_vrrp(made, answer, free), default=network)
        else:
            drafts.set_vrrp(self.made, network, free)
        for number, where in sorted(self.used.items()):
            self.app.reporter.warn(f"Virtual router ID {number} is in use: {where}")
        self._ask("Virtual router ID", self._router_id, default=str(self.flags.router_id or free))

    def _router_id(self, made: Draft, answer: str) -> None:
        if not answer.isdecimal():
            raise UsageError(f"{answer} is not a number", fix="a number from 1 to 255 that is not in use there")
        made["vrrp"]["router_id"] = int(answer)

    def _servers(self, made: Draft, answer: str) -> None:
        drafts.set_servers(made, self.flags.port, drafts.named(drafts.words(answer), "master"))

    def _check(self) -> None:
        """The check that suits the servers, as the hosts that could be looked at find them; tcp where none could."""
        if not self.reached:
            return
        from lbdeploy.operations.servers import readiness

        table = self.made["frontends"][drafts.FRONTEND]
        try:
            heard = readiness.heard_by(self.reached, self._ssh(), self.app.emit, table["servers"], table["port"])
        except KeyboardInterrupt:
            raise click.Abort from None
        finally:
            self.app.reporter.quiet()
        found = readiness.proposal(heard)
        if found and found.check != table["check"]:
            self.app.reporter.warn(("API servers: ", "name"), f"they pass {found}, which is written")
            drafts.set_check(self.made, found.check, found.status)


def _later(problem: Problem, made: Draft) -> bool:
    """Whether a problem concerns a key that has not been asked for yet."""
    return problem.parts[0] not in made or problem.rule in (NO_VIP, NO_ADDRESS)


def _names_for(found: Sequence[SharedSubnet], hosts: dict[str, str]) -> list[tuple[str, SharedSubnet]]:
    """Names for the networks.

    The one that SSH connects on is "management", if there is another one; the next is "external".
    """
    inside = next((each for each in found if each.is_at(hosts)), None) if len(found) > 1 else None
    outside = [each for each in found if each is not inside]
    named = [("external" if number == 0 else each.interface, each) for number, each in enumerate(outside)]
    return [*named, *([("management", inside)] if inside else [])]


def _proposed(candidates: Sequence[tuple[str, SharedSubnet]]) -> str | None:
    return " ".join(f"{name}={each.interface}" for name, each in candidates) or None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
