"""The explorer in headless Chromium: what it draws and tells are the library's numbers, by mouse and by keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import PROGRAM, Browser
from explored import CLASSES, MIXED_MODEL, MODEL, PIXELS

from lrp_ref import Epsilon, Network, ZPlus, assign, cutoff, explain, heatmap
from lrp_ref.explorer import explorer
from lrp_ref.explorer.cuts import at_cut, largest_messages, no_cut
from lrp_ref.explorer.walk import Walk
from lrp_ref.network import INPUT
from lrp_ref.pictures import smoothed
from lrp_ref.pictures.colours import colour

if PROGRAM is None:
    pytest.skip("needs Chromium", allow_module_level=True)

RULES = {"epsilon:0.5": Epsilon(0.5), "zplus": ZPlus()}   # of hen zplus leaves nothing: a map of zeros
MODELS = {"small": MODEL, "mixed": MIXED_MODEL}
OTHER = np.rot90(PIXELS, 2)
pytestmark = pytest.mark.xdist_group("chromium")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as one:
        yield one


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The classes in the order of the scores, which chooses their places on the page; hen is asked for first."""
    found = tmp_path_factory.mktemp("pages") / "page.html"
    explorer({"noise": PIXELS, "turned": OTHER}, MODELS, ["hen"], RULES).save(found)
    return found


def chosen(browser: Browser, view: int) -> list[str]:
    """The names of a view's classes, in the order of the page's data."""
    return browser.value(f"JSON.parse(document.getElementById('data').textContent).photographs[0].views[{view}]"
                         ".classes.map(one => one.name)")


def opened(browser: Browser, path: Path, **how: Any) -> None:
    browser.open(path, **how)
    waited(browser, "document.querySelectorAll('.view[data-shown]').length === 2")


def waited(browser: Browser, condition: str) -> None:
    """Until it holds; an error after five seconds."""
    assert browser.value(f"""new Promise(done => {{
        let left = 500;
        const look = () => {condition} ? done(true) : left-- ? setTimeout(look, 10) : done(false);
        look();
    }})"""), condition


def shown(browser: Browser, view: int, c: int, r: int, n: int) -> np.ndarray:
    """By the controls of the page: a class, a rule and a cut-off; the relevance that is drawn."""
    section = f"document.querySelectorAll('.view')[{view}]"
    browser.value(f"""(() => {{
        const section = {section};
        const rule = section.querySelector('select'), cut = section.querySelector('.cutting input');
        section.querySelector('.classes input[value="{c}"]').click();
        rule.value = {r};
        rule.dispatchEvent(new Event('change'));
        cut.value = {n};
        cut.dispatchEvent(new Event('input'));
    }})()""")
    waited(browser, f"{section}.dataset.shown === '{c} {r} {n}'")
    return drawn(browser, view)


def drawn(browser: Browser, view: int) -> np.ndarray:
    size = [19, 26] if view == 0 else [9, 12]
    return np.array(browser.value(f"Array.from(document.querySelectorAll('.stage canvas')[{view}].relevance)")
                    ).reshape(size)


def of_library(view: int, class_name: str, r: int, n: int, pixels: np.ndarray = PIXELS
               ) -> tuple[Network, Any, Any, Any]:
    """The network, the explanation without a cut-off, the map with it, and how far 16 bits may be from that."""
    model = list(MODELS.values())[view]
    network, x = model.network(model.prepare(pixels).shape), model.prepare(pixels)
    rules = assign(network, list(RULES.values())[r])
    index = model.classes.index(class_name)
    e = explain(network, x, rules, index)
    walk = Walk.of(network, x.shape)
    cut = at_cut(walk, [e], network.names[n])[0] if n else no_cut(walk, e)
    # a map is kept to half a unit, its largest number / 65534; what is spread is at most as far away
    near, _ = walk.down({t: np.full(values.shape, abs(values).max() / 65534) for t, values in cut.there.items()})
    return network, e, heatmap(explain(network, x, cutoff(rules, network.names[n]), index).relevance)[0], near


@pytest.mark.parametrize("view", [0, 1], ids=[*MODELS])
def test_every_cutoff_class_and_rule_draws_the_librarys_map(browser: Browser, path: Path, view: int) -> None:
    opened(browser, path)
    layers = len(list(MODELS.values())[view].chain)
    maps = []
    for c, name in enumerate(chosen(browser, view)):
        for r in range(len(RULES)):
            for n in range(layers):
                found = shown(browser, view, c, r, n)
                _, _, wanted, near = of_library(view, name, r, n)
                assert (abs(found - wanted) <= near + 1e-12 * abs(wanted).max()).all(), (name, r, n)   # and float64
                maps.append(found.tobytes())
    assert len(set(maps)) > layers   # gates and shapes only pass relevance on: the same map
    assert browser.said == []


