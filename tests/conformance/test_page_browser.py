"""The report page in headless Chromium: on a desk, on a phone, in the dark, in print, without script, by keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import PROGRAM, Browser
from report_facts import beside, compared, conformed, failure, one, outcome, small

from lrp_ref.conformance.diagnose.failures import First
from lrp_ref.conformance.diagnose.known import Known
from lrp_ref.conformance.dialects import DIALECTS
from lrp_ref.conformance.page import page
from lrp_ref.conformance.page.html import slug
from lrp_ref.conformance.report.facts import Comparison, Reply, Report
from lrp_ref.conformance.vectors.suite import Record
from lrp_ref.rules import Flat, ZBox

if PROGRAM is None:
    pytest.skip("needs Chromium", allow_module_level=True)

PAGES = {"two": ("zennit", "captum"), "one": ("captum",), "eight": tuple(DIALECTS)}
FEWER = 5   # a fifth of the cases: enough of every kind, and a browser lays them out in a moment
pytestmark = pytest.mark.xdist_group("chromium")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as one:
        yield one


@pytest.fixture(scope="module")
def facts() -> Comparison:
    return compared(*PAGES["two"], every=FEWER)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, facts: Comparison) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    given = {"two": facts, "one": conformed(*PAGES["one"], every=FEWER),
             "eight": compared(*PAGES["eight"], every=3 * FEWER), "long": long()}
    for name, its in given.items():
        (folder / f"{name}.html").write_text(page(its), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in given}


def long() -> Report:
    """Names and texts of one word that no line holds."""
    word = "Relevance" * 30
    known = Known(word, issues=[f"https://example.org/{word}"])
    wide = np.ones((1,) * 30)
    told = replace(failure(1, known, reason=word, command=word, compared=beside(0.1 * wide, np.nan * wide)),
                   counterexample=small(Flat(), word, word), first=First(word, ZBox(10.0**100, 10.0**200)))
    question = Reply("flat", word, "window", "inside", False, [word], ["case-1", word])
    cases = [outcome(1, "failed", flags=[word], comment=word), outcome(2, "unsupported", reason=word)]
    return one(*cases, failures=[told], name=word, records=[Record(word, word, word, {word: word})],
               replies=[question], contradicted=[word])


UNFOLD = "document.querySelectorAll('details').forEach(e => { e.open = true; })"


@pytest.mark.parametrize("width", [1280, 390, 320])
@pytest.mark.parametrize("name", [*PAGES, "long"])
def test_nothing_is_wider_than_the_window_but_what_scrolls_in_its_box(
        browser: Browser, pages: dict[str, Path], name: str, width: int) -> None:
    browser.open(pages[name], width)
    for unfolded in (False, True):
        if unfolded:
            browser.value(UNFOLD)
        assert browser.value("document.documentElement.scrollWidth") == width
        # what is inside a box that scrolls may be wider; the box may not
        assert browser.value("""[...document.querySelectorAll('body *')].filter(e =>
            !e.parentElement.closest('.wide, pre, .skip') && !e.matches('.skip, .unseen') &&
            e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.outerHTML.slice(0, 90))""") == []
    assert browser.said == []


def test_the_page_asks_for_nothing_but_itself_and_says_nothing(browser: Browser, pages: dict[str, Path]) -> None:
    for path in pages.values():
        browser.open(path)
        browser.value(UNFOLD)
        assert browser.asked == [path.as_uri()] and browser.said == []


def test_a_browser_that_says_something_is_heard(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "loud.html"
    path.write_text("<script>console.log('a'); fetch('file:///no.json')</script>")
    browser.open(path)
    assert any('"a"' in said for said in browser.said) and "file:///no.json" in browser.asked


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_follows_the_colour_scheme(browser: Browser, pages: dict[str, Path], dark: bool) -> None:
    browser.open(pages["two"], dark=dark)
    paper, ink = (browser.value(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color"))
    assert (brightness(paper) < brightness(ink)) is dark and abs(brightness(paper) - brightness(ink)) > 400


def brightness(colour: str) -> int:
    return sum(map(int, colour.removeprefix("rgb(").rstrip(")").split(",")))


@pytest.mark.parametrize("width", [1280, 768, 390])
def test_a_link_to_a_cell_of_many_columns_shows_whose_it_is_and_which_layers(
        browser: Browser, pages: dict[str, Path], width: int) -> None:
    """The heads of its column and of its row are in the window, uncovered, beside it."""
    cells = re.findall(r'id="(cell/[^"]+)"', pages["eight"].read_text(encoding="utf-8"))
    browser.open(pages["eight"], width, anchor="#" + cells[-9])   # of the last row but one, the last column
    assert browser.becomes("""(() => {
        const cell = document.querySelector(':target'), row = cell.parentElement.firstElementChild;
        const head = cell.closest('table').tHead.rows[0].cells[cell.cellIndex];
        const seen = e => {
            const b = e.getBoundingClientRect(), top = document.elementFromPoint(b.x + 9, b.y + b.height / 2);
            return e === top || e.contains(top);
        };
        const [c, h] = [cell, head].map(e => e.getBoundingClientRect());
        return [seen(cell), seen(head), seen(row), Math.abs(c.x - h.x) < 1];
    })().join()""", "true,true,true,true")


@pytest.mark.parametrize("width", [1280, 390])
def test_no_badge_of_the_matrix_reaches_out_of_its_cell(browser: Browser, pages: dict[str, Path], width: int) -> None:
    for name in PAGES:
        browser.open(pages[name], width)
        assert browser.value("""[...document.querySelectorAll('.matrix td > *')].filter(e =>
            e.getBoundingClientRect().right > e.parentElement.getBoundingClientRect().right + 0.5).length""") == 0


# ---- The script ----

SHOWN = "[...document.querySelectorAll('#cases tr[data-rule]')].filter(e => !e.hidden).length"
CASES = "[...document.querySelectorAll('details.case')].filter(e => !e.hidden).map(e => e.id)"


def choose(browser: Browser, **values: str) -> None:
    for name, value in values.items():
        browser.value(f"""(() => {{ const s = document.getElementById('filter').elements['{name}'];
            s.value = '{value}'; s.dispatchEvent(new Event('change', {{bubbles: true}})); }})()""")


def test_the_filter_leaves_the_cases_that_it_names_and_says_how_many(
        browser: Browser, pages: dict[str, Path], facts: Comparison) -> None:
    outcomes = [one.run.outcomes for one in facts.reports]
    browser.open(pages["two"])
    assert browser.value(SHOWN) == len(outcomes[0])
    failed = [one.case.id for one in outcomes[1] if one.status == "failed" and one.case.rule == "ZPlus"]
    choose(browser, subject="1", status="failed", rule="ZPlus")
    assert browser.value(SHOWN) == len(failed) > 2
    assert set(browser.value(CASES)) == {slug("case", id) for id in failed}
    assert browser.value("document.querySelector('output').textContent") == f"{len(failed)} of {len(outcomes[0])} cases"
    assert browser.value("[...document.querySelectorAll('details.cause:not([hidden])')].every(e =>"
                         " e.querySelector('.case:not([hidden])'))")
    failed = [one.case.id for one in outcomes[0] if one.status == "failed"]
    choose(browser, subject="0", rule="")
    assert set(browser.value(CASES)) == {slug("case", id) for id in failed} and browser.value(SHOWN) == len(failed)
    either = sum(any(one.status != "passed" for one in pair) for pair in zip(*outcomes))
    choose(browser, subject="", status="!", rule="")
    assert browser.value(SHOWN) == either < len(outcomes[0])
    choose(browser, status="")
    assert browser.value(SHOWN) == len(outcomes[0]) and browser.said == []


def test_a_link_to_a_case_unfolds_it_and_lifts_the_filter(
        browser: Browser, pages: dict[str, Path], facts: Comparison) -> None:
    id = slug("case", facts.disagreements[3].case.id)
    browser.open(pages["two"], anchor=f"#{id}")
    opened = f"document.getElementById('{id}').matches('details[open] details[open]')"
    assert browser.value(opened) and browser.value("document.querySelectorAll('details.case[open]').length") == 1
    choose(browser, rule="Pass")
    assert browser.value(f"document.getElementById('{id}').hidden")
    browser.value("location.hash = ''")
    browser.value(f"location.hash = '{id}'")
    assert browser.becomes(f"document.getElementById('{id}').checkVisibility()", True)


def test_the_buttons_unfold_and_fold_all(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["two"])
    for button, share in (("unfold", 1), ("fold", 0)):
        browser.value(f"document.getElementById('filter').elements.{button}.click()")
        assert browser.value("document.querySelectorAll('details.case[open]').length"
                             " / document.querySelectorAll('details.case').length") == share


def test_without_script_all_is_there_but_the_filter(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["two"], 390, script=False)
    assert not browser.value("document.getElementById('filter').checkVisibility()")
    assert browser.value("[...document.querySelectorAll('h2, summary h3')].every(e => e.checkVisibility())")
    assert browser.value("document.querySelectorAll('h2').length") == 8


# ---- Print ----


def test_in_print_all_is_unfolded_on_white_and_links_show_their_address_without_any_script(
        browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["two"], dark=True, script=False)
    inside = "[...document.querySelectorAll('details.case dd, #cases td')]"
    visible = f"{inside}.filter(e => e.checkVisibility({{contentVisibilityAuto: true}})).length"
    assert browser.value(visible) == 0
    browser.media("print", dark=True)
    assert browser.becomes(visible, browser.value(f"{inside}.length")) and browser.value(visible) > 200
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert "https://github.com/" in browser.value(
        "getComputedStyle(document.querySelector('.record a'), '::after').content")
    assert not browser.value("document.querySelector('nav').checkVisibility()")


def test_the_script_unfolds_for_a_printer_and_folds_again(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["one"])
    folded = "document.querySelectorAll('details:not([open])').length"
    before = browser.value(folded)
    browser.value("dispatchEvent(new Event('beforeprint'))")
    assert browser.value(folded) == 0 < before
    browser.value("dispatchEvent(new Event('afterprint'))")
    assert browser.value(folded) == before


def test_a_printed_page_cuts_no_table_off(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["two"], 720)   # A4 between its margins
    browser.media("print")
    browser.value(UNFOLD)
    assert browser.value("document.documentElement.scrollWidth") == 720
    assert browser.value("[...document.querySelectorAll('table, pre')].filter(e =>"
                         " e.getBoundingClientRect().right > 720.5).length") == 0


# ---- Keyboard and screen readers ----


def test_the_first_tab_skips_to_the_results_and_every_box_that_scrolls_is_reached(
        browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["two"], 390)
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
    assert browser.value("document.activeElement.textContent") == "Skip to the results"
    assert browser.value("document.activeElement.getBoundingClientRect().left") >= 0
    browser.value(UNFOLD)
    assert browser.value("""[...document.querySelectorAll('*')].filter(e => e.scrollWidth > e.clientWidth + 1 &&
        getComputedStyle(e).overflowX === 'auto' && e.tabIndex < 0).length""") == 0


def test_a_screen_reader_hears_what_a_cell_counts_and_tables_stay_tables_on_a_phone(
        browser: Browser, pages: dict[str, Path], facts: Comparison) -> None:
    browser.open(pages["two"], 390)
    nodes = [node for node in browser.call("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]
    row = facts.reports[0].run.matrix()[0]
    assert f"{row.counts['passed']}/{row.count} passed" in named(nodes, "link")
    assert {"Rule and layer", "zennit 0.5.1", "Canonical answer"} <= named(nodes, "columnheader")
    assert any("Bias in w-square" in name for name in named(nodes, "rowheader"))
    assert not any(sign in name for name in named(nodes, "link") for sign in "✓✗≈◐")


def named(nodes: list[dict[str, Any]], role: str) -> set[str]:
    return {node["name"]["value"] for node in nodes if node["role"]["value"] == role}
