"""The cluster of a hosts.toml, as `reader` makes it; one that was valid before is not parsed anew.

What is kept has no secrets: of the operator's scripts, sections, tokens and private keys, only digests.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from lbdeploy.common import cache
from lbdeploy.common.paths import absolute, home_expanded
from lbdeploy.config.loading.encoding import decoded, encoded
from lbdeploy.config.model import NOTIFIED, Cluster, Frontend


def load(path: Path, text: str) -> Cluster:
    """The cluster that the file at `path`, which holds `text`, describes. Raises UsageError and HostsFileError."""
    path = absolute(path)
    homes = [os.path.expanduser(each) for each in re.findall(r"~[\w.-]*", text)]
    key = cache.key("cluster", str(path), text, homes, _matching(path, text))
    # Nothing was kept, what was kept is damaged, or a file that hosts.toml names is another one now.
    with suppress(KeyError, TypeError, ValueError, RecursionError, OSError):
        return _known(path, cache.recall(key))
    cluster, named = _read(path, text)
    if named is not None:
        bare = encoded(_with_texts(cluster, lambda _: ""))
        cache.keep(key, {"cluster": bare, "files": {name: cache.digest(data) for name, data in named.items()}})
    return cluster


def _matching(path: Path, text: str) -> list[list[str]]:
    """The files that there are for whatever in the text may be a pattern: another one makes another cluster."""
    found = re.findall(r"""["']([\w.+/-]*\*[\w.+*-]*)["']""", text)
    patterns = [each for each in found if "*" not in each.rpartition("/")[0]]
    if not patterns:
        return []
    from lbdeploy.config.attachments import matching

    return [matching(path.parent, each) for each in patterns]


def _known(path: Path, kept: Any) -> Cluster:
    """The cluster that was kept. Raises ValueError where it is out of date, and other errors where it is none."""
    contents = {name: _named(path, name).read_bytes() for name in kept["files"]}
    if kept["files"] != {name: cache.digest(data) for name, data in contents.items()}:
        raise ValueError("a file that hosts.toml names has changed")
    cluster = decoded(kept["cluster"])
    if not isinstance(cluster, Cluster):
        raise TypeError("no cluster")
    return _with_texts(cluster, lambda name: contents[name].decode())


def _read(path: Path, text: str) -> tuple[Cluster, dict[str, bytes] | None]:
    """The cluster, and the contents of the files that hosts.toml names; None where one changed in these moments."""
    from lbdeploy.config import reader

    texts: dict[str, str] = {}
    cluster = reader.load(path, text, texts)
    if not texts:
        return cluster, {}
    with suppress(OSError):
        named = {name: _named(path, name).read_bytes() for name in texts}
        return cluster, named if reader.load(path, text) == cluster else None
    return cluster, None


def _named(path: Path, name: str) -> Path:
    return path.parent / home_expanded(name)


def _with_texts(cluster: Cluster, text_of: Callable[[str], str]) -> Cluster:
    """The cluster with these texts of the operator's scripts, sections and secrets, by their paths in hosts.toml."""
    vrrp = cluster.vrrp
    scripts = tuple(
        replace(each, script=replace(each.script, text=text_of(each.script.path))) for each in vrrp.track_scripts
    )
    named = {key: each for key in ("notify", *NOTIFIED.values()) if (each := getattr(vrrp, key))}
    told = {key: replace(each, text=text_of(each.path)) for key, each in named.items()}
    extra = tuple(replace(each, text=text_of(each.path)) for each in cluster.extra)
    frontends = tuple(_with_secrets(each, text_of) if each.secrets else each for each in cluster.frontends)
    vrrp = replace(vrrp, track_scripts=scripts, **told)
    return replace(cluster, vrrp=vrrp, frontends=frontends, extra=extra)


def _with_secrets(frontend: Frontend, text_of: Callable[[str], str]) -> Frontend:
    token, certificate = frontend.check_token, frontend.check_certificate
    return replace(
        frontend,
        check_token=token and replace(token, text=text_of(token.path)),
        check_certificate=certificate and replace(certificate, text=text_of(certificate.path)),
    )
