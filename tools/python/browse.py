#!/usr/bin/env python3
"""Looks at every page of site/ in Chromium: what is wider than its screen, pictures that are not there, the search.

Usage: make docs, then: .venv/bin/python tools/python/browse.py [FOLDER FOR SCREENSHOTS [PAGE.html ...]]

Each page at 390 and 1280 pixels, light and dark. Ends with 1 where something is wrong. Wants chromium (Debian's).
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[2]
SITE = TOP / "site"
WIDTHS = (390, 1280)
SHOWN = ("index.html", "status.html", "first-hour.html", "ja/index.html")  # screenshots of these
TOO_WIDE = """
(() => {
  const wide = document.documentElement.scrollWidth - innerWidth;
  const gone = [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src);
  return JSON.stringify({wide, gone});
})()
"""
# The dialog of the search is in a shadow root.
SEARCH = """
(async () => {
  const wait = s => new Promise(done => setTimeout(done, s * 1000));
  const roots = () => [...document.querySelectorAll('*')].map(e => e.shadowRoot).filter(Boolean);
  const inside = what => roots().flatMap(root => [...root.querySelectorAll(what)]);
  document.querySelector('.md-search__button').click();
  for (let i = 0; i < 50 && !inside('input').length; i++) await wait(0.2);
  const input = inside('input')[0];
  if (!input) return JSON.stringify({error: 'no field to search in'});
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, 'preempt');
  input.dispatchEvent(new Event('input', {bubbles: true}));
  let found = [];
  for (let i = 0; i < 50 && !found.length; i++) {
    await wait(0.2);
    found = inside('a[href]').map(a => a.href);
  }
  return JSON.stringify({found: found.slice(0, 5)});
})()
"""


class Browser:
    """Chromium, told by pipe what to do (its DevTools protocol)."""

    def __init__(self, profile: str) -> None:
        here, self._out = os.pipe()
        self._in, there = os.pipe()
        # Chromium reads from 3 and writes to 4.
        argv = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        shell = f'exec "$@" 3<&{here} 4>&{there}'
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", shell, "browse", *argv, f"--user-data-dir={profile}"],
            pass_fds=(here, there), stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(here)
        os.close(there)
        self._number, self._read, self._session = 0, b"", ""
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self._session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self("Page.enable")

    def __call__(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method, and wait for its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        return self._until(lambda told: told.get("id") == self._number).get("result", {})

    def visit(self, url: str) -> None:
        """Go to a page, and wait until all of it is there."""
        self("Page.navigate", url=url)
        self._until(lambda told: told.get("method") == "Page.loadEventFired")

    def value(self, script: str) -> Any:
        """What a script gives, as JSON."""
        done = self("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        return json.loads(done["result"]["value"])

    def _until(self, wanted: Any) -> dict[str, Any]:
        while True:
            while b"\0" not in self._read:
                more = os.read(self._in, 1 << 20)
                if not more:
                    raise SystemExit("chromium has ended")
                self._read += more
            first, _, self._read = self._read.partition(b"\0")
            told: dict[str, Any] = json.loads(first)
            if wanted(told):
                return told

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(10)


class Quiet(SimpleHTTPRequestHandler):
    """Serves the site without a word."""

    def log_message(self, *told: Any) -> None:
        """Nothing: who runs this wants to know what is wrong."""


@contextmanager
def served() -> Iterator[str]:
    """The address of the site, on this machine alone."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def main() -> int:
    """Every page; then the search."""
    pictures = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    every = sorted(str(path.relative_to(SITE)) for path in SITE.rglob("*.html") if path.name != "404.html")
    pages = sys.argv[2:] or every
    with tempfile.TemporaryDirectory() as profile, served() as address:
        browser = Browser(profile)
        try:
            wrong = [each for page in pages for each in look(browser, address, page, pictures)]
            wrong += search(browser, address)
        finally:
            browser.close()
    print("\n".join([*wrong, f"{len(pages)} pages, {len(wrong)} problems"]))
    return 1 if wrong else 0


def look(browser: Browser, address: str, page: str, pictures: Path | None) -> Iterator[str]:
    """What is wrong with a page, at each width, light and dark."""
    browser("Emulation.setDeviceMetricsOverride", width=WIDTHS[-1], height=900, deviceScaleFactor=1, mobile=False)
    browser.visit(f"{address}/{page}")
    for width in WIDTHS:
        browser("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        for scheme in ("light", "dark"):
            media = [{"name": "prefers-color-scheme", "value": scheme}]
            browser("Emulation.setEmulatedMedia", features=media)
            found = browser.value(TOO_WIDE)
            if found["wide"] > 0:
                yield f"{page} at {width}, {scheme}: {found['wide']} pixels too wide"
            yield from (f"{page}: {each} is not there" for each in found["gone"])
            if pictures and page in SHOWN:
                data = browser("Page.captureScreenshot", captureBeyondViewport=True)["data"]
                name = f"{page.replace('/', '-').removesuffix('.html')}-{width}-{scheme}.png"
                (pictures / name).write_bytes(base64.b64decode(data))


def search(browser: Browser, address: str) -> Iterator[str]:
    """`preempt` is a key of hosts.toml: that page comes first."""
    browser.visit(f"{address}/index.html")
    found = browser.value(SEARCH)
    first = next(iter(found.get("found", ())), "")
    if "hosts-toml" not in first:
        yield f"search for preempt: not hosts.toml first, but {found}"


if __name__ == "__main__":
    sys.exit(main())
