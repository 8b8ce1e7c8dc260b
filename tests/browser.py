"""Open a page in Chromium without a window, and ask it what a reader would see."""

import json
import re
import shutil
import subprocess
from html import unescape

import pytest

TIMEOUT = 60
NAMES = ("chromium", "chromium-browser", "google-chrome")
DARK = "--blink-settings=preferredColorScheme=0"
# Whatever the page would load if it were allowed to: performance tells of all of it.
PROBE = """<script>
parent.postMessage(JSON.stringify({
  width: document.documentElement.scrollWidth,
  window: innerWidth,
  text: document.querySelector("main").innerText,
  headings: [...document.querySelectorAll("h1, h2, h3")].map(heading => heading.innerText),
  images: [...document.images].map(image => [image.src.slice(0, 22), image.naturalWidth, image.naturalHeight]),
  charts: [...document.querySelectorAll("svg[role=img] path")].map(path => path.getBoundingClientRect().width),
  loaded: performance.getEntriesByType("resource").map(entry => entry.name),
  scripts: document.scripts.length - 1,
  background: getComputedStyle(document.body).backgroundColor,
}), "*")
</script>"""
# A window is never narrower than 500 pixels, a frame is as narrow as a phone.
FRAME = """<!DOCTYPE html><title></title><script>onmessage = event => { document.title = event.data }</script>
<iframe src="probed.html" style="width: %dpx; height: 2400px; border: 0"></iframe>"""
POLICY = r'<meta http-equiv="Content-Security-Policy"[^>]*>'


def find_browser():
    """Return Chromium's path; skip the test where there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"needs a browser: none of {', '.join(NAMES)} is installed")
    return found


def _run(folder, page, width, *options):
    command = [
        find_browser(),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
    ]
    command += [f"--user-data-dir={folder / 'profile'}", f"--window-size={width},2400", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, timeout=TIMEOUT, check=True).stdout.decode("utf-8")


def look_at(page, width, *options):
    """Return what a page shows at a width: PROBE's answers."""
    # The page's own policy would hide what it tries to load, and keep the probe from running.
    html, policies = re.subn(POLICY, "", page.read_text(encoding="utf-8"))
    assert policies == 1
    page.with_name("probed.html").write_text(html.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    frame = page.with_name("frame.html")
    frame.write_text(FRAME % width, encoding="utf-8")
    dom = _run(page.parent, frame, width, "--dump-dom", "--virtual-time-budget=2000", *options)
    return json.loads(unescape(re.search(r"<title>(.*?)</title>", dom, re.DOTALL)[1]))


def screenshot(page, width, *options):
    """Return the bytes of a picture of the page."""
    picture = page.with_suffix(".png")
    _run(page.parent, page, width, f"--screenshot={picture}", *options)
    return picture.read_bytes()
