"""A bundle as an archive."""

from __future__ import annotations

import io
import json
import tarfile

from lbdeploy.operations.bundle.archive import Bundle, folder
from lbdeploy.operations.bundle.contents import Missing, plain


def bundle() -> Bundle:
    return Bundle(
        folder("k8s-api", 0),
        "k8s-api",
        0,
        "k8s-api: degraded, VIPs on lb1",
        ("lb1",),
        (plain("nodes/lb1/network/routes.txt", "default"),),
        (Missing("lb2", "the node", "auth_pass s3cret"),),
    )


def unpacked(made: Bundle) -> dict[str, str]:
    """The texts of an archive's files, whose modes and paths are as they should be."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(made.tar())) as archive:
        for each in archive.getmembers():
            file = archive.extractfile(each)
            assert file
            assert each.mode == 0o600
            found[each.name.removeprefix("lbdeploy-k8s-api-19700101T000000Z/")] = file.read().decode()
    return found


def test_it_has_what_was_collected_and_a_manifest_of_it() -> None:
    """Every file by path and size, and what could not be had, without secrets."""
    found = unpacked(bundle())
    assert found.keys() == {"README.txt", "manifest.json", "nodes/lb1/network/routes.txt"}
    manifest = json.loads(found["manifest.json"])
    assert (manifest["format_version"], manifest["cluster"], manifest["nodes"]) == (1, "k8s-api", ["lb1"])
    assert manifest["files"] == [{"path": "nodes/lb1/network/routes.txt", "bytes": 8}]
    assert manifest["missing"] == [{"node": "lb2", "what": "the node", "why": "auth_pass (hidden)"}]


def test_its_readme_begins_with_how_the_cluster_is() -> None:
    """And ends with what is not in it."""
    readme = unpacked(bundle())["README.txt"].splitlines()
    assert readme[0] == "k8s-api: degraded, VIPs on lb1"
    assert readme[-1] == "lb2: the node: auth_pass (hidden)"
