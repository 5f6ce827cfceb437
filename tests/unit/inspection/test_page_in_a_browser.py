"""Somebody clicks through the pages, in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from made_up_invocations import ALL, NOW, findings_of

from pyflink_durable.inspection.page import SIGNS, render_page

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed, which clicks in a browser"
)
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
PATIENCE_MILLIS = 120_000

KEYS = "#invocations tbody:not([hidden]) tr:first-child td:first-child"
CONTRASTS = """() => {
  const level = (part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  const light = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).map(Number).map(level);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const canvas = document.createElement("p");
  canvas.style.backgroundColor = "Canvas";
  document.body.append(canvas);
  const behind = light(getComputedStyle(canvas).backgroundColor);
  return [...document.querySelectorAll("[class]")].map((one) => {
    const front = light(getComputedStyle(one).color);
    const ratio = (Math.max(front, behind) + 0.05) / (Math.min(front, behind) + 0.05);
    return [one.className, ratio];
  });
}"""
"""WCAG's ratio of each color to what is behind it."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    with playwright.sync_playwright() as started:
        try:
            browser = started.chromium.launch(
                executable_path=CHROMIUM, args=OPTIONS, timeout=PATIENCE_MILLIS
            )
        except playwright.Error as error:
            pytest.skip(f"{CHROMIUM} does not start here: {error}")
        yield browser
        browser.close()


@contextmanager
def opened(browser: Any, address: str, **settings: Any) -> Iterator[Any]:
    context = browser.new_context(**settings)
    context.set_default_timeout(PATIENCE_MILLIS)
    page = context.new_page()
    page.goto(address)
    yield page
    context.close()


@pytest.fixture
def page_file(tmp_path: Path) -> str:
    path = tmp_path / "page.html"
    path.write_text(render_page(findings_of(ALL), "chk-42", NOW), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def page(browser: Any, page_file: str) -> Iterator[Any]:
    troubles: list[str] = []
    with opened(browser, "about:blank") as page:
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.append(message.text))
        page.on("request", lambda request: troubles.append(request.url))
        page.goto(page_file)
        yield page
    assert troubles == [page_file]  # it asks for nothing else


def keys(page: Any) -> list[str]:
    return [str(text)[:5] for text in page.locator(KEYS).all_inner_texts()]


def test_a_click_sorts_and_another_turns_it_round(page: Any) -> None:
    assert keys(page) == ["'ann'", '"<scr', "'ben'", "'cid'", "'dan'", "'ann'"]

    page.get_by_role("button", name="age").click()
    assert keys(page)[-2:] == ["'ann'", "'cid'"]

    page.get_by_role("button", name="age").click()
    assert keys(page)[:2] == ["'cid'", "'ann'"]
    assert page.locator("th[aria-sort=descending]").inner_text() == "age"


def test_what_is_typed_is_searched_for(page: Any) -> None:
    page.get_by_label("Search").fill("charge")
    assert keys(page) == ["'ann'", "'ben'"]
    assert page.locator("#count").inner_text() == "2 of 6"

    page.get_by_label("Search").fill("charge RETRYING")
    assert keys(page) == ["'ben'"]

    page.get_by_label("Search").fill("")
    assert len(keys(page)) == len(ALL)


def test_the_slots_of_an_invocation_open_and_close(page: Any) -> None:
    row = page.locator("tbody", has_text="cid")
    timeline = row.locator(".timeline")
    assert not timeline.is_visible()

    row.locator("summary").click()
    assert timeline.is_visible()
    assert [text.split()[1] for text in timeline.locator(".name").all_inner_texts()] == [
        "reserve",
        "charge",
        "timer",
    ]
    assert all(box.bounding_box()["width"] > 0 for box in timeline.locator("rect").all())

    row.locator("summary").click()
    assert not timeline.is_visible()


def test_it_is_worked_by_the_keyboard(page: Any) -> None:
    page.get_by_role("button", name="key").focus()
    page.keyboard.press("Enter")

    assert page.locator("th[aria-sort=ascending]").inner_text() == "key"


def test_a_link_says_what_to_search_and_sort(browser: Any, page_file: str) -> None:
    with opened(browser, f"{page_file}#search=charge&sort=age") as page:
        assert keys(page) == ["'ben'", "'ann'"]
        assert page.locator("th[aria-sort=ascending]").inner_text() == "age"


def test_the_table_is_there_without_javascript(browser: Any, page_file: str) -> None:
    with opened(browser, page_file, java_script_enabled=False) as page:
        assert len(keys(page)) == len(ALL)
        assert not page.locator("#tools").is_visible()
        row = page.locator("tbody", has_text="cid")
        row.locator("summary").click()
        assert row.locator(".timeline").is_visible()


def test_colors_stand_out_and_are_never_alone(browser: Any, page_file: str) -> None:
    """Whoever sees no colors has a shape and a word; whoever sees little has contrast."""
    with opened(browser, page_file) as page:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            ratios = page.evaluate(CONTRASTS)
            assert ratios
            assert {name: ratio for name, ratio in ratios if ratio < 4.5} == {}
        for cell in page.locator("tr:first-child td:nth-child(3)").all_inner_texts():
            sign, _, condition = cell.partition(" ")
            assert SIGNS[condition.removesuffix(", parked")] == sign
    assert SIGNS["retrying"] == SIGNS["retry"]
    assert len(set(SIGNS.values())) == len(SIGNS) - 1
