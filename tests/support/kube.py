"""What a Kubernetes API answers about its own API servers, and a kubectl that says it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SLICES, NODES, ENDPOINTS = "endpointslices", "nodes", "endpoints/kubernetes"
FORBIDDEN = (
    'Error from server (Forbidden): nodes is forbidden: User "dev" cannot list resource "nodes" in API group "" at '
    "the cluster scope"
)
KUBECTL = """#!/bin/sh
printf '%s\\n' "$*" >> '{folder}/asked'
for last; do :; done
case $last in
    *endpointslices*) name=endpointslices ;;
    */nodes*) name=nodes ;;
    *) name=endpoints ;;
esac
[ -e "{folder}/$name.error" ] && {{ cat "{folder}/$name.error" >&2; exit 1; }}
cat "{folder}/$name"
"""


def slices(*addresses: str, port: int = 6443) -> str:
    """The EndpointSlices of the service `kubernetes`."""
    endpoints = [{"addresses": [each], "conditions": {"ready": True}} for each in addresses]
    ports = [{"name": "https", "port": port, "protocol": "TCP"}]
    return json.dumps({"kind": "EndpointSliceList", "items": [{"endpoints": endpoints, "ports": ports}]})


def nodes(of: Mapping[str, Sequence[str]], **labels: str) -> str:
    """The control plane's nodes with their addresses."""
    return json.dumps({"kind": "NodeList", "items": [_node(name, own, labels) for name, own in of.items()]})


def _node(name: str, own: Sequence[str], labels: Mapping[str, str]) -> dict[str, Any]:
    addresses = [{"type": "Hostname", "address": name}, *({"type": "InternalIP", "address": each} for each in own)]
    return {"metadata": {"name": name, "labels": labels}, "status": {"addresses": addresses}}


def kubectl(folder: Path, endpoint_slices: str, control_plane: str) -> Path:
    """A folder for PATH with a kubectl that answers this; a text that is no JSON is its error."""
    folder.mkdir(exist_ok=True)
    for name, text in ((SLICES, endpoint_slices), (NODES, control_plane)):
        (folder / name).write_text(text)
        (folder / f"{name}.error").unlink(missing_ok=True)
        if not text.startswith("{"):
            (folder / f"{name}.error").write_text(text)
    (folder / "kubectl").write_text(KUBECTL.format(folder=folder))
    (folder / "kubectl").chmod(0o755)
    return folder