def test_the_picture_has_the_librarys_colours_and_moving_the_slider_changes_it(browser: Browser, path: Path) -> None:
    opened(browser, path)
    browser.value("""(() => { const s = document.getElementById('opacity'); s.value = 100;
                     s.dispatchEvent(new Event('input')); })()""")
    pictures = []
    for n in (0, 1, 7, 12):
        values = shown(browser, 0, 0, 0, n)
        if n:   # of conv1's stride 2, and no longer
            seen = np.array(browser.value("Array.from(document.querySelector('.stage canvas').drawn)")).reshape(19, 26)
            near = 1e-12 * abs(values).max()   # sums of float64
            np.testing.assert_allclose(seen, smoothed(values, 2), rtol=0, atol=near)
            browser.value("document.querySelector('.comb input').click()")
        painted = np.array(browser.value("""Array.from(document.querySelector('.stage canvas').getContext('2d')
            .getImageData(0, 0, 26, 19).data)""")).reshape(19, 26, 4)
        sizes = np.sort(abs(values), axis=None)
        wanted = colour(values, sizes[int(0.995 * (sizes.size - 1))], "safe").astype(int)
        # the nearest of 1025 colours, between which there is less than one step of a byte; and two roundings
        assert abs(painted[..., :3] - wanted).max() <= 2 and (painted[..., 3] == 255).all()
        pictures.append(painted.tobytes())
        if n:
            browser.value("document.querySelector('.comb input').click()")
    assert len(set(pictures)) == 4
    browser.value("""(() => { const s = document.getElementById('opacity'); s.value = 0;
                     s.dispatchEvent(new Event('input')); })()""")
    assert browser.value("""Array.from(document.querySelector('.stage canvas').getContext('2d')
        .getImageData(0, 0, 26, 19).data).filter((_, i) => i % 4 === 3).every(alpha => alpha === 0)""")


def at(browser: Browser, view: int, row: int, column: int) -> None:
    """The mouse, in the middle of a pixel."""
    rows, columns = ([19, 26], [9, 12])[view]
    x, y = browser.value(f"""(() => {{
        const canvas = document.querySelectorAll('.stage canvas')[{view}];
        canvas.scrollIntoView({{block: 'center'}});
        const box = canvas.getBoundingClientRect();
        return [box.left + box.width * {(column + 0.5) / columns}, box.top + box.height * {(row + 0.5) / rows}];
    }})()""")
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)


def told(browser: Browser, view: int) -> tuple[int, int, float, list[float], str]:
    """Row, column, relevance, the messages, and the text."""
    box = f"document.querySelectorAll('.told')[{view}]"
    row, column, value, amounts, text = browser.value(f"""[...['row', 'column', 'value'].map(key => {box}.dataset[key]),
        [...{box}.querySelectorAll('li')].map(one => Number(one.dataset.amount)), {box}.textContent]""")
    return int(row), int(column), float(value), amounts, text


@pytest.mark.parametrize("n", [1, 6, 8, 11])
def test_the_mouse_on_a_pixel_tells_its_relevance_and_the_units_it_comes_from(browser: Browser, path: Path, n: int
                                                                             ) -> None:
    opened(browser, path)
    found, name = shown(browser, 0, 0, 0, n), chosen(browser, 0)[0]
    network, e, wanted, near = of_library(0, name, 0, n)
    walk = Walk.of(network, e.relevance.shape)
    [cut] = at_cut(walk, [e], network.names[n])
    at(browser, 0, 13, 5)
    row, column, value, amounts, text = told(browser, 0)
    assert (row, column, value) == (13, 5, found[13, 5]) and abs(value - wanted[13, 5]) <= near[13, 5]
    parts = []
    for t, values in cut.there.items():
        for v, u in np.ndindex(values.shape):
            one = np.zeros(values.shape)
            one[v, u] = values[v, u]
            parts.append((walk.down({t: one})[0][13, 5], t, v, u))
    assert sum(part for part, *_ in parts) == pytest.approx(wanted[13, 5], abs=1e-12 * abs(wanted).max())   # float64
    largest = sorted(parts, key=lambda part: -abs(part[0]))[:3]
    largest = [part for part in largest if part[0]]
    for amount, (part, t, v, u) in zip(amounts, largest, strict=True):
        assert amount == pytest.approx(part, abs=near[13, 5])
        assert f"from {t} ({v}, {u}), which has " in text


