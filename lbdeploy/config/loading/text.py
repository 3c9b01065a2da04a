"""The text of hosts.toml."""

from __future__ import annotations

import shlex
from pathlib import Path

from lbdeploy.common import environment
from lbdeploy.common.paths import shown
from lbdeploy.errors import UsageError


def read(path: Path) -> str:
    """The text of the file. Raises UsageError."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        fix = f"name it with -f FILE or {environment.FILE}, or write one: lbdeploy init"
        raise UsageError(f"there is no {shown(path)}", fix=fix) from None
    except IsADirectoryError:
        raise UsageError(f"{shown(path)} is a folder", fix=f"name the file: -f {shown(path / 'hosts.toml')}") from None
    except UnicodeDecodeError as error:
        fix = "save it as UTF-8, or name another file with -f"
        raise UsageError(f"{shown(path)} is no text in UTF-8: see its byte {error.start + 1}", fix=fix) from None
    except OSError as error:
        fix = f"see what it is, and whether you may read it: ls -l {shlex.quote(str(shown(path)))}"
        raise UsageError(f"{shown(path)} can't be read: {error.strerror}", fix=fix) from None
