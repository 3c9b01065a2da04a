"""Settings of hosts.toml that are allowed, but are probably not what is meant."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from lbdeploy.common.paths import shown
from lbdeploy.config.model import Cluster, Frontend, Ssh
from lbdeploy.errors import key_text
from lbdeploy.planning.lint.lints import Lint
from lbdeploy.planning.lint.server_checks import server_checks, too_little

Suspicion = tuple[str, str]


def settings(cluster: Cluster, *, asked: bool = False) -> list[Lint]:
    """Every suspicious setting. `asked`: the servers are asked which check they need, and nothing is guessed of it."""
    path = str(shown(cluster.path))
    found = [*_suspicions(cluster), *(() if asked else too_little(cluster))]
    return [Lint("warning", None, path, None, *each) for each in found]


def _suspicions(cluster: Cluster) -> Iterator[Suspicion]:
    """(message, fix) for each suspicious setting."""
    yield from _missing(cluster.ssh)
    vrrp = cluster.vrrp
    if vrrp.initial_state == "MASTER" and vrrp.preempt_delay:
        message = 'initial_state = "MASTER" loses preempt_delay: keepalived clears it'
        yield message, 'leave initial_state out: "auto" lets the priority elect'
    for vip in cluster.vips:
        if vip.ip not in dict(cluster.targets):
            key, value = ("groups", vip.group) if vip.group else ("networks", vip.network)
            fix = f"add {value} to the key {key} of one, or take the VIP out"
            yield f"no frontend listens on the VIP {vip.ip}", fix
    for frontend in cluster.frontends:
        for side, seconds in (("client", frontend.client_timeout), ("server", frontend.server_timeout)):
            if seconds < 600:
                key = key_text("frontends", frontend.name, f"{side}_timeout")
                message = f"{key} of {seconds:g} s cuts off kubectl logs -f, exec and watches"
                yield message, "leave it out: the default is four hours"
        yield from _pointless(frontend)
        yield from _port_in_address(frontend)
        yield from _stacked(cluster, frontend)
    yield from server_checks(cluster)
    for part in cluster.parts:
        yield from _weights(part)
    if vrrp.advert_interval < 1:
        yield from _slower_than_vrrp(cluster)


def _missing(ssh: Ssh) -> Iterator[Suspicion]:
    """Files that hosts.toml names and this machine lacks; another machine may have them."""
    key, known = ssh.identity_file, ssh.known_hosts_file
    if key and not (key.exists() or key.with_name(f"{key.name}.pub").exists()):
        yield (
            f"ssh.identity_file: {key} is not there",
            "put the key there; without it, your other keys are tried",
        )
    if known and not known.exists():
        yield f"ssh.known_hosts_file: {known} is not there", "put it there; it is made when a new host key is accepted"


def _pointless(frontend: Frontend) -> Iterator[Suspicion]:
    """Settings of a frontend that its servers do not understand, or that do not have the effect one expects."""
    key = key_text("frontends", frontend.name)
    if frontend.proxy_protocol and (frontend.port == 6443 or any(each.port == 6443 for each in frontend.servers)):
        message = f"{key}.proxy_protocol: kube-apiserver (port 6443) takes a PROXY header for a broken connection"
        yield message, "leave it out: it is for an ingress controller that expects the header"
    if frontend.check_host and not frontend.check_ca:
        message = f"{key}.check_host: servers are told the name, but without a CA no certificate is verified"
        yield message, f'to have it verified: {key}.check_ca_file = "FILE"'


def _port_in_address(frontend: Frontend) -> Iterator[Suspicion]:
    """An IPv6 address and its port without brackets, which are another address."""
    for each in frontend.servers:
        host, _, last = str(each.address).rpartition(":")
        if each.address.version == 6 and last == str(frontend.port) == str(each.port):
            key = key_text("frontends", frontend.name, "servers", each.name)
            message = f"{key}: {each.address} is an address as a whole, with port {each.port} behind it"
            yield message, f'if its end is the port: "[{host}]:{last}"'


def _stacked(cluster: Cluster, frontend: Frontend) -> Iterator[Suspicion]:
    """Servers on the nodes themselves, at the port that haproxy has on the VIPs: kube-apiserver wants it everywhere."""
    found = [(each, node.name) for each in frontend.servers if (node := cluster.node_at(each.address))]
    key = key_text("frontends", frontend.name)
    if which := " and ".join(f"{each.name} ({node})" for each, node in found if each.port == frontend.port):
        message = (
            f"{key}: {which} run on the nodes at port {frontend.port}, which haproxy has on "
            "the VIPs: kube-apiserver listens on all addresses, and only one of the two can start"
        )
        yield message, "give the frontend another port; or each kube-apiserver --bind-address=ITS_OWN_ADDRESS"
    shut = [(each, node) for each, node in found if each.port not in cluster.firewall_opens]
    if shut and cluster.firewall != "none":
        which = " and ".join(f"{each.name} ({node})" for each, node in shut)
        ports = ", ".join(map(str, sorted({each.port for each, _ in shut})))
        yield (
            f"{key}: {which} run on the nodes, whose firewall drops what is for port {ports}",
            f"firewall_allow = [{ports}], with the other ports of a control plane: etcd's, the kubelet's",
        )


def _slower_than_vrrp(cluster: Cluster) -> Iterator[Suspicion]:
    """Frontends where a dead server may go unnoticed for longer than a dead node: quick adverts alone help little then.

    If both fail together, as in a rack, the outage does not end when the VIPs have moved, but when haproxy has noticed
    the dead servers, too.
    """
    vrrp = cluster.vrrp
    nodes = vrrp.check_interval * vrrp.check_fall + 3 * vrrp.advert_interval
    for each in cluster.frontends:
        servers = each.interval + (each.fall - 1) * each.fast_interval
        if servers > nodes:
            message = (
                f"{key_text('frontends', each.name)}: haproxy may take {servers:g} s to see that a server is gone "
                f"(interval + (fall - 1) x fast_interval), keepalived {nodes:g} s for a node "
                "(check_interval x check_fall + 3 x advert_interval)"
            )
            yield message, f"for the servers to be checked as quickly: {_as_quick(nodes, each.fall)}"


def _weights(cluster: Cluster) -> Iterator[Suspicion]:
    """Weights without the effect that they are for: keepalived clamps each priority to 1 to 254 (measured)."""
    vrrp, nodes = cluster.vrrp, cluster.nodes
    distance = max(above.priority - below.priority for above, below in pairwise(nodes))
    above, below = next(pair for pair in pairwise(nodes) if pair[0].priority - pair[1].priority == distance)
    tracked = [(f"vrrp.track_files.{each.name}", each.weight, True) for each in vrrp.track_files]
    tracked += [(f"vrrp.track_scripts.{each.name}", each.weight, False) for each in vrrp.track_scripts]
    for key, weight, counts in tracked:
        if weight and abs(weight) <= distance:
            once = ", while the number in the file is 1" if counts else ""
            message = (
                f"{key}: a weight of {weight} moves no VIP from {above.name} (priority {above.priority}) "
                f"to {below.name} ({below.priority}){once}"
            )
            needed = (distance + 1) * (1 if weight > 0 else -1)
            yield message, f"weight = {needed}, or {'more' if needed > 0 else 'less'}; or bring the priorities closer"
    yield from _clamped(cluster)


def _clamped(cluster: Cluster) -> Iterator[Suspicion]:
    """Sums of priority and weights that keepalived clamps.

    One node below 1 is harmless; with several, their addresses decide. Above 254, the priority is not low even when
    lbdeploy subtracts all that it can to move the VIPs away.
    """
    vrrp, nodes = cluster.vrrp, cluster.nodes
    every = [each.weight for each in vrrp.track_files] + [each.weight for each in vrrp.track_scripts]
    low, high = sum(min(0, each) for each in every), sum(max(0, each) for each in every)
    fallen = [node for node in nodes if node.priority + low < 1]
    if len(fallen) > 1:
        names = " and of ".join(f"{node.name} ({node.priority}{low:+d})" for node in fallen)
        message = f"with all that is tracked failing, the priorities of {names} count as 1, and addresses decide"
        yield message, f"weights that add up to {1 - fallen[0].priority} or more, or higher priorities"
    for node in nodes:
        if node.priority + high > 254:
            message = f"with all that it tracks, the priority of {node.name} ({node.priority}{high:+d}) counts as 254"
            fix = f"weights that add up to {254 - node.priority} or less, or a lower priority"
            yield f"{message}, and lbdeploy can't move the VIPs away from it", fix


def _as_quick(seconds: float, fall: int) -> str:
    """Settings of a frontend with which a dead server is noticed within `seconds`."""
    fall = min(fall, 3)
    step = max(int(seconds / (fall + 1) * 10) / 10, 0.1)  # an interval takes two steps, a fast one takes one
    return f"interval = {2 * step:g}, fast_interval = {step:g}, fall = {fall}"
