"""What is worth knowing of a pair that was built by hand, besides its lines. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from lbdeploy.config.draft import Draft
from lbdeploy.operations.adopt.reading.machine import DEFAULT, Daemon, Machine


def notes(
    machines: Sequence[Machine], servers: Collection[frozenset[str]], draft: Draft, merged: str = ""
) -> Iterator[str]:
    """All of it; `servers` are the names that the nodes have, `merged` is why several instances become one."""
    for each in machines:
        yield from _daemon_notes(each)
    if len(servers) > 1:
        yield "the nodes' haproxy have different servers: hosts.toml has them all, for every node"
    if merged:
        yield f"one VRRP instance moves all VIPs, and no groups of VIPs do: {merged}"
    if draft["vrrp"].get("mode") == "multicast":
        yield (
            'VRRP stays multicast, as it is: anybody on the network can send adverts. Without mode = "multicast", they '
            "count from the other nodes' addresses alone"
        )


def _daemon_notes(machine: Machine) -> Iterator[str]:
    for daemon in DEFAULT:
        if daemon not in machine.running:
            yield f"{machine.name}: {daemon} does not run; its files were read all the same"
        elif machine.root_of(daemon):
            yield (
                f"{machine.name}: {daemon} is no service of systemd, but runs in a container or by itself: "
                "it has to go before `lbdeploy up`, which starts Debian's"
            )
    read: dict[Daemon, list[str]] = {
        "keepalived": [machine.keepalived_file],
        "haproxy": list(machine.haproxy_files()),
    }
    for daemon, files in read.items():
        if files and DEFAULT[daemon] not in files:
            told = ", ".join(files)
            yield f"{machine.name}: {daemon} reads {told}; lbdeploy writes {DEFAULT[daemon]}: see `lbdeploy doctor`"
