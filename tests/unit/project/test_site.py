"""The site that is built from docs/: whole, and readable where there is no network."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

TOP = Path(__file__).parents[3]
DOCS = TOP / "docs"
LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "object": "data", "source": "src"}


def entries(nav: list[dict[str, Any]]) -> Iterator[str]:
    for each in nav:
        for where in each.values():
            yield from entries(where) if isinstance(where, list) else [where]


def test_every_page_can_be_navigated_to() -> None:
    """The navigation has each page once; decisions are listed on a page of their own."""
    config = tomllib.loads((TOP / "zensical.toml").read_text(encoding="utf-8"))
    listed = list(entries(config["project"]["nav"]))
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    decisions = {page for page in pages if re.match(r"decisions/\d", page)}
    assert sorted(listed) == sorted(pages - decisions)


def test_the_first_page_leads_to_every_other() -> None:
    """Each page of the navigation in English is named there; so is each in Japanese on the first one of those."""
    config = tomllib.loads((TOP / "zensical.toml").read_text(encoding="utf-8"))
    listed = {page for page in entries(config["project"]["nav"]) if not page.endswith("index.md")}
    for first, pages in (("index.md", {page for page in listed if not page.startswith("ja/")}),
                         ("ja/index.md", {page for page in listed if page.startswith("ja/")})):  # fmt: skip
        text = (DOCS / first).read_text(encoding="utf-8")
        linked = {
            str((DOCS / first).parent.joinpath(target).resolve().relative_to(DOCS))
            for target in re.findall(r"\]\(([^)#]+\.md)", text)
        }
        assert pages - linked == set()


def test_each_key_of_hosts_toml_is_a_title_for_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the place of its row; twice is as good as once."""
    monkeypatch.syspath_prepend(str(TOP / "tools" / "python"))
    with_keys = import_module("search_keys").with_keys
    page = {"location": "index.html", "level": 1, "title": "lbdeploy", "text": "", "path": [], "tags": []}
    index = with_keys({"config": {}, "items": [page]})
    found = {each["title"]: each for each in index["items"]}
    text = "Whether a node of higher priority takes the VIPs back when it returns."
    assert (found["vrrp.preempt"]["location"], found["vrrp.preempt"]["text"]) == ("hosts-toml.html#vrrp.preempt", text)
    assert {"frontends.NAME.check", "metrics.port", "vrrp.groups.NAME.router_id", "lbdeploy"} <= set(found)
    assert with_keys(index) == index


def test_pages_link_to_nothing_outside_of_the_site() -> None:
    """What is not in docs/ is not on the site, whatever is beside it in the repository."""
    for page in DOCS.rglob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            assert "://" in target or (page.parent / target).resolve().is_relative_to(DOCS), f"{page}: {target}"


def original(page: Path) -> Path:
    """The page in English that one in Japanese is a translation of."""
    same = DOCS / page.relative_to(DOCS / "ja")
    return same if same.exists() else DOCS / page.name


def typed(page: Path) -> list[str]:
    """The commands that a page has people type, without their options' comments, in their order."""
    found = re.findall(r"^ {4,8}(lbdeploy [^#\n]*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [" ".join(each.split()) for each in found]


def rows(text: str, heading: str = "") -> list[tuple[str, ...]]:
    """What the rows of a page's tables have between backticks, or as numbers, or as links to other pages, by column."""
    lines = [line.strip() for line in (text.partition(heading)[2] if heading else text).splitlines()]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("|")]
    return [tuple(code for cell in row for code in re.findall(r"`[^`]+`|^\d+\b", cell)) for row in cells]


TRANSLATED = sorted((DOCS / "ja").rglob("*.md"))


@pytest.mark.parametrize("page", [each for each in TRANSLATED if each.name != "index.md"], ids=lambda page: page.stem)
def test_pages_in_japanese_have_what_those_in_english_have(page: Path) -> None:
    """Whoever changes a page changes its translation, too: commands in their order, headings, pictures, tables."""

    def shape(file: Path) -> dict[str, list[Any]]:
        text = file.read_text(encoding="utf-8")
        prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        return {
            "commands": typed(file),
            "headings": re.findall(r"^#+", prose, re.MULTILINE),
            "pictures": re.findall(r"!\[[^]]*\]\(\S*?(images/\S+)\)", text),
            "codes": [] if file.name == "errors.md" else rows(text),
        }

    translated, wanted = shape(page), shape(original(page))
    if page.name == "errors.md":  # one table, which links to the sections
        wanted["headings"], wanted["commands"] = ["#"], []
    assert translated == wanted


def test_the_errors_in_japanese_are_those_in_english() -> None:
    """Each kind, with its exit code, in the same order."""
    kinds = [
        re.findall(r"^\| \[(\w+)\]\([^)]*#(\w+)\) \| (\d+) \|", page.read_text(encoding="utf-8"), re.MULTILINE)
        for page in (DOCS / "errors.md", DOCS / "ja" / "errors.md")
    ]
    assert len(kinds[0]) > 10
    assert kinds[1] == kinds[0]


def test_the_first_page_in_japanese_has_the_commands_and_codes_of_the_readme() -> None:
    """It stands for the README, too: each command, and each exit code with the commands that end with it."""
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    page = (DOCS / "ja" / "index.md").read_text(encoding="utf-8")
    for first in (r"^\| `lbdeploy ([a-z]+)", r"^\| (\d+) \|.*"):
        wanted = re.findall(first, readme, re.MULTILINE)
        assert wanted
        assert re.findall(first, page, re.MULTILINE) == wanted
    codes = [re.findall(r"^\| \d+ \| .*", text, re.MULTILINE) for text in (page, readme)]
    assert [re.findall(r"`\w+`", row) for row in codes[0]] == [re.findall(r"`\w+`", row) for row in codes[1]]


class Page(HTMLParser):
    """What a built page links to, loads, and can be linked at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag in LOADS and values.get("rel") != "canonical":
            self.loads.append(values.get(LOADS[tag], ""))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built anew."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(DOCS, folder / "docs")
    shutil.copy(TOP / "zensical.toml", folder)
    zensical = Path(sys.executable).with_name("zensical")
    done = subprocess.run([zensical, "build", "--strict"], check=False, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


@pytest.mark.terminal
def test_every_link_of_the_built_site_leads_somewhere(site: Path) -> None:
    """Pages, files and anchors: those that the generator makes, too."""
    pages = {page: Page(page.read_text(encoding="utf-8")) for page in site.rglob("*.html") if page.name != "404.html"}
    assert len(pages) > 60
    for page, parsed in pages.items():
        for link in parsed.links:
            if "://" in link or link.startswith("mailto:"):
                continue
            path, _, anchor = unquote(link).partition("#")
            target = (page.parent / path).resolve() if path else page
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), f"{page.relative_to(site)}: {link}"
            assert not anchor or target.suffix != ".html" or anchor in pages[target].ids, f"{page.name}: {link}"


@pytest.mark.terminal
def test_the_built_site_can_be_read_without_a_network(site: Path) -> None:
    """No page, style or picture loads anything from elsewhere."""
    for page in site.rglob("*.html"):
        parsed = Page(page.read_text(encoding="utf-8"))
        assert not [each for each in parsed.loads if "//" in each], page.name
    for file in [*site.rglob("*.css"), *site.rglob("*.svg")]:
        loaded = re.findall(r"(?:url\(|@import|href=)\s*[\"']?(?:https?:)?//[^\"')]*", file.read_text(encoding="utf-8"))
        assert not loaded, f"{file.name}: {loaded}"
