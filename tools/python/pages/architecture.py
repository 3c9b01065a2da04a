"""docs/images/architecture.svg: the packages in their layers, and what each imports, from the code's own imports.

The layers are those of pyproject.toml, which import-linter enforces. Each package has a line down from its box; where
that line meets the line into another package's box, a number tells how many import statements there are.
"""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from html import escape
from pathlib import Path

TOP = Path(__file__).parents[3]
CODE = TOP / "lbdeploy"
ROW, STEP = 62, 44  # pixels from one box to the next, down and to the right
BOX_WIDTH, BOX_HEIGHT = 600, 44
MARGIN, HEADING = 24, 78
LANE = 20  # from a box's left side to the line down from it
ARROW = 7
LONGEST = 90  # characters of a box

STYLE = """\
svg { --ink: #1c2128; --paper: #ffffff; --faint: #57606a; --box: #f6f8fa; --rule: #afb8c1; --line: #57606a;
  --band: #f0f3f6; --mark: #0969da; --number: #ffffff; }
@media (prefers-color-scheme: dark) { svg { --ink: #e6edf3; --paper: #0d1117; --faint: #9198a1; --box: #161b22;
  --rule: #3d444d; --line: #768390; --band: #12171e; --mark: #4493f8; --number: #0d1117; } }
text { font: 12px ui-sans-serif, system-ui, "DejaVu Sans", sans-serif; fill: var(--ink); }
.head { font-size: 17px; font-weight: 600; } .name { font-size: 14px; font-weight: 600; } .faint { fill: var(--faint); }
.paper { fill: var(--paper); } .band { fill: var(--band); } .box { fill: var(--box); stroke: var(--rule); }
.line { stroke: var(--line); fill: none; } .arrow { fill: var(--line); } .mark { fill: var(--mark); }
.number { fill: var(--number); font-size: 11px; font-weight: 600; }
"""


@dataclass(frozen=True)
class Package:
    """A package, or a module beside the packages; `parts` are its subpackages with their numbers of modules."""

    name: str
    purpose: str
    modules: int
    parts: dict[str, int]

    @property
    def contents(self) -> str:
        """Its size in words."""
        size = "1 module" if self.modules == 1 else f"{self.modules} modules"
        parts = ", ".join(f"{name} {number}" for name, number in self.parts.items())
        return f"{size}: {parts}, ..." if parts else size


@dataclass(frozen=True)
class House:
    """The packages by layer, from the top, and the number of import statements from each package to each other."""

    layers: list[list[Package]]
    imports: Counter[tuple[str, str]]

    @cached_property
    def rows(self) -> dict[str, int]:
        """Each package's row."""
        return {each.name: row for row, each in enumerate(package for layer in self.layers for package in layer)}


def page() -> str:
    """The picture, as a document of its own."""
    house = read()
    width = 2 * MARGIN + (len(house.rows) - 1) * STEP + BOX_WIDTH
    height = HEADING + len(house.rows) * ROW + MARGIN
    parts = [*heading(house), *bands(house, width), *down(house), *into(house), *boxes(house), *numbers(house)]
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            "<title>The packages of lbdeploy in their layers, and the imports between them</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{width}" height="{height}" rx="8"/>',
            *parts,
            "</svg>\n",
        ]
    )


@cache
def read() -> House:
    """The layers of pyproject.toml, with what lies in the folder and what it imports."""
    contracts = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each.get("containers") == ["lbdeploy"])
    packages = [[package(name) for name in layer.split(" | ")] for layer in layers]
    names = {each.name for layer in packages for each in layer}
    return House(packages, Counter(edge for name in sorted(names) for edge in imports(name, names)))


def package(name: str) -> Package:
    """A package by its name."""
    modules = [path for path in files(name) if path.stem != "__init__"]
    folders = (path.relative_to(CODE).parts[1:-1] for path in modules)
    parts = Counter(folder[0] for folder in folders if folder)
    return Package(name, purpose(name), len(modules), dict(sorted(parts.items())))


