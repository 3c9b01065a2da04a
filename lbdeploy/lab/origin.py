"""What a lab was started for: written when it is made, read by every later command."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from lbdeploy.lab.place import Place


@dataclass(frozen=True, slots=True)
class Origin:
    """The hosts.toml that the lab is of, and the image that its nodes' disks lie over."""

    path: str
    suite: str
    image: str


def read(place: Place) -> Origin | None:
    """None where the lab was never made, or not far enough."""
    try:
        return Origin(**json.loads((place.dir / "origin.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write(place: Place, origin: Origin) -> None:
    replace(place.dir / "origin.json", json.dumps(asdict(origin)))


def completed(place: Place) -> str | None:
    """The digest of the topology that was last brought up in whole."""
    try:
        return (place.dir / "completed").read_text()
    except OSError:
        return None


def set_completed(place: Place, digest: str | None) -> None:
    path = place.dir / "completed"
    replace(path, digest) if digest else path.unlink(missing_ok=True)


def replace(path: Path, text: str) -> None:
    """Writes a file so that it is there in whole or as it was."""
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.rename(path)
