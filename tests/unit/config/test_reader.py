"""hosts.toml: what a good file means, and what is said about every kind of bad one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import Any

import pytest
from anywhere import DATA, items, paths, replaced, write
from builders import BIG, SEED
from goldens import GOOD
from hosts_toml import problems
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster, Frontend, Network, Node, Server, Ssh, Vrrp
from lbdeploy.config.schema import BELOW, NAMED, SINGLE, ServerTable, Table
from lbdeploy.errors import HostsFileError, UsageError
from lbdeploy.planning.desired import files


def test_the_sample_file_is_the_seeds_cluster() -> None:
    """The sample describes exactly the pair, the VIPs and the servers of the procedure."""
    assert reader.load(SEED) == Cluster(
        name="k8s-api",
        path=SEED,
        ssh=Ssh(user="ops"),
        networks={
            "external": Network("external", "ens33", (ip_interface("192.168.0.10/24"),)),
            "management": Network("management", "ens32", (ip_interface("192.168.1.10/24"),)),
        },
        nodes=tuple(
            Node(
                name,
                priority,
                host=f"192.168.1.{last}",
                addresses={
                    "external": ip_address(f"192.168.0.{last}"),
                    "management": ip_address(f"192.168.1.{last}"),
                },
                interfaces={"external": "ens33", "management": "ens32"},
            )
            for name, priority, last in (("lb1", 200, 11), ("lb2", 100, 12))
        ),
        vrrp=Vrrp("management", 101, 1.0, True, 30.0, "auto", 1, 2, 1, 2),
        frontends=(
            Frontend(
                name="k8s-api",
                port=6443,
                balance="roundrobin",
                check="tcp",
                interval=10,
                fast_interval=1,
                rise=3,
                fall=2,
                connect_timeout=5,
                client_timeout=14400,
                server_timeout=14400,
                check_timeout=5,
                servers=tuple(Server(f"master{n}", ip_address(f"192.168.1.2{n}"), 6443) for n in (1, 2, 3)),
            ),
        ),
    )


def test_windows_line_ends_are_read(tmp_path: Path) -> None:
    """A file that was written on Windows means the same."""
    (tmp_path / "hosts.toml").write_bytes(GOOD.replace("\n", "\r\n").encode())
    assert reader.load(tmp_path / "hosts.toml").frontends == reader.load(SEED).frontends


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[cluster\n", "1: the name of the table is not closed; write a ] at its end"),
        ("[cluster]\nname = 'x'\n\nname\n", "4: this line is neither KEY = VALUE nor a [table]"),
        ('[cluster]\nname = """\n\n', '2: the text is not closed; write """ at its end'),
        ("x = " + 2000 * "[", "1: is nested too deeply"),
        ("x" + 5000 * ".a" + " = 1", "1: is nested too deeply"),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    """A syntax error ends the reading, and its line is told."""
    (found,) = problems(tmp_path, text)
    assert found.startswith(problem)


def test_a_missing_file_is_told_how_to_name_one(tmp_path: Path) -> None:
    """Without a file, the error names the path and the ways to give another."""
    with pytest.raises(UsageError) as caught:
        reader.load(tmp_path / "none.toml")
    assert not isinstance(caught.value, HostsFileError)
    assert str(tmp_path / "none.toml") in caught.value.message
    assert "-f FILE" in (caught.value.fix or "")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("make", "told", "fix"),
    [
        (lambda path: path.write_bytes(b"\xff\xfe[\x00"), "is no text in UTF-8: see its byte 1", "save it as UTF-8"),
        (lambda path: path.write_bytes(b'[cluster]\nname = "\xe4"\n'), "see its byte 19", "save it as UTF-8"),
        (lambda path: path.mkdir(), "hosts.toml is a folder", "hosts.toml/hosts.toml"),
        (lambda path: path.symlink_to(path), "hosts.toml can't be read: Too many levels of symbolic links", "ls -l "),
    ],
)
def test_a_file_that_is_no_text_is_told_to_be_unreadable(
    tmp_path: Path, make: Callable[[Path], object], told: str, fix: str
) -> None:
    """A file that is not UTF-8, a folder, a link to itself: what it is, and what to do."""
    make(tmp_path / "hosts.toml")
    with pytest.raises(UsageError, match=re.escape(told)) as caught:
        reader.load(tmp_path / "hosts.toml")
    assert caught.value.exit_code == 2
    assert fix in (caught.value.fix or "")


def test_a_byte_order_mark_is_told_as_such(tmp_path: Path) -> None:
    """Editors of Windows write one, and nobody sees it."""
    (tmp_path / "hosts.toml").write_text(SEED.read_text(encoding="utf-8"), encoding="utf-8-sig")
    with pytest.raises(HostsFileError) as caught:
        reader.load(tmp_path / "hosts.toml")
    assert [(each.line, each.fix) for each in caught.value.problems] == [(1, "save the file as UTF-8 without one")]
    assert "byte order mark" in caught.value.problems[0].message


NASTY = [
    '"',
    "'",
    "\n",
    "\r",
    ";",
    "$(reboot)",
    "`id`",
    "{{ 7 }}",
    "%}",
    "{% x",
    " ",
    "#",
    "!",
    "é",
    "\uff05",
    "\x00",
    "|",
    "%",
    "/",
    "-",
    "\\",
    "\u2028",
    "&",
    ">",
    "fe80::1%x\nserver evil",
    "eth0 dev lo",
    "..",
    "}",
]


def strings(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every string value."""
    inner = [found for key, value in items(data) for found in strings(value, (*path, key))]
    return [path] if isinstance(data, str) else inner


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return reader.load(write(tmp_path_factory.mktemp("before"), DATA))


def families(cluster: Cluster) -> list[int]:
    return [vip.ip.version for vip in cluster.vips]