def purpose(name: str) -> str:
    """The first sentence of its docstring, or what stands before the colon of a long one."""
    file = CODE / name / "__init__.py" if (CODE / name).is_dir() else CODE / f"{name}.py"
    sentence = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").partition("\n")[0]
    sentence = sentence.partition(". ")[0].rstrip(".").replace("`", "")
    return sentence if len(sentence) <= LONGEST else sentence.partition(":")[0]


def files(name: str) -> list[Path]:
    """The Python files of a package, or the one file of a module."""
    return sorted((CODE / name).rglob("*.py")) or [CODE / f"{name}.py"]


def imports(name: str, names: set[str]) -> Iterator[tuple[str, str]]:
    """An edge for each import statement that leads to another package, wherever in a file it is."""
    for path in files(name):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "lbdeploy":
                yield from ((name, target) for target in targets(node) & names - {name})


def targets(node: ast.ImportFrom) -> set[str]:
    """Which packages an import statement names."""
    inner = (node.module or "").partition(".")[2]
    return {inner.partition(".")[0]} if inner else {alias.name for alias in node.names}


def left(row: int) -> int:
    """The left side of a box."""
    return MARGIN + row * STEP


def middle(row: int) -> int:
    """The height of the line into a box."""
    return HEADING + row * ROW + ROW // 2


def heading(house: House) -> Iterator[str]:
    """What the picture shows."""
    modules = sum(each.modules for layer in house.layers for each in layer)
    counted = f"{len(house.layers)} layers, {len(house.rows)} packages and public modules, {modules} modules in all"
    yield text(MARGIN, 34, "The house of lbdeploy", "head")
    yield text(
        MARGIN, 54, f"{counted}. Where two lines meet: how often the box above imports the box at the arrow.", "faint"
    )


def bands(house: House, width: int) -> Iterator[str]:
    """A background for every second layer, so that packages of one layer are seen to be of one."""
    row = 0
    for index, layer in enumerate(house.layers):
        if index % 2 == 0:
            y, height = HEADING + row * ROW, len(layer) * ROW
            yield f'<rect class="band" x="8" y="{y}" width="{width - 16}" height="{height}" rx="6"/>'
        row += len(layer)


def down(house: House) -> Iterator[str]:
    """A line from each box down to the lowest that it imports."""
    for name, row in house.rows.items():
        lowest = max((house.rows[target] for source, target in house.imports if source == name), default=row)
        if lowest > row:
            x = left(row) + LANE
            yield f'<path class="line" d="M{x} {middle(row) + BOX_HEIGHT // 2}V{middle(lowest)}"/>'


def into(house: House) -> Iterator[str]:
    """An arrow into each box, from the first that imports it."""
    for name, row in house.rows.items():
        sources = [house.rows[source] for source, target in house.imports if target == name]
        if sources:
            y, end = middle(row), left(row)
            yield f'<path class="line" d="M{left(min(sources)) + LANE} {y}H{end - ARROW}"/>'
            yield f'<path class="arrow" d="M{end} {y}l-{ARROW + 1} -4v8z"/>'


def boxes(house: House) -> Iterator[str]:
    """Each package with its name and what is in it."""
    for layer in house.layers:
        for each in layer:
            x, y = left(house.rows[each.name]), middle(house.rows[each.name]) - BOX_HEIGHT // 2
            yield f'<rect class="box" x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="5"/>'
            yield text(x + 12, y + 18, each.name, "name")
            yield text(x + BOX_WIDTH - 12, y + 18, each.contents, "faint", "end")
            yield text(x + 12, y + 35, each.purpose, "faint")


def numbers(house: House) -> Iterator[str]:
    """The number of imports where the line of one box meets that of another."""
    for (source, target), number in sorted(house.imports.items()):
        x, y = left(house.rows[source]) + LANE, middle(house.rows[target])
        if house.rows[source] > house.rows[target]:
            raise ValueError(f"{source} imports {target}, which is above it: make lint says where")
        yield f'<rect class="mark" x="{x - 13}" y="{y - 9}" width="26" height="18" rx="9"/>'
        yield text(x, y + 4, str(number), "number", "middle")


def text(x: int, y: int, content: str, kind: str, anchor: str = "start") -> str:
    """A text element."""
    return f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(content)}</text>'