def test_without_a_cutoff_the_mouse_tells_the_largest_message(browser: Browser, path: Path) -> None:
    opened(browser, path)
    shown(browser, 0, 0, 0, 0)
    network, e, wanted, near = of_library(0, chosen(browser, 0)[0], 0, 0)
    messages = largest_messages(Walk.of(network, e.relevance.shape), e, assign(network, RULES["epsilon:0.5"]))
    assert messages is not None
    for row, column in ((13, 5), (0, 25), (18, 0)):
        at(browser, 0, row, column)
        found_row, found_column, value, amounts, text = told(browser, 0)
        assert (found_row, found_column) == (row, column) and abs(value - wanted[row, column]) <= near[row, column]
        amount = messages.amount[row, column]
        assert amounts == ([pytest.approx(amount, abs=abs(messages.amount).max() / 65533)] if amount else [])
        if amount:
            v, u = map(int, re.search(r"from conv1 \((\d+), (\d+)\), which sees", text).groups())   # type: ignore[union-attr]
            assert (u, v % 2) == (column // 2, messages.of[row, column]) and 2 * v - 1 <= row <= 2 * v + 1


def test_the_flow_and_its_sum_are_the_ledgers_and_move_with_the_slider(browser: Browser, path: Path) -> None:
    opened(browser, path)
    flows = []
    for n in (0, 4, 12):
        shown(browser, 0, 1, 0, n)
        network, e, wanted, _ = of_library(0, chosen(browser, 0)[1], 0, n)
        cut = explain(network, e.activations[INPUT], cutoff(assign(network, RULES["epsilon:0.5"]), network.names[n]),
                      CLASSES.index(chosen(browser, 0)[1]))
        totals = [sum(float(column[0]) for column in columns)
                  for columns in zip(*(cut.ledger[name].totals()[2:] for name in network.names))]
        amounts = browser.value("""[...document.querySelector('.sum').querySelectorAll('[data-part]')].map(e =>
            [e.dataset.part, Number(e.dataset.amount)])""")
        close = 1e-10 * sum(map(abs, [wanted.sum(), *totals]))   # twelve digits of each of some sums
        assert [name for name, _ in amounts] == ["score", "pixels", "bias", "stabiliser", "dead"]
        for (_, amount), own in zip(amounts, [e.start.sum(), wanted.sum(), *totals], strict=True):
            assert amount == pytest.approx(own, abs=close)
        assert amounts[0][1] == pytest.approx(sum(amount for _, amount in amounts[1:]), abs=close)
        assert "adds up" in browser.value("document.querySelector('.sum').textContent")
        flows.append(bands(browser))
        # every band is as thick at the pixels' end as its amount, and the score as thick where it begins
        [(_, _, high)] = [band for band in flows[-1] if band[0].startswith("pixels") and band[2]]
        by_name = {name.split()[0]: size for name, size, _ in flows[-1] if size}
        for name, amount in amounts[1:]:
            thick = high * abs(amount / amounts[0][1])
            assert by_name.get(name, 0) == pytest.approx(thick, abs=0.06)   # thinner ones are not drawn
    assert flows[0] != flows[1] != flows[2]


def bands(browser: Browser) -> list[tuple[str, float, float]]:
    """The flow's bands: what they are, and how thick at the pixels' end and at the score's."""
    return [(name, abs(near[1] - far[-1]), abs(near[-1] - far[1])) for name, near, far in browser.value("""
        [...document.querySelector('.view').querySelectorAll('.flow path')].map(e => [e.getAttribute('class'),
            ...e.getAttribute('d').split('L').map(part => part.match(/-?[\\d.]+(e-?\\d+)?/g).map(Number))])""")]


def test_a_class_is_chosen_in_every_view_that_knows_its_name(browser: Browser, path: Path) -> None:
    opened(browser, path)
    names = chosen(browser, 0)
    shown(browser, 0, names.index("owl"), 0, 3)
    waited(browser, f"""document.querySelectorAll('.view')[1].dataset.shown.startsWith(
        '{chosen(browser, 1).index("owl")} ')""")
    shown(browser, 0, names.index(CLASSES[2]), 0, 3)
    other = browser.value("document.querySelectorAll('.view')[1].dataset.shown")
    assert other.startswith(f"{chosen(browser, 1).index('owl')} ")
    assert CLASSES[2] in browser.value("document.querySelector('.classes').textContent")


def test_another_photograph_has_its_own_maps(browser: Browser, path: Path) -> None:
    opened(browser, path)
    browser.value("document.querySelectorAll('.photographs input')[1].click()")
    waited(browser, "document.querySelectorAll('.view[data-shown]').length === 2")
    _, _, wanted, near = of_library(0, "hen", 0, 1, OTHER)
    found = shown(browser, 0, 0, 0, 1)
    assert (abs(found - wanted) <= near + 1e-12 * abs(wanted).max()).all() and wanted.any()   # sums of float64


# ---- By keyboard, on a phone, in the dark, in print, without script ----


def key(browser: Browser, name: str, code: int, modifiers: int = 0) -> None:
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code,
                     modifiers=modifiers)


