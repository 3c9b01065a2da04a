#!/usr/bin/env python3
"""Makes docs/images/*.svg from what a terminal really shows of real runs, in a lab of its own. Needs root.

Usage: .venv/bin/python tools/python/screenshots.py [first-hour|take-over]
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pexpect
import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

TOP = Path(__file__).parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "tests" / "lab" / "support")]

from hand_made import BY_MULTICAST_WITH_AUTH, HAPROXY, INGRESS, SECOND, by_hand  # noqa: E402
from harness import Lab  # noqa: E402

IMAGES = TOP / "docs" / "images"
LBDEPLOY = str(Path(sys.executable).with_name("lbdeploy"))
COLUMNS, ROWS = 92, 150
NODES, SERVERS = "lb1=192.168.1.11 lb2=192.168.1.12", "192.168.1.21 192.168.1.22 192.168.1.23"
ANSWERS = ("", "ops", NODES, "", "", "", "192.168.0.10", "192.168.1.10", "", "", SERVERS)


REDIRECT = "frontend web\n    mode http\n    bind *:80\n    http-request redirect scheme https\n"


def main() -> None:
    """What pages type, in a lab, and what they see: all of them, or one."""
    walks = {"first-hour": _first_hour, "take-over": _take_over}
    for walk in [walks[name] for name in sys.argv[1:]] or walks.values():
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(TOP / "hosts.toml", folder)
            quietly(folder, "lab", "up")
            try:
                walk(folder)
            finally:
                quietly(folder, "lab", "down")


def _take_over(folder: str) -> None:
    """docs/howto/hand-made-pair.md: by multicast with a password, a second instance, an ingress and a redirect."""
    hosts = Path(folder, "hosts.toml")
    by_hand(Lab(hosts), BY_MULTICAST_WITH_AUTH + SECOND, HAPROXY + INGRESS + REDIRECT)
    quietly(folder, "--lab", "adopt", "lb1", "lb2", "--output", "adopted.toml")  # the page has its table as text
    Path(folder, "adopted.toml").replace(hosts)
    draw("adopt-up", "lbdeploy up --ask", screen(folder, "--lab", "up", "--ask", answers=["y"])[-29:])
    draw("adopt-down", "lbdeploy down", screen(folder, "--lab", "down", answers=["y"])[-9:])


def _first_hour(folder: str) -> None:
    """docs/first-hour.md."""
    hosts = Path(folder, "hosts.toml")
    draw("init", "lbdeploy init", screen(folder, "--lab", "init", "--output", "new.toml", answers=ANSWERS))
    Path(folder, "new.toml").replace(hosts)
    draw("check", "lbdeploy check", screen(folder, "check"))
    draw("doctor", "lbdeploy doctor", screen(folder, "--lab", "doctor"))
    draw("up-ask", "lbdeploy up --ask", screen(folder, "--lab", "up", "--ask", answers=["n"])[-40:])
    draw("up", "lbdeploy up", screen(folder, "--lab", "up"))
    draw("status", "lbdeploy status", screen(folder, "--lab", "status"))
    hosts.write_text(f'{hosts.read_text().rstrip()}\nmaster4 = "192.168.1.24"\n')
    quietly(folder, "lab", "up")
    draw("plan", "lbdeploy plan, with a fourth server in hosts.toml", screen(folder, "--lab", "plan"))
    draw("change", "lbdeploy up", screen(folder, "--lab", "up"))
    draw("drill", "lbdeploy drill haproxy", screen(folder, "--lab", "drill", "haproxy"))
    quietly(folder, "--lab", "verify", "--wait", "60")
    quietly(folder, "lab", "exec", "lb1", "systemctl stop haproxy; sleep 3")
    draw("verify", "lbdeploy verify, after haproxy on lb1 was stopped", screen(folder, "--lab", "verify"))


def quietly(folder: str, *args: str) -> None:
    """Run lbdeploy for its effect."""
    subprocess.run([LBDEPLOY, *args], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def screen(folder: str, *args: str, answers: Iterable[str] = ()) -> list[Text]:
    """The lines that a terminal shows when a command has ended, each of its questions having been answered in turn."""
    screen = pyte.Screen(COLUMNS, ROWS)
    env = {"TERM": "xterm-256color", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": folder, "LANG": "C.UTF-8"}
    child = pexpect.spawn(LBDEPLOY, list(args), cwd=folder, dimensions=(ROWS, COLUMNS), env=env, timeout=120)
    child.logfile_read = sent = io.BytesIO()
    for answer in answers:
        child.expect(r": $")
        child.sendline(answer)
    child.expect(pexpect.EOF)
    pyte.ByteStream(screen).feed(sent.getvalue().replace(folder.encode(), b"~"))  # a home of nobody's
    return text(screen)


def draw(name: str, title: str, lines: list[Text]) -> None:
    """An SVG of the screen, as rich draws one; without the address of a font, which nobody needs to fetch."""
    console = Console(record=True, width=COLUMNS, file=open("/dev/null", "w"))  # noqa: SIM115
    for line in lines:
        console.print(line)
    svg = console.export_svg(title=title, unique_id=f"lbdeploy-{name}")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    IMAGES.mkdir(parents=True, exist_ok=True)
    (IMAGES / f"{name}.svg").write_text(svg, encoding="utf-8")


def text(screen: pyte.Screen) -> list[Text]:
    """The lines of the screen with their colours, without the empty ones at its end."""
    lines = []
    for row in range(screen.lines):
        line = Text()
        for column in range(screen.columns):
            cell = screen.buffer[row][column]
            colour = None if cell.fg == "default" else cell.fg.replace("brown", "yellow")
            line.append(cell.data, Style(color=colour, bold=cell.bold))
        line.rstrip()
        lines.append(line)
    while lines and not lines[-1].plain:
        lines.pop()
    return lines


if __name__ == "__main__":
    main()
