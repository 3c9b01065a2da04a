"""Many settings in one hosts.toml: what `check` and `render` take for it, which need no node."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from measure import peak_megabytes, processor_seconds
from pair import LBDEPLOY, Pair

ROUNDS = 3
SIZES = ((50, 1_000), (3_000, 6_000))  # frontends, and servers behind all of them
CHECK_SECONDS = 1.0  # for the smaller one
ANEW = {"XDG_CACHE_HOME": "/dev/null"}  # nothing can be kept there, so hosts.toml is always new

Cells = tuple[str, str, str, str, str, bool | None]  # of bench.Row


def many(pair: Pair) -> Iterator[Cells]:
    """The rows of the table. Processor time: nothing is waited for, and load adds less to it."""
    head = pair.file.read_text().partition("[frontends.")[0]
    for frontends, servers in SIZES:
        file = pair.folder / "many.toml"
        file.write_text(head + "".join(_frontend(number, servers // frontends) for number in range(frontends)))
        check = [LBDEPLOY, "-f", str(file), "check"]
        took = min(processor_seconds(check, ANEW) for _ in range(ROUNDS))
        limit, passed = (f"<= {CHECK_SECONDS:g} s", took <= CHECK_SECONDS) if frontends == SIZES[0][0] else ("", None)
        yield f"own CPU: `check`, {frontends:,} frontends, {servers:,} servers", f"{took:.2f} s", "", "", limit, passed
        peak = peak_megabytes(check, ANEW)
        render = min(processor_seconds([*check[:-1], "render"], ANEW) for _ in range(ROUNDS))
        yield "· `render` of that; peak memory of `check`", f"{render:.2f} s", f"{peak:.0f} MB", "", "", None


def _frontend(number: int, servers: int) -> str:
    first = int(ip_address("10.0.0.1")) + number * servers
    lines = (f's{number}-{each} = "{ip_address(first + each)}"\n' for each in range(servers))
    return f"[frontends.f{number}]\nport = {20_000 + number}\n[frontends.f{number}.servers]\n{''.join(lines)}"
