"""A bundle as an archive: one folder, with a README, a manifest, and what was collected."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

from lbdeploy.common.version import __version__
from lbdeploy.operations.bundle.contents import Entry, Missing, document, lines, plain

MANIFEST_VERSION = 1
ABOUT = """\
What a colleague needs to help with this load balancer. Start with cluster/verify.json: what is wrong, and what to do.

cluster/        what `lbdeploy verify` finds, and what `lbdeploy plan` would change
nodes/NAME/     of each node: the state of its system, network and daemons; logs; files; lbdeploy's own records
laptop/         hosts.toml, templates, versions, the logs of the latest runs on this file; if hosts.toml has problems,
                problems.txt, and this folder is all: nobody knows which nodes there are
manifest.json   every file, and what could not be had

Passwords, tokens and keys are hidden, and the texts of scripts are left out. Addresses and names of hosts, users and
clients are in it: look before you pass it on.
"""


@dataclass(frozen=True, slots=True)
class Bundle:
    """`name` is that of the archive's folder; `summary` one line about the cluster; `nodes` have answered."""

    name: str
    cluster: str
    at: float
    summary: str
    nodes: tuple[str, ...]
    entries: tuple[Entry, ...]
    missing: tuple[Missing, ...]

    def to_json(self) -> dict[str, object]:
        """The manifest, but for what every document has."""
        files = [{"path": each.path, "bytes": len(each.text.encode())} for each in self.entries]
        return {"nodes": list(self.nodes), "files": files, "missing": [each.to_json() for each in self.missing]}

    def tar(self) -> bytes:
        """The archive, with gzip; its files are their owner's alone."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
            for each in (*self._own(), *self.entries):
                archive.addfile(*self._member(each))
        return buffer.getvalue()

    def _own(self) -> Iterator[Entry]:
        missing = ["", "Could not be had:", *lines(self.missing)] if self.missing else []
        made = f"Made by lbdeploy {__version__}, {time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(self.at))}"
        yield plain("README.txt", "\n".join((self.summary, made, "", ABOUT, *missing)))
        head = {"format_version": MANIFEST_VERSION, "cluster": self.cluster, "created": round(self.at)}
        about = {"lbdeploy": __version__, "summary": self.summary}
        yield document("manifest.json", {**head, **about, **self.to_json()})

    def _member(self, entry: Entry) -> tuple[tarfile.TarInfo, io.BytesIO]:
        data = entry.text.encode()
        info = tarfile.TarInfo(f"{self.name}/{entry.path}")
        info.size, info.mtime, info.mode = len(data), int(self.at), 0o600
        return info, io.BytesIO(data)


def folder(cluster: str, at: float) -> str:
    """The name of a bundle."""
    return f"lbdeploy-{cluster}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(at))}"
