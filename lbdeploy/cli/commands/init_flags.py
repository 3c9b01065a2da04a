"""The flags of `lbdeploy init`, as a draft of hosts.toml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lbdeploy.cli.commands.new_files import NOTHING
from lbdeploy.errors import UsageError

if TYPE_CHECKING:
    from lbdeploy.config.draft import Draft


@dataclass(frozen=True)
class Flags:
    """The flags as given. `given`: there are enough of them to ask nothing."""

    name: str
    user: str | None
    network: tuple[str, ...]
    node: tuple[str, ...]
    vip: tuple[str, ...]
    server: tuple[str, ...]
    vrrp: str | None
    router_id: int | None
    port: int

    @property
    def given(self) -> bool:
        return bool(self.network or self.node or self.vip or self.server)


def from_flags(flags: Flags) -> Draft:
    """The draft that the flags make. Raises UsageError, with every problem."""
    from lbdeploy.config import draft, reader

    made: Draft = {"cluster": {"name": flags.name}} | ({"ssh": {"user": flags.user}} if flags.user else {})
    networks = draft.distinct(draft.pairs(flags.network, "--network external=ens33"))
    made["networks"] = {name: {"interface": interface} for name, interface in networks.items()}
    nodes = draft.distinct(draft.pairs(flags.node, "--node lb1=192.168.0.11,192.168.1.11"))
    if nodes and not networks:
        fix = "name it with its interface: --network external=ens33, and so on, in the order of the nodes' addresses"
        raise UsageError("the nodes' addresses are on no network", state=NOTHING, fix=fix)
    ranks = draft.priorities(list(nodes))
    made["nodes"] = {name: {"priority": ranks[name]} for name in nodes}
    for name, addresses in nodes.items():
        draft.set_addresses(made, name, draft.words(addresses))
    draft.add_vips(made, draft.pairs(flags.vip, "--vip external=192.168.0.10/24"))
    draft.set_vrrp(made, flags.vrrp or next(reversed(networks), ""), flags.router_id or draft.ROUTER_ID)
    draft.set_servers(made, flags.port, draft.named(flags.server, "master"))
    problems = [f"{'.'.join(each.parts)}: {each.message}; {each.fix}" for each in reader.problems(made)]
    if problems:
        listed = "".join(f"\n  {each}" for each in problems)
        raise UsageError(
            f"these flags do not make a valid hosts.toml:{listed}", state=NOTHING, fix="lbdeploy init --help"
        )
    return draft.finished(made)
