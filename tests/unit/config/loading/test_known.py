"""A hosts.toml that was valid before is not parsed anew, unless anything that it depends on has changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from builders import cluster
from clusters import OPTIONS, REPOSITORY_KEY, WITH_SOURCES
from goldens import GOOD, RICH, TOKEN, beside

from lbdeploy.common import cache
from lbdeploy.config import reader
from lbdeploy.config.loading.known import load
from lbdeploy.config.model import Secret
from lbdeploy.errors import HostsFileError

WHOLE = GOOD.replace("preempt_delay = 30\n", "preempt_delay = 30\n" + OPTIONS) + WITH_SOURCES
SECRET = "#!/bin/sh\ncurl -u ops:hunter2 https://example.org\n"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with nothing in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "lbdeploy"


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were parsed."""
    texts: list[str] = []
    really = reader.load

    def counting(path: Path, text: str = "", *rest: Any) -> Any:
        texts.append(text)
        return really(path, text or None, *rest)

    monkeypatch.setattr(reader, "load", counting)
    return texts


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A hosts.toml that names files of every kind."""
    beside(tmp_path)
    (tmp_path / "own.gpg").write_bytes(REPOSITORY_KEY)
    (tmp_path / "hosts.toml").write_text(WHOLE)
    return tmp_path / "hosts.toml"


def test_what_was_valid_is_not_parsed_again(tmp_path: Path, parsed: list[str]) -> None:
    """The second time the cluster is the same, and nothing was parsed."""
    file = tmp_path / "hosts.toml"
    first = load(file, GOOD)
    assert load(file, GOOD) == first
    assert parsed == [GOOD]
    assert first == cluster(tmp_path, GOOD)


def test_files_that_it_names_are_part_of_it(file: Path, parsed: list[str]) -> None:
    """With scripts, a certificate and a key, too."""
    first = load(file, WHOLE)
    parsed.clear()
    assert load(file, WHOLE) == first == reader.load(file, WHOLE)
    assert parsed == [WHOLE]  # by this test itself


@pytest.mark.parametrize("other", ["text", "folder", "home"])
def test_another_file_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parsed: list[str], other: str) -> None:
    """Other contents, another place, or another home, where "~" is in it."""
    text = GOOD.replace('user = "ops"', 'user = "ops"\nidentity_file = "~/.ssh/lb"')
    monkeypatch.setenv("HOME", "/home/a")
    load(tmp_path / "hosts.toml", text)
    if other == "home":
        monkeypatch.setenv("HOME", "/home/b")
    folder = tmp_path / "other" if other == "folder" else tmp_path
    text += "\n# changed\n" if other == "text" else ""
    found = load(folder / "hosts.toml", text)
    assert len(parsed) == 2
    assert (found.path, str(found.ssh.identity_file)) == (
        folder / "hosts.toml",
        f"/home/{'b' if other == 'home' else 'a'}/.ssh/lb",
    )


def test_a_changed_script_is_read(file: Path, parsed: list[str]) -> None:
    """What is put on the nodes is what is there now."""
    script = next(each for each in file.parent.rglob("*") if each.is_file() and each.read_bytes().startswith(b"#!"))
    load(file, WHOLE)
    script.write_text("#!/bin/sh\nexit 1\n")
    parsed.clear()
    assert "#!/bin/sh\nexit 1\n" in {each.text for each in load(file, WHOLE).vrrp.scripts}
    assert parsed
    script.unlink()
    with pytest.raises(HostsFileError):
        load(file, WHOLE)


def test_scripts_are_not_kept(file: Path, own_cache: Path) -> None:
    """The operator's scripts may have passwords in them."""
    for each in file.parent.rglob("*"):
        if each.is_file() and each.read_bytes().startswith(b"#!"):
            each.write_text(SECRET)
    found = load(file, WHOLE)
    assert {each.text for each in found.vrrp.scripts} == {SECRET}
    assert load(file, WHOLE) == found
    assert "hunter2" not in "".join(each.read_text() for each in own_cache.iterdir())


def test_a_file_that_changes_meanwhile_is_not_kept(
    file: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A digest of the new contents beside the cluster of the old ones would be believed for ever."""
    really = cache.digest
    script = next(each for each in file.parent.rglob("*") if each.is_file() and each.read_bytes().startswith(b"#!"))
    reads = iter(["#!/bin/sh\nexit 3\n"])
    of_file = reader.load

    def load_then_change(*given: Any) -> Any:
        found = of_file(*given)
        script.write_text(next(reads, script.read_text()))
        return found

    monkeypatch.setattr(reader, "load", load_then_change)
    load(file, WHOLE)
    assert cache.digest is really
    assert not own_cache.exists()


@pytest.mark.parametrize("value", [None, [], {}, {"files": {}}, {"files": {}, "cluster": ["tuple"]}, {"files": 1}])
def test_what_is_no_cluster_is_parsed_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parsed: list[str], value: Any
) -> None:
    """Whatever an entry holds."""
    monkeypatch.setattr(cache, "recall", lambda _: json.loads(json.dumps(value)))
    assert load(tmp_path / "hosts.toml", GOOD) == cluster(tmp_path, GOOD)
    assert parsed[0] == GOOD


def test_a_file_with_problems_is_never_kept(tmp_path: Path, own_cache: Path) -> None:
    """Its problems are told each time, with their lines."""
    for _ in range(2):
        with pytest.raises(HostsFileError) as raised:
            load(tmp_path / "hosts.toml", GOOD.replace("router_id = 101", "router_id = 300"))
        assert raised.value.problems[0].line
    assert not own_cache.exists()


def test_frontends_with_certificates_are_the_same(ca_folder: Path, own_cache: Path) -> None:
    """A CA's certificates, by frontend; and what servers are shown, which is not kept."""
    first = load(ca_folder / "hosts.toml", RICH)
    assert load(ca_folder / "hosts.toml", RICH) == first
    assert any(each.check_ca for each in first.frontends)
    assert first.frontends[-1].check_token == Secret("token", TOKEN + "\n")
    kept = "".join(each.read_text() for each in own_cache.rglob("*") if each.is_file())
    assert "machine-config" in kept
    assert TOKEN not in kept
    assert "PRIVATE KEY" not in kept


def test_a_renewed_token_is_read(ca_folder: Path) -> None:
    """hosts.toml is the same."""
    load(ca_folder / "hosts.toml", RICH)
    (ca_folder / "token").write_text("newer")
    assert load(ca_folder / "hosts.toml", RICH).frontends[-1].check_token == Secret("token", "newer")


def test_another_file_for_a_pattern_is_another_cluster(tmp_path: Path) -> None:
    """Nothing of hosts.toml has changed then; and nothing of what is kept has the text of a section."""
    text = GOOD + '[haproxy]\nextra = ["haproxy.d/*.cfg"]\n'
    (tmp_path / "haproxy.d").mkdir()
    (tmp_path / "haproxy.d/a.cfg").write_text("listen hunter2\n")
    for number in (1, 1, 2):
        (tmp_path / f"haproxy.d/{number}.cfg").write_text("listen a\n")
        assert len(load(tmp_path / "hosts.toml", text).extra) == number + 1
    assert load(tmp_path / "hosts.toml", text).extra[-1].text == "listen hunter2\n"
    assert "hunter2" not in "".join(each.read_text() for each in (tmp_path / "cache").rglob("*") if each.is_file())
