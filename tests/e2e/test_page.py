"""The status page in Chromium: it loads nothing from elsewhere, breaks no rule of accessibility, and follows what changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.e2e.lab.made_up_page import PEERS, served

ROOT = Path(__file__).parents[2]
WIDE, PHONE = (1280, 900), (390, 844)
PICTURE = (1280, 1140)
"""The size of the pictures in docs/: down to the plot."""
SCHEMES = ("light", "dark")
WAIT = 20.0
"""Seconds: two busy cores take their time."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the page."""
    with served(tmp_path_factory.mktemp("page")) as url:
        yield url


@pytest.fixture(scope="module")
def axe() -> str:
    """The script of axe-core."""
    found = subprocess.run([ROOT / "tools" / "axe.sh"], cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode:
        _lacking(found.stderr.strip())
    return (ROOT / found.stdout.strip()).read_text()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    """Chromium, with a profile of its own."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        _lacking("chromium and chromium-driver are not installed")
    options = ChromeOptions()
    options.binary_location = str(chromium)
    arguments = [
        "--headless=new",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--no-first-run",
        "--disable-background-networking",
        f"--user-data-dir={tmp_path}/profile",
    ]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    for argument in arguments:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = Chrome(options=options, service=ChromeService(str(driver)))
    try:
        yield chrome
    finally:
        chrome.quit()


def _lacking(what: str) -> None:
    if os.environ.get("PACSERVE_REQUIRE_E2E") == "1":
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


def look(browser: Chrome, scheme: str, size: tuple[int, int]) -> None:
    """Sets how the page is looked at, at the next load."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def until_live(browser: Chrome) -> None:
    """Waits until the first event has come."""
    WebDriverWait(browser, WAIT).until(lambda _: browser.find_element(By.ID, "live").text == "This page is live.")


def requested(browser: Chrome, page: str) -> list[str]:
    """The URLs of all requests that the page has made since the last look; Chromium's own first tab makes some, too."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return [one["request"]["url"] for one in asked if one["documentURL"].startswith(page)]


def complaints(browser: Chrome) -> list[str]:
    """What the console says."""
    return [entry["message"] for entry in browser.get_log("browser")]


def violations(browser: Chrome, axe: str) -> list[str]:
    """What axe-core finds, but for what it calls minor."""
    browser.execute_script(axe)
    found = browser.execute_async_script("const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(done)")
    return [
        f"{one['id']} ({one['impact']}): {[node['html'] for node in one['nodes'][:3]]}" for one in found["violations"] if one["impact"] != "minor"
    ]


def test_nothing_foreign_and_no_complaint(page: str, browser: Chrome) -> None:
    """The page asks its own host alone, and the console stays empty: nothing breaks the Content-Security-Policy."""
    browser.get(page)
    until_live(browser)
    time.sleep(1.5)
    own = ("", "static/page.css", "static/page.js", "static/icon.svg", "events")
    assert set(requested(browser, page)) == {page + path for path in own}
    assert complaints(browser) == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_accessible(page: str, browser: Chrome, axe: str, scheme: str, size: tuple[int, int]) -> None:
    """axe-core finds nothing in either scheme, on a desk and on a phone, with the tables of the plots folded and open."""
    look(browser, scheme, size)
    for target in ("", "search?q=zlib"):
        browser.get(page + target)
        browser.execute_script("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        assert violations(browser, axe) == []
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the window"


def test_progress_moves(page: str, browser: Chrome) -> None:
    """The bar of a download moves on without a reload, as the same element; what is said of it to a screen reader is there, too."""
    browser.get(page)
    until_live(browser)
    bar = browser.find_element(By.CSS_SELECTOR, "#transfers progress")
    before = bar.get_attribute("value")
    WebDriverWait(browser, WAIT).until(lambda _: bar.get_attribute("value") != before)
    assert "per cent done" in str(browser.find_element(By.ID, "announcement").get_attribute("textContent"))


def test_script_draws_as_the_server_does(page: str, browser: Chrome) -> None:
    """What the script makes of the first event is what the server had written, so that nothing jumps when the page becomes live."""
    parts = "return ['health', 'share-of', 'mirrors', 'day-scale', 'day-plot', 'others-summary'].map(id => document.getElementById(id).outerHTML)"
    texts = "return [...document.querySelectorAll('#peers tr, #recent tr')].map(row => row.textContent.replace(/[0-9]+ (s|min|h) ago/g, ''))"
    browser.get(page)
    until_live(browser)
    time.sleep(1.5)
    live = browser.execute_script(parts), browser.execute_script(texts)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.get(page)
    assert (browser.execute_script(parts), browser.execute_script(texts)) == live


def test_without_scripts(page: str, browser: Chrome) -> None:
    """Without scripts the page says the same, and the search works."""
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.get(page)
    assert len(browser.find_elements(By.CSS_SELECTOR, ":is(#peers, #peers-rest) tbody tr")) == PEERS
    assert browser.find_elements(By.CSS_SELECTOR, "#hour-plot path[d]")
    browser.find_element(By.ID, "q").send_keys("zlib", Keys.ENTER)
    WebDriverWait(browser, WAIT).until(lambda _: "search?q=zlib" in browser.current_url)
    assert [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, "#found tbody tr:first-child > *")][:2] == ["zlib", "1:1.3.1-2 newest"]


@pytest.mark.parametrize("scripts", [True, False])
def test_plots_are_chosen(page: str, browser: Chrome, *, scripts: bool) -> None:
    """One plot is shown, the hour at first; another is chosen by mouse or keyboard, with and without scripts, and stays while the page is live."""
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
    browser.get(page)
    if scripts:
        until_live(browser)

    def shown() -> list[str]:
        return [name for name in ("hour", "day", "days") if browser.find_element(By.ID, f"{name}-plot").is_displayed()]

    assert shown() == ["hour"]
    browser.find_element(By.CSS_SELECTOR, "label[for=span-days]").click()
    assert shown() == ["days"]
    browser.switch_to.active_element.send_keys(Keys.ARROW_LEFT)
    assert shown() == ["day"]
    time.sleep(1.5)
    assert shown() == ["day"]


@pytest.mark.parametrize("width", [1280, 1000, 390])
def test_addresses_are_whole(page: str, browser: Chrome, width: int) -> None:
    """No address of a peer, an IPv4 address with its port, is broken in two lines."""
    look(browser, "light", (width, 844))
    browser.get(page)
    broken = (
        "return [...document.querySelectorAll('#peers th small, #transfers td small, #recent td small')].filter(note =>"
        " /^[0-9.]+:[0-9]+$/.test(note.textContent) && note.getClientRects().length > 1).map(note => note.textContent)"
    )
    assert browser.execute_script("return document.querySelectorAll('#peers th small').length") > 5
    assert browser.execute_script(broken) == []


def test_keyboard(page: str, browser: Chrome) -> None:
    """The first Tab leads to a link that skips to the content, and it is seen then."""
    browser.get(page)
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    skip = browser.switch_to.active_element
    assert skip.text == "Skip to the content"
    assert skip.rect["x"] >= 0
    skip.send_keys(Keys.ENTER)
    assert browser.switch_to.active_element.get_attribute("id") == "main"


def test_focus_is_seen(page: str, browser: Chrome) -> None:
    """Tab leads to the search, the choice of the plot and all that is folded, and what has the focus has an outline."""
    browser.get(page)
    outline = "const style = getComputedStyle(document.activeElement); return [style.outlineStyle, parseFloat(style.outlineWidth)]"
    reached = []
    folded = [summary for summary in browser.find_elements(By.TAG_NAME, "summary") if summary.is_displayed()]
    for _ in range(3 + 1 + len(folded)):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        reached.append(browser.switch_to.active_element.tag_name)
        style, width = browser.execute_script(outline)
        assert style == "solid" and width >= 2, reached
    assert reached[:3] == ["a", "input", "button"] and sorted(set(reached[3:])) == ["input", "summary"] and reached.count("input") == 2


def test_hostile_names(page: str, browser: Chrome) -> None:
    """A file and a host that are called like a script are text: no element comes of them, and nothing is fetched."""
    browser.get(f"{page}search?q=hostile")
    assert "<script>alert(1)</script>" in browser.find_element(By.CSS_SELECTOR, "#found tbody th").text
    assert browser.find_elements(By.CSS_SELECTOR, "script, img, [onload]") == []
    assert complaints(browser) == []


def test_hostile_status(tmp_path: Path, browser: Chrome) -> None:
    """Peers, mirrors and downloads that are called like a script are text, as the server writes them and as the script changes them."""
    foreign = "return [...document.querySelectorAll('script, img, [onload], [onerror]')].map(one => one.outerHTML)"
    with served(tmp_path, hostile=True) as page:
        browser.get(page)
        until_live(browser)
        bar = browser.find_element(By.CSS_SELECTOR, "#transfers progress")
        before = bar.get_attribute("value")
        WebDriverWait(browser, WAIT).until(lambda _: bar.get_attribute("value") != before)
        for table in ("findings", "transfers", "peers", "mirrors", "recent", "others"):
            assert "<script>alert(1)</script>" in str(browser.find_element(By.ID, table).get_attribute("textContent"))
        assert browser.execute_script(foreign) == ['<script src="/static/page.js" defer=""></script>']
        assert {url.removeprefix(page) for url in requested(browser, page)} == {"", "static/page.css", "static/page.js", "static/icon.svg", "events"}
        assert complaints(browser) == []
        browser.get("about:blank")


def test_weight_and_first_paint(page: str, browser: Chrome, record_property: Callable[[str, object], None]) -> None:
    """With 30 peers the page weighs less than 100 kB, and is painted within a second."""
    paints, weight = [], 0
    for _ in range(5):
        browser.get(page)
        until_live(browser)
        paints.append(browser.execute_script("return performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        sizes = "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].map(e => e.decodedBodySize)"
        weight = max(weight, sum(browser.execute_script(sizes)))
    record_property("first paint, ms", sorted(paints))
    record_property("weight, bytes", weight)
    print(f"first paint {sorted(paints)} ms, {weight} bytes")
    assert weight < 100_000
    assert sorted(paints)[2] < 1000


@pytest.mark.parametrize(("name", "scheme", "size"), [("light", "light", PICTURE), ("dark", "dark", PICTURE), ("phone", "light", PHONE)])
def test_screenshot(tmp_path: Path, browser: Chrome, name: str, scheme: str, size: tuple[int, int]) -> None:
    """What docs/ shows is made by `PACSERVE_SCREENSHOTS=docs pytest -k screenshot`: a small LAN, whose parts fit into one picture."""
    look(browser, scheme, size)
    with served(tmp_path, peers=4) as page:
        browser.get(page)
        until_live(browser)
        picture = browser.get_screenshot_as_png()
    assert picture.startswith(b"\x89PNG")
    folder = os.environ.get("PACSERVE_SCREENSHOTS")
    if folder:
        (ROOT / folder / f"page-{name}.png").write_bytes(picture)
