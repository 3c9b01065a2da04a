#!/usr/bin/env python3
"""Draws what commands show, and every page of `status --watch`, at four widths, light and dark, as SVG.

Usage: .venv/bin/python tools/python/screens.py FOLDER

They are to be looked at. Of the sample's pair as the tests have it: bare, well, and with haproxy stopped. It needs no
lab. What commands print goes through a terminal of that width, and the picture is what that shows.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import pyte
from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, MONOKAI, TerminalTheme
from rich.text import Text
from rich.theme import Theme

TOP = Path(__file__).parents[2]
sys.path.insert(0, str(TOP / "tests" / "support"))

from checkups import looked  # noqa: E402
from drills import result  # noqa: E402
from pasts import ME, T, remembered, session  # noqa: E402
from plans import bare_and_changed  # noqa: E402
from statuses import pair  # noqa: E402
from verdicts import BARE, GONE, verdict  # noqa: E402
from watching import clusters, fault, watched  # noqa: E402

from lbdeploy.cli.report.live.fleet import fleet_screen  # noqa: E402
from lbdeploy.cli.report.live.screen import screen  # noqa: E402
from lbdeploy.cli.report.live.view import LiveView, Page  # noqa: E402
from lbdeploy.cli.report.reporter import Reporter  # noqa: E402
from lbdeploy.cli.report.terminal import RICH, Line, cell  # noqa: E402
from lbdeploy.config import reader  # noqa: E402
from lbdeploy.errors import ConnectError, HostsFileError  # noqa: E402
from lbdeploy.health.verdict import Verdict  # noqa: E402
from lbdeploy.operations.doctor.doctor import diagnose  # noqa: E402
from lbdeploy.operations.history.event import History  # noqa: E402
from lbdeploy.operations.history.story import story  # noqa: E402
from lbdeploy.operations.topology import topology  # noqa: E402
from lbdeploy.planning.plan import Plan  # noqa: E402
from lbdeploy.rollout.run import Outcome  # noqa: E402
from screenshots import text  # noqa: E402

Tell = Callable[[Reporter], None]
BARE_NODE = {"states": BARE, "holds": False, "haproxy_answers": False, "servers": (), "own": {}}
LONG = 200  # lines of the terminal: nothing is scrolled away
SIZES = ((60, 14), (80, 24), (100, 30), (140, 40))
THEMES: dict[str, TerminalTheme] = {"light": DEFAULT_TERMINAL_THEME, "dark": MONOKAI}


def main() -> None:
    """Each screen at each size, in both colours."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["TERM"] = "xterm-256color"
    for size in SIZES:
        live = ((f"status --watch: {name}", [cell(*line) for line in lines]) for name, lines in screens(size))
        told = ((name, printed(tell, size[0])) for name, tell in commands())
        for name, shown in (*live, *told):
            for colours, theme in THEMES.items():
                file = re.sub(r"\W+", "-", name)
                path = folder / f"{file}-{size[0]}-{colours}.svg"
                path.write_text(svg(name, shown, size[0], theme), encoding="utf-8")


def commands() -> Iterator[tuple[str, Tell]]:
    """What commands show of a pair that is well, and of one that is not."""
    seed = reader.load(TOP / "hosts.toml")
    well = pair(seed)
    yield "verify", lambda reporter: reporter.verdict(verdict(seed, {}, {}))
    yield "verify, haproxy stopped", lambda reporter: reporter.verdict(verdict(seed, {}, GONE))
    yield "status", lambda reporter: reporter.status(well)
    yield "show --live", lambda reporter: (reporter.topology(topology(seed, well)), reporter.condition(well))[0]
    yield "doctor", lambda reporter: reporter.doctor(diagnose(seed, [looked(seed, ahead=3600)], {}))
    yield "drill", lambda reporter: reporter.drill(result(seed))
    yield "check, a typo", mistake
    yield "history", lambda reporter: reporter.history(past(), None)
    with TemporaryDirectory() as folder:
        new, changed = bare_and_changed(seed, Path(folder))
    yield "plan, bare nodes", lambda reporter: planned(reporter, new, verdict(seed, BARE_NODE, BARE_NODE))
    yield "plan, a change", lambda reporter: planned(reporter, changed, verdict(seed, {}, {}))
    yield "up", lambda reporter: reporter.up(Outcome(new, verdict(seed, {}, {}), ("lb1", "lb2")))
    yield (
        "up, nothing to do",
        lambda reporter: reporter.up(Outcome(Plan({}, (), ("lb1", "lb2")), verdict(seed, {}, {}))),
    )
    yield "up, haproxy stopped", lambda reporter: reporter.up(Outcome(changed, verdict(seed, {}, GONE), ("lb2", "lb1")))


def planned(reporter: Reporter, plan: Plan, found: Verdict) -> None:
    """What `plan` shows of it."""
    reporter.planned(Outcome(plan, found), "lbdeploy up", whole=False)


def past() -> History:
    """Two runs, a drill, and a node that did not answer."""
    drill = session(T + 700, "lbdeploy drill haproxy", kind="haproxy", outage_ms=711, expected_ms=709)
    return History("k8s-api", story({"lb1": remembered()}, [drill], ME), {"lb2": ConnectError("no answer", node="lb2")})


def mistake(reporter: Reporter) -> None:
    """What is said of a file with a mistake in it."""
    wrong = (TOP / "hosts.toml").read_text(encoding="utf-8").replace("router_id", "roter_id")
    try:
        reader.load(Path("hosts.toml"), wrong)
    except HostsFileError as error:
        reporter.error(error)


def printed(tell: Tell, width: int) -> list[Text]:
    """What a terminal of that width shows of it."""
    master, slave = pty.openpty()
    os.environ["COLUMNS"] = str(width)  # rich asks only the terminal that this process itself has
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LONG, width, 0, 0))
    screen = pyte.Screen(width, LONG)
    stream = pyte.ByteStream(screen)
    reader_of_it = threading.Thread(target=feed, args=(master, stream))
    reader_of_it.start()
    with open(slave, "w", encoding="utf-8") as terminal, redirect_stdout(terminal), redirect_stderr(terminal):
        tell(Reporter(json=False, verbose=0))
    reader_of_it.join()
    os.close(master)
    return text(screen)


def feed(master: int, stream: pyte.ByteStream) -> None:
    """Give a terminal what is written to it, until nobody can write to it any more."""
    while True:
        try:
            stream.feed(os.read(master, 1 << 16))
        except OSError:  # EIO: the other side is closed (pty(7))
            return


def screens(size: tuple[int, int]) -> Iterator[tuple[str, list[Line]]]:
    """Each page of a pair that is not well, the overview of one that is, and many clusters."""
    seed = reader.load(TOP / "hosts.toml")
    yield "healthy", screen(watched(pair(seed)), LiveView(), size)
    for page in get_args(Page):
        yield page, screen(watched(fault(seed)), LiveView(page=page), size)
    yield "clusters", fleet_screen(clusters(seed), LiveView(), size)


def svg(name: str, lines: list[Text], width: int, theme: TerminalTheme) -> str:
    """The picture, without the address of a font."""
    console = Console(record=True, width=width, file=open("/dev/null", "w"), theme=Theme(RICH))  # noqa: SIM115
    for line in lines:
        console.print(line, no_wrap=True, overflow="crop")
    drawn = console.export_svg(title=name, theme=theme, unique_id=re.sub(r"\W+", "-", f"lbdeploy-{name}"))
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)


if __name__ == "__main__":
    main()