def test_arrow_keys_move_from_pixel_to_pixel_and_from_cutoff_to_cutoff(browser: Browser, path: Path) -> None:
    opened(browser, path)
    shown(browser, 0, 0, 0, 1)
    reached = []
    for _ in range(30):
        key(browser, "Tab", 9)
        reached.append(browser.value("document.activeElement.tagName + ' ' + (document.activeElement.type || '')"))
        if reached[-1] == "CANVAS ":
            break
    assert reached[-1] == "CANVAS ", reached
    assert browser.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    values = drawn(browser, 0)
    assert values.any()
    row, column, value, *_ = told(browser, 0)
    assert abs(value) == abs(values).max() and value == values[row, column]   # it begins at the strongest
    key(browser, "ArrowDown" if row < 18 else "ArrowUp", 40 if row < 18 else 38)
    key(browser, "ArrowLeft", 37, 8)   # with Shift by ten
    below, left, value, *_ = told(browser, 0)
    assert (below, left) == (row + (1 if row < 18 else -1), max(0, column - 10)) and value == values[below, left]
    for _ in range(12):
        if browser.value("document.activeElement.matches('.cutting input')"):
            break
        key(browser, "Tab", 9)
    key(browser, "ArrowRight", 39)
    waited(browser, "document.querySelector('.view').dataset.shown === '0 0 2'")
    assert browser.value("document.activeElement.getAttribute('aria-valuetext')") == "Cut-off below relu1"
    assert browser.said == []


def test_a_screen_reader_hears_names_of_all_that_can_be_chosen(browser: Browser, path: Path) -> None:
    opened(browser, path)
    nodes = [node for node in browser.call("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]
    names: dict[str, list[str]] = {}
    for node in nodes:
        names.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", ""))
    assert len(names["slider"]) == 3 and all(names["slider"]) and all(names["combobox"]) and all(names["radio"])
    assert any(name.startswith("Relevance of hen by epsilon:0.5, ") for name in names["application"])
    assert any(re.match("score .* = pixels .* [+] bias .* [+] stabiliser .* [+] dead", name) for name in names["image"])


@pytest.mark.parametrize("width", [1280, 768, 390, 320])
def test_nothing_is_wider_than_the_window_and_nothing_is_asked_for(browser: Browser, path: Path, width: int) -> None:
    opened(browser, path, width=width)
    at(browser, 0, 3, 3)
    browser.value("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert browser.value("document.documentElement.scrollWidth") == width
    assert browser.value("""[...document.querySelectorAll('body *')].filter(e => !e.closest('.wide, .flow') &&
        e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.outerHTML.slice(0, 90))""") == []
    assert browser.asked[0] == path.as_uri() and all(one.startswith("data:") for one in browser.asked[1:])
    assert browser.said == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_explorer_follows_the_colour_scheme_and_prints_on_white(browser: Browser, path: Path, dark: bool) -> None:
    opened(browser, path, dark=dark)
    paper, ink = ([int(n) for n in re.findall(r"\d+", browser.value(f"getComputedStyle(document.body).{name}"))]
                  for name in ("backgroundColor", "color"))
    assert (sum(paper) < sum(ink)) is dark and abs(sum(paper) - sum(ink)) > 400
    browser.media("print", dark=dark)
    assert browser.becomes("getComputedStyle(document.body).backgroundColor", "rgb(255, 255, 255)")
    assert not browser.value("document.querySelector('.cutting input').checkVisibility()")
    assert browser.value("document.querySelector('.stage canvas').checkVisibility()")


def test_without_script_the_page_says_what_it_needs(browser: Browser, path: Path) -> None:
    browser.open(path, script=False)
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert "needs JavaScript" in browser.value("document.querySelector('noscript').innerText")


def test_the_ready_page_of_the_documentation_works(browser: Browser) -> None:
    browser.open(Path(__file__).parents[2] / "docs" / "explorer.html")
    waited(browser, "document.querySelectorAll('.view[data-shown]').length === 1")
    sums = []
    for n in (0, 23, 93):
        browser.value(f"""(() => {{ const s = document.querySelector('.cutting input'); s.value = {n};
                          s.dispatchEvent(new Event('input')); }})()""")
        waited(browser, f"document.querySelector('.view').dataset.shown === '0 0 {n}'")
        drawn_sum, said = browser.value("""[document.querySelector('.stage canvas').relevance.reduce((a, b) => a + b),
            Number(document.querySelector('[data-part="pixels"]').dataset.amount)]""")
        assert drawn_sum == pytest.approx(said, rel=0.02, abs=0)   # 50,176 numbers of 16 bits
        sums.append(said)
    assert sums[0] < sums[1] < sums[2]
    for p, views in ((1, 1), (2, 2)):
        browser.value(f"document.querySelectorAll('.photographs input')[{p}].click()")
        waited(browser, f"document.querySelectorAll('.view[data-shown]').length === {views}")
    assert browser.said == []
