"""The page of `history`."""

from __future__ import annotations

from xml.etree import ElementTree

from pasts import ME, T, remembered, session

from lbdeploy.cli.report.history.page import page
from lbdeploy.errors import ConnectError
from lbdeploy.operations.history.event import History, PastEvent
from lbdeploy.operations.history.story import story


def test_it_has_every_event_the_latest_first() -> None:
    """And is well formed."""
    text = page(History("k8s-api", story({"lb1": remembered()}, [session(T + 700, "lbdeploy drill hang")], ME)))
    body = ElementTree.fromstring(text[text.index("<body>") : text.index("</html>")])
    rows = [each.get("class") for each in body.iter("tr")][1:]
    assert rows == ["good", "", ""]
    assert text.index("drill hang") < text.index("rollback") < text.index("lbdeploy up")


def test_what_nodes_say_stays_text() -> None:
    """No markup, nothing that steers, no secret; who did not answer is told."""
    bad = "<script>\x1b[2J auth_pass s3cret"
    event = PastEvent(T, "up", bad, bad, ("lb1",), (("lb1", bad),), {"exit_code": 1, "error": bad})
    text = page(History(bad, (event,), {"lb2": ConnectError("no answer")}))
    assert "<script>" not in text
    assert "\x1b" not in text
    assert "s3cret" not in text
    assert "lb2" in text


def test_without_events_it_says_so() -> None:
    """A cluster that is new."""
    assert "Nothing is recorded." in page(History("k8s-api", ()))
