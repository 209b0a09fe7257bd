"""Pages in a real browser: Chromium without a window, as the machine of the tests has it installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from html import escape, unescape

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

# Without a sandbox, which containers lack; quiet: nothing but the page is loaded.
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--enable-logging=stderr", "--dump-dom",
)  # fmt: skip

# In frames, because windows have a least width.
_MEASURED = """<!DOCTYPE html><html><body>{frames}<pre id="measured"></pre><script>
function measured(frame) {{
  const page = frame.contentDocument, view = frame.contentWindow, outside = [], cut = [];
  for (const element of page.querySelectorAll("main *")) {{
    const box = element.getBoundingClientRect();
    const fits = box.left >= -0.5 && box.right <= view.innerWidth + 0.5;
    if (box.width && !fits) outside.push(element.outerHTML.slice(0, 200));
  }}
  for (const text of page.querySelectorAll("svg text")) {{
    const box = text.getBoundingClientRect(), around = text.closest("svg").getBoundingClientRect();
    if (box.left < around.left - 1 || box.right > around.right + 1 || box.top < around.top - 1
        || box.bottom > around.bottom + 1) cut.push(text.textContent);
  }}
  return {{
    width: view.innerWidth, scrolls: page.documentElement.scrollWidth, outside, cut,
    texts: page.querySelectorAll("svg text").length, height: page.documentElement.scrollHeight,
    background: view.getComputedStyle(page.body).backgroundColor, ink: view.getComputedStyle(page.body).color,
    resources: view.performance.getEntriesByType("resource").length,
  }};
}}
onload = () => {{
  const found = [...document.querySelectorAll("iframe")].map(measured);
  document.getElementById("measured").textContent = JSON.stringify(found);
}};
</script></body></html>
"""


def found():
    """The path of a browser; the test that asks is skipped where there is none."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser is installed: none of {', '.join(NAMES)}")
    return path


def measured(folder, pages, widths, *, dark=False):
    """What a browser makes of HTML pages, each at each width in pixels.

    Returns:
        For each page and width: `width`; `scrolls`, the width of what could be scrolled to; `outside`, elements beyond
        the window; `texts`, the number of labels in drawings; `cut`, those that leave their drawing; `height`;
        `background` and `ink` as [r, g, b]; `resources`, what else was loaded.

    Raises:
        AssertionError: if a page complains on the browser's console.
    """
    frames = "".join(
        f'<iframe srcdoc="{escape(page)}" style="border:0;width:{width}px;height:800px"></iframe>'
        for page in pages
        for width in widths
    )
    file = folder / "measured.html"
    file.write_text(_MEASURED.format(frames=frames), encoding="utf-8")
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    command = [found(), *FLAGS, scheme, f"--user-data-dir={folder / 'profile'}", file.as_uri()]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=True, env={**os.environ, "HOME": str(folder)}
    )
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert not complaints, complaints
    (content,) = re.findall(r'<pre id="measured">(.*?)</pre>', done.stdout, re.S)
    results = json.loads(unescape(content))
    for result in results:
        for name in ("background", "ink"):
            result[name] = list(map(int, re.findall(r"\d+", result[name])))
    return results
