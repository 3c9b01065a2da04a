"""A cluster as JSON is the same cluster."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from builders import BIG, cluster
from clusters import REPOSITORY_KEY, WITH_SOURCES, with_firewall, with_options
from goldens import GOOD
from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.config.loading.encoding import decoded, encoded
from lbdeploy.config.model import Cluster


def through_json(of: Cluster) -> Any:
    return decoded(json.loads(json.dumps(encoded(of))))


def test_the_sample_comes_back_the_same(seed: Cluster) -> None:
    """Every type, and the order of the tables."""
    assert through_json(seed) == seed
    assert list(through_json(seed).networks) == list(seed.networks)


def test_every_setting_comes_back_the_same(tmp_path: Path, rich: Cluster) -> None:
    """With every setting away from its default."""
    (tmp_path / "own.gpg").write_bytes(REPOSITORY_KEY)
    sources = cluster(tmp_path, with_firewall(GOOD) + WITH_SOURCES)
    for of in (cluster(tmp_path, BIG), rich, with_options(tmp_path), sources):
        assert through_json(of) == of
        assert repr(through_json(of)) == repr(of)


def test_what_no_file_contains_is_not_part_of_it(seed: Cluster) -> None:
    """Answers, such as a password, never reach a file."""
    seed.ssh.answers.sudo_password = "hunter2"
    assert "hunter2" not in json.dumps(encoded(seed))
    assert "Answers" not in json.dumps(encoded(seed))
    assert through_json(seed).ssh.answers.sudo_password is None


@pytest.mark.parametrize(
    "value",
    [[], ["Popen", "id"], ["eval", "1"], ["Cluster"], ["IPv4Address", "no"], [["tuple"]], ["Path", 1], [None], ["str"]],
)
def test_nothing_but_a_cluster_is_made_of_it(value: Any) -> None:
    """No class of somebody else's choice, and no half of an object."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        decoded(value)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(anything)
def test_any_json_is_decoded_or_refused(value: Any) -> None:
    """Nothing else is raised, whatever stands in an entry."""
    with suppress(KeyError, TypeError, ValueError):
        decoded(value)
