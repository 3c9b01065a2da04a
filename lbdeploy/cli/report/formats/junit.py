"""JUnit's XML, as CI servers read it: a test case for each finding; warnings pass, and say so in their output."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

# What XML 1.0 has no way to say, not even escaped (section 2.2, Char).
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text(document: Mapping[str, Any]) -> str:
    """One test suite. Where nothing could be checked, its only case is an error.

    Where no finding is an error and it has failed all the same, as what was waited for has not come, a case says so.
    """
    findings = [*document.get("findings", ())]
    if findings and document["exit_code"] and all(each["severity"] != "error" for each in findings):
        findings.append(_of_whole(document.get("error", {})))
    suite = Element(
        "testsuite", name=_legal(f"lbdeploy verify {document['cluster']}"), time=str(document["duration_s"])
    )
    for each in findings:
        _case(suite, each)
    if "findings" not in document:
        _unchecked(suite, document.get("error", {}))
    failed = sum(each["severity"] == "error" for each in findings)
    errors = 0 if "findings" in document else 1
    suite.attrib |= {"tests": str(len(findings) + errors), "failures": str(failed), "errors": str(errors)}
    root = Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode")


def _of_whole(error: Mapping[str, Any]) -> dict[str, Any]:
    said = {"node": error.get("node"), "detail": error.get("message", "failed"), "fix": error.get("fix")}
    return {**said, "check": "verify", "severity": "error"}


def _case(suite: Element, finding: Mapping[str, Any]) -> None:
    detail = _legal(finding["detail"])
    where = _legal(finding["node"] or "cluster")
    case = SubElement(suite, "testcase", classname=f"{where}.{finding['check']}", name=detail)
    if finding["severity"] == "error":
        SubElement(case, "failure", message=detail).text = _legal(finding.get("fix") or "")
    elif finding["severity"] == "warning":
        SubElement(case, "system-out").text = _legal(f"warning: {finding['detail']}: {finding.get('fix') or ''}")


def _unchecked(suite: Element, error: Mapping[str, Any]) -> None:
    case = SubElement(suite, "testcase", classname=_legal(error.get("node") or "cluster"), name="could be checked")
    said = _legal(error.get("message", "not checked"))
    SubElement(case, "error", message=said).text = _legal(error.get("fix") or "")


def _legal(value: str) -> str:
    return FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", value)