FIELDS = strings(DATA)


def structure(cluster: Cluster) -> list[list[int]]:
    """Of each rendered file the number of words in each line."""
    return [
        [len(line.split()) for line in file.content.split("\n")] for n in cluster.nodes for file in files(cluster, n)
    ]


text = st.builds(
    lambda before, nasty, after: before + nasty + after,
    st.sampled_from(["", "ops", "eth0", "10.0.0.1", "fd00::1", "fe80::1%", "10.0.0.0/", "[fd00::1]:"])
    | st.text(max_size=5),
    st.sampled_from(NASTY) | st.text(max_size=5),
    st.sampled_from(["", "x", "/24", ":80", "]:80"]) | st.text(max_size=5),
)


@given(st.sampled_from(FIELDS), text)
@example(("frontends", "api", "servers", "m1"), "fe80::1%\n    server evil 10.0.0.1:1")
@example(("nodes", "lb-a", "front"), "fe80::1%$(reboot)")
@example(("networks", "back", "vip"), "fe80::1%x dev lo/64")
@example(("networks", "front", "interface"), "eth0\n")
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_value_can_become_a_directive(tmp_path: Path, before: Cluster, field: tuple[str, ...], value: str) -> None:
    """Any text in any field is refused, or renders to files with as many lines and words as before."""
    try:
        found = reader.load(write(tmp_path, replaced(DATA, field, value)))
    except (HostsFileError, UsageError):
        return
    # A VIP of the other family moves between two lists of keepalived's; no other value changes the structure.
    assert families(found) != families(before) or structure(found) == structure(before)
    assert not re.search(r"[^\x20-\x7e\n]", "".join(file.content for n in found.nodes for file in files(found, n)))


@given(text, st.sampled_from(["networks", "nodes", "frontends"]))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_name_can_become_a_directive(tmp_path: Path, before: Cluster, name: str, section: str) -> None:
    """Any text as a table's name is refused, or renders to files with as many lines and words as before."""
    old = next(iter(DATA[section]))
    data = {**DATA, section: {name if key == old else key: value for key, value in DATA[section].items()}}
    try:
        found = reader.load(write(tmp_path, data))
    except (HostsFileError, UsageError):
        return
    assert structure(found) == structure(before)


leaf = st.booleans() | st.integers() | st.floats() | text | st.dates() | st.datetimes() | st.times()
values = st.recursive(
    leaf,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(paths(DATA)), values)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value_anywhere_is_read_or_refused(tmp_path: Path, path: tuple[str, ...], value: Any) -> None:
    """A value of any type in any place gives a cluster, or problems that each name a line of the file."""
    file = write(tmp_path, replaced(DATA, path, value))
    error = refusal(file)
    lines = file.read_text().count("\n") + 1
    assert error is None or error.problems
    for problem in error.problems if error else ():
        assert 1 <= problem.line <= lines
        assert problem.message
    assert not error or all("\n" not in line for line in error.lines())


def refusal(file: Path) -> HostsFileError | None:
    try:
        reader.load(file)
    except HostsFileError as error:
        return error
    return None


pieces = st.sampled_from([*BIG.splitlines(keepends=True), '"', "[", "]", "{", "}", "=", "'''", '"""', "\n", "[[", "."])


@given(st.lists(pieces | st.text(max_size=8), max_size=30).map("".join) | st.text())
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_read_or_refused(tmp_path: Path, content: str) -> None:
    """Whatever stands in the file, nothing but a usage error comes of it."""
    (tmp_path / "hosts.toml").write_text(content, encoding="utf-8", newline="")
    with pytest.raises(UsageError):
        reader.load(tmp_path / "hosts.toml")


ODD: list[Any] = [
    True, -(10**30), 1.5, float("nan"), "", "x", "a b", date(2026, 1, 2), [], [1], ["x"], [[]], {}, {"a": 1}, {"": "x"},
    {"a b": {"c": "x"}}, [*range(200)], ["a b"] * 200, {f"name{each}": {} for each in range(1200)},
]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        *(((name,), kind) for name, kind in SINGLE.items()),
        *(((name, "x"), kind) for name, kind in NAMED.items()),
        *(((*name, "x"), kind) for name, kind in BELOW.items()),
        (("frontends", "x", "servers", "m1"), ServerTable),
    ],
)
def test_whatever_is_wrong_is_told_in_plain_words_with_its_remedy(table: tuple[str, ...], kind: type[Table]) -> None:
    """Nothing is told in the words of pydantic's, whichever value any key has."""
    for key in kind.model_fields:
        for value in ODD:
            data: Any = {key: value}
            for part in reversed(table):
                data = {part: data}
            for problem in reader.problems(data):
                assert problem.fix, (problem, value)
                assert "should" not in problem.message, (problem, value)


def test_reading_the_file_imports_only_what_it_needs() -> None:
    """Pydantic looks for plugins with importlib.metadata, which costs 15 ms, unless the command line says no."""
    program = (
        "import sys; from lbdeploy.common import startup; startup.lean = True; import lbdeploy.planning.lint.lint;"
        "import lbdeploy.config.reader; print(*({'importlib.metadata', 'email', 'zipfile'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert out.strip() == ""


def test_a_problem_is_known_by_its_rule_and_key() -> None:
    """Whatever the words: `init` compares what is wrong before and after an answer."""
    small, large = ({"vrrp": {"network": "a", "router_id": number}} for number in (-1, 0))
    before, after = ({each.id: each.message for each in reader.problems(data)} for data in (small, large))
    assert before.keys() == after.keys()
    assert before["greater_than_equal", ("vrrp", "router_id")] == "-1 is too small"
    assert after["greater_than_equal", ("vrrp", "router_id")] == "0 is too small"
