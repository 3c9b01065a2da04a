"""verify as JUnit's XML."""

from __future__ import annotations

from xml.etree import ElementTree

from documents import failed, finding, verified

from lbdeploy.cli.report.formats import Format

JUNIT = Format("junit")


def test_each_finding_is_a_case_and_errors_are_failures() -> None:
    """A CI server counts them."""
    found = (finding("ok", "fine"), finding("warning", "a server is down"), finding("error", "no VIP", node=None))
    suite = ElementTree.fromstring(JUNIT.text(verified(*found, code=6))).find("testsuite")
    assert suite is not None
    assert (suite.attrib["tests"], suite.attrib["failures"], suite.attrib["errors"]) == ("3", "1", "0")
    cases = suite.findall("testcase")
    assert [each.attrib["classname"] for each in cases] == ["lb1.service", "lb1.service", "cluster.service"]
    failure = cases[2].find("failure")
    assert failure is not None
    assert (failure.attrib["message"], failure.text) == ("no VIP", "lbdeploy up")


def test_what_was_waited_for_and_has_not_come_is_a_failure() -> None:
    """Though each finding is a warning at the most."""
    error = {"message": "what was waited for has not come about", "node": None, "fix": "lbdeploy verify"}
    document = verified(finding("warning", "a server is down"), code=6, error=error)
    suite = ElementTree.fromstring(JUNIT.text(document)).find("testsuite")
    assert suite is not None
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("2", "1")
    failure = suite.findall("testcase")[1].find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "what was waited for has not come about"


def test_what_could_not_be_checked_is_an_error() -> None:
    """An empty suite would pass."""
    suite = ElementTree.fromstring(JUNIT.text(failed("no answer"))).find("testsuite")
    assert suite is not None
    assert (suite.attrib["tests"], suite.attrib["errors"]) == ("1", "1")


def test_it_is_xml_whatever_a_node_says() -> None:
    """Control characters have no place in XML 1.0, and markup is text."""
    text = JUNIT.text(verified(finding("error", "\x1b[31m<b>&\x00"), code=6))
    case = ElementTree.fromstring(text).find("testsuite/testcase")
    assert case is not None
    assert case.attrib["name"] == "\ufffd[31m<b>&\ufffd"
