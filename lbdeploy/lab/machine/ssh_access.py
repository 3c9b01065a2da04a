"""How the operator logs in to the lab's nodes: a key, a known_hosts file, an ssh_config that ssh(1) reads, too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lbdeploy.config.model import Cluster, Node, Ssh
from lbdeploy.lab.host.paths import Place, replace


def access(place: Place, cluster: Cluster) -> Ssh:
    """How to log in to the lab's nodes from the operator's namespace."""
    return Ssh(
        user=cluster.ssh.user or "ops",
        port=cluster.ssh.port or 22,
        identity_file=place.dir / "id_ed25519",
        known_hosts_file=place.dir / "known_hosts",
        jump=None,
        connect_timeout=cluster.ssh.connect_timeout,
        config_file=place.dir / "ssh_config",
    )


def host_key(place: Place, node: str) -> Path:
    """Where the node's public ed25519 host key is, as its installation made it."""
    return place.host(node) / "host_key.pub"


def address_of(cluster: Cluster, node: Node) -> str:
    """Where the node's sshd is reached in the lab: at `host` where that is its address, or else on VRRP's network."""
    own = {str(address) for address in node.addresses.values()}
    return node.host if node.host in own else str(node.addresses[cluster.vrrp.network])


def ensure_key(place: Place) -> None:
    """The operator's key."""
    if not (place.dir / "id_ed25519.pub").exists():
        from lbdeploy.lab.machine.keys import make_ssh_key

        make_ssh_key(place.dir / "id_ed25519")


def write_config(place: Place, cluster: Cluster) -> None:
    """ssh_config: nodes by name, by `host` and by address. Names need no DNS here."""
    ssh = access(place, cluster)
    blocks = [_block(cluster, node) for node in cluster.nodes]
    common = f"""Host *
    User {ssh.user}
    Port {ssh.port}
    IdentityFile {ssh.identity_file}
    IdentitiesOnly yes
    UserKnownHostsFile {ssh.known_hosts_file}
    GlobalKnownHostsFile none
    StrictHostKeyChecking yes
"""
    (place.dir / "ssh_config").write_text("".join(blocks) + common)


def _block(cluster: Cluster, node: Node) -> str:
    address = address_of(cluster, node)
    aliases = [each for each in dict.fromkeys((node.name, node.host)) if each != address]
    return f"Host {' '.join(aliases)}\n    HostName {address}\n" if aliases else ""


def remember(place: Place, cluster: Cluster, installed: Sequence[Node]) -> None:
    """Writes known_hosts: the keys of newly installed nodes, in place of their old lines, and of new addresses.

    Other lines stay. Only the ed25519 key is written, as after a first login with ssh(1).
    """
    path = place.dir / "known_hosts"
    lines = path.read_text().splitlines() if path.exists() else []
    outdated = {name for node in installed for name in _known_names(cluster, node)}
    kept = [line for line in lines if not outdated & _names_in(line)]
    known = {name for line in kept for name in _names_in(line)}
    for node in cluster.nodes:
        if (unknown := _known_names(cluster, node) - known) and host_key(place, node.name).exists():
            key = " ".join(host_key(place, node.name).read_text().split()[:2])
            kept.append(f"{','.join(sorted(unknown))} {key}")
    replace(path, "".join(f"{line}\n" for line in kept))


def _names_in(line: str) -> set[str]:
    return set(line.partition(" ")[0].split(","))


def _known_names(cluster: Cluster, node: Node) -> set[str]:
    port = cluster.ssh.port or 22
    names = {node.name, node.host, *(str(address) for address in node.addresses.values())}
    return names if port == 22 else {f"[{name}]:{port}" for name in names}
