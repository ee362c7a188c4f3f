"""The report page: complete, in one file, nothing of anyone's taken for HTML, nothing counted as what it is not."""

from __future__ import annotations

import math
import re
from dataclasses import fields, is_dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import pytest
from report_facts import case as one_case
from report_facts import compared, conformed, disagreement, failure, one, outcome, several
from report_facts import outcome as outcome_of
from tree import Element, tree

from lrp_ref.conformance.adapters.ours import Ours
from lrp_ref.conformance.diagnose.failures import Cause
from lrp_ref.conformance.diagnose.known import Known
from lrp_ref.conformance.judge.outcome import STATUSES
from lrp_ref.conformance.judge.tolerance import Convention
from lrp_ref.conformance.page import page
from lrp_ref.conformance.page.html import Html, issue, shown, slug, tag
from lrp_ref.conformance.page.question import lines as question_lines
from lrp_ref.conformance.page.words import FORMULAS
from lrp_ref.conformance.report.as_json import as_json
from lrp_ref.conformance.report.facts import Comparison, Disagreement, Report, in_words
from lrp_ref.conformance.vectors.capabilities import CAPABILITIES
from lrp_ref.conformance.vectors.case import RULES
from lrp_ref.network import Network
from lrp_ref.rules import Rule

EVIL = "<img src=x onerror=alert(1)></script><!-- ]]> \" ' & {} %s"


@cache
def facts() -> Comparison:
    return compared("zennit", "captum")


@cache
def drawn() -> str:
    return page(facts())


@cache
def real() -> Element:
    return tree(drawn())


def both() -> list[Element]:
    """Two implementations; and one alone, from the facts that `conform` gives."""
    return [real(), tree(page(conformed("captum")))]


# ---- One file, well formed ----


def test_a_page_is_one_well_formed_document_in_a_language_with_a_title_and_a_viewport() -> None:
    for document in both():
        html, = document.all("html")
        assert html.attributes["lang"] == "en" and "captum 0.9.0" in html.all("title")[0].text
        assert any(meta.attributes.get("name") == "viewport" for meta in html.all("meta"))
        assert [len(html.all(name)) for name in ("head", "body", "h1", "main", "header", "nav")] == [1] * 6
    assert drawn().startswith("<!DOCTYPE html>\n")


def test_ids_are_unique_and_every_link_inside_leads_to_one() -> None:
    for document in both():
        ids = [e.attributes["id"] for e in document if "id" in e.attributes]
        assert len(ids) == len(set(ids)) > 300
        inside = {a.attributes["href"] or "" for a in document.all("a")}
        assert {href[1:] for href in inside if href.startswith("#")} <= set(ids)


def test_nothing_is_loaded_and_links_lead_to_https_only() -> None:
    for document in both():
        assert {e.attributes.get("href") for e in document.all("link")} == {"data:,"}
        assert not any(key in e.attributes for e in document for key in ("src", "srcset", "action", "poster", "data"))
        assert not any(key.startswith("on") for e in document for key in e.attributes)
        links = [a.attributes["href"] or "" for a in document.all("a")]
        assert all(link.startswith(("#", "https://")) for link in links)
        assert sum(link.startswith("https://github.com/") for link in links) > 3
        for style in document.all("style"):
            assert "url(" not in style.text and "@import" not in style.text
        policy, = [e.attributes["content"] or "" for e in document.all("meta") if "http-equiv" in e.attributes]
        assert policy.startswith("default-src 'none'; ") and "script-src 'sha256-" in policy


def test_two_implementations_and_350_cases_take_little_more_than_a_megabyte() -> None:
    assert facts().suite.count > 320 and len(drawn().encode()) * 350 / facts().suite.count < 1.2e6


def test_the_same_facts_make_the_same_page_and_stay_as_they_were() -> None:
    before = as_json(facts())
    assert page(facts()) == drawn() and as_json(facts()) == before


# ---- Nothing of anyone's is HTML ----


KEPT = {"status", "question", "value", "canonical"}   # statuses, and conventions, which come from this package


def poisoned(value: Any) -> Any:
    """Every text with a tag in it, and every name."""
    if isinstance(value, (Network, Rule, Convention)):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: poisoned(getattr(value, f.name)) for f in fields(value) if f.name not in KEPT})
    if isinstance(value, dict):
        return {k if isinstance(v, Rule) else k + EVIL: poisoned(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [poisoned(part) for part in value]
    return value + EVIL if isinstance(value, str) else value


def fewer(one: Report, kept: set[str]) -> Report:
    """With these cases alone, and a contradiction."""
    run = replace(one.run, outcomes=[outcome for outcome in one.run.outcomes if outcome.case.id in kept])
    failures = [failure for failure in one.failures if failure.outcome.case.id in kept]
    return replace(one, run=run, failures=failures, contradicted=[""])


def test_no_text_of_the_facts_becomes_a_tag() -> None:
    kept = {outcome.case.id for outcome in facts().reports[0].run.outcomes[::5]}
    disagreements = [one for one in facts().disagreements if one.case.id in kept]
    html = page(poisoned(Comparison([fewer(one, kept) for one in facts().reports], disagreements)))
    document = tree(html)
    assert not document.all("img") and len(document.all("script")) == 1 and "<!--" not in html.split("<main")[1]
    assert document.text.count(EVIL) > 500
    assert "zennit" + EVIL in document.all("h3")[0].text


def test_every_text_of_the_facts_can_be_written_and_obeyed_by_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a character, what a terminal obeys, and what turns the direction of writing."""
    monkeypatch.setitem(globals(), "EVIL", "\ud800\x1b[2J\x00\u202e\x85")
    kept = {outcome.case.id for outcome in facts().reports[0].run.outcomes[::5]}
    disagreements = [one for one in facts().disagreements if one.case.id in kept]
    html = page(poisoned(Comparison([fewer(one, kept) for one in facts().reports], disagreements)))
    assert html.encode().decode() == html and html.count(r"\ud800\x1b[2J\x00\u202e\x85") > 500
    assert {c for c in html if not c.isprintable()} == {"\n"}


def test_attributes_and_children_are_escaped_and_html_is_not_escaped_twice() -> None:
    assert tag("a", "<&", [1, None, False, 0], Html("<br>"), href='"<') == '<a href="&quot;&lt;">&lt;&amp;10<br></a>'
    assert tag("td", tabindex=0, hidden=True, colspan=None) == '<td tabindex="0" hidden></td>'


def test_only_https_becomes_a_link() -> None:
    assert issue("https://github.com/a/b/issues/12") == (
        '<a href="https://github.com/a/b/issues/12" rel="noreferrer">b #12</a>')
    assert issue("https://a.b/?y=1&z") == '<a href="https://a.b/?y=1&amp;z" rel="noreferrer">a.b/?y=1&amp;z</a>'
    for url in ("javascript:alert(1)", "http://a.org", "data:text/html,x"):
        assert not tree(issue(url)).all("a") and tree(issue(url)).text == url


def test_different_texts_make_different_ids() -> None:
    texts = ["a b", "a_b", "a-b", "a.b", "A b", "a  b", "äb", "", "a:20:b", "a/b"]
    assert len({slug("x", text) for text in texts}) == len(texts) and slug("x", "a b") == "x/a:20:b"


def test_numbers_are_shown_by_their_digits_and_names() -> None:
    values = [1 / 3, -0.0, math.nan, math.inf, -math.inf, "nan", None, True, 7, [1.5, [math.nan]], 1e-7]
    assert list(map(shown, values)) == ["0.3333333333", "0", "nan", "inf", "-inf", "nan", "not finite", "yes", "7",
                                        "[1.5, [nan]]", "1e-07"]
    assert shown(1 / 3, 17) == "0.33333333333333331"


# ---- Counts ----


def test_the_cells_of_every_implementation_add_up_to_the_manifests_count() -> None:
    for report in facts().reports:
        passed, count, others = 0, 0, dict.fromkeys(STATUSES, 0)
        for row in report.run.matrix():
            cell = real().by_id(slug("cell", *row.place, report.name))
            shown_passed, shown_count = re.search(r"(\d+)/(\d+) passed", cell.text).groups()   # type: ignore[union-attr]
            passed, count = passed + int(shown_passed), count + int(shown_count)
            for span in [span for box in cell.all("span", "others") for span in box.all("span")[1:]]:
                number, status = span.text.split()
                others[status] += int(number)
        assert count == facts().suite.count
        assert {**others, "passed": passed} == report.run.counts()


def test_rows_stand_under_the_capability_that_their_cases_need() -> None:
    groups: dict[str, list[str]] = {}
    for body in real().by_id("matrix").all("tbody"):
        if "capability" in body.classes:
            here = groups.setdefault(body.attributes["id"].removeprefix("capability/"), [])
        else:
            here += [row.all("th")[0].text for row in body.all("tr")[1:]]
    assert set(groups.pop("networks", [])) <= {"whole network"}
    assert list(groups) == [name for name in CAPABILITIES if name in groups]
    for name, layers in groups.items():
        assert set(layers) <= set(CAPABILITIES[name].ops), name
    assert {"Conv2D", "MaxPool"} <= {layer for layers in groups.values() for layer in layers}


def test_a_capability_counts_what_is_right_of_what_is_answered() -> None:
    report = facts().reports[0]
    totals = [0, 0]
    for name in [*CAPABILITIES, "networks"]:
        group = [body for body in real().by_id("matrix").all("tbody") if body.attributes["id"] == f"capability/{name}"]
        for body in group:
            said = body.all("td")[0].text
            totals = [sum(pair) for pair in zip(totals, map(int, said.split("/")))] if "/" in said else totals
    counts = report.run.counts()
    assert totals == [counts["passed"] + counts["loose"], sum(counts.values()) - counts["unsupported"]]


def test_what_is_not_claimed_is_said_and_not_judged() -> None:
    class Claiming(Ours):
        capabilities = ("convolution",)

    given = one(outcome(1, "unsupported"))
    given = replace(given, run=replace(given.run, adapter=Claiming()))
    cell = tree(page(given)).by_id("capability/dense").all("td")[0]
    assert cell.text == "not claimed"
    assert tree(page(one(outcome(1, "unsupported")))).by_id("capability/dense").all("td")[0].text == "has none"


def test_every_case_has_one_anchor() -> None:
    for case in facts().suite.cases:
        assert real().by_id(slug("case", case.id)).attributes["data-rule"] == case.rule


@pytest.mark.parametrize(("statuses", "is_", "text"), [
    (["passed", "passed"], "passed", "✓ all 2 required"), (["passed", "failed"], "failed", "✗ 1/2 required"),
    (["passed", "unsupported"], "part", "◐ 1/1 required"), (["unsupported"] * 2, "unsupported", "– unsupported"),
    (["passed", "loose"], "loose", "≈ 1/2 required"), (["passed", "undetermined"], "undetermined", "? 1/2 required"),
    (["unsupported", "failed"], "failed", "✗ 0/1 required"), (["unsupported", "loose"], "part", "◐ 0/1 required"),
])
def test_a_rule_is_green_only_if_all_its_required_cases_passed(statuses: list[str], is_: str, text: str) -> None:
    cases = [outcome(n, status) for n, status in enumerate(statuses)]
    extra = [outcome(8, "failed", "convention"), outcome(9, "passed", "stress")]   # neither makes it so or unmakes it
    badge, = tree(page(one(*cases, *extra))).by_id("rule/Flat/dense").all("tr", "head")[0].all("span", "badge")
    assert is_ in badge.classes and badge.text == text and ("passed" in badge.classes) == (is_ == "passed")


def test_a_rule_without_required_cases_is_not_green() -> None:
    document = tree(page(one(outcome(1, "passed", "stress"))))
    badge, = document.by_id("rule/Flat/dense").all("tr", "head")[0].all("span", "badge")
    assert badge.classes == ["badge", "none"] and badge.text == "· none required"


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "passed"])
def test_a_cell_says_what_did_not_pass_in_words_and_never_looks_like_passed(status: str) -> None:
    cell = tree(page(one(outcome(1, status), outcome(2, "passed")))).by_id("cell/Flat/Linear/mine")
    assert "passed" not in cell.classes and "✓" not in cell.text
    assert f"1 {status}" in cell.text and "1/2" in cell.text


def test_a_run_of_fewer_cases_than_the_manifest_has_is_called_incomplete() -> None:
    short = one(outcome(1, "passed"))
    assert "not complete" not in page(short)
    short = replace(short, run=replace(short.run, suite=replace(short.suite, count=2)))
    assert "1 cases are accounted for, and the manifest has 2" in page(short)


def test_the_formula_of_a_rule_is_the_one_that_the_rule_says() -> None:
    assert {name: str(rule.__doc__).split("\n")[0] for name, rule in RULES.items()} == FORMULAS


# ---- What is told ----


def test_every_failure_stands_with_its_numbers_its_command_and_its_issues() -> None:
    for report in facts().reports:
        assert len(report.failures) > 30
        for told in report.failures:
            case = real().by_id(slug("case", told.outcome.case.id))
            worst, first, text = told.outcome.worst, told.first, case.text
            assert case.name == "details" and told.outcome.case.comment in text and told.command in text
            assert worst and f"{shown(worst.got, 17)} instead of {shown(worst.expected, 17)}" in text
            assert first and f"layer {first.layer}, under {in_words(first.rule)}" in text
            assert told.outcome.reason not in text
            assert set(told.known.issues) <= {a.attributes["href"] for a in case.all("a")}


def test_every_disagreement_stands_with_what_was_expected_and_every_answer() -> None:
    assert any(outcome.answer is None for told in facts().disagreements for outcome in told.outcomes)
    for told in facts().disagreements:
        table, = real().by_id(slug("case", told.case.id)).all("table")
        assert [th.text for th in table.all("tbody")[0].all("th")] == ["expected", "zennit", "captum"]
        names = [one.name for one in facts().reports]
        missing = [name for name, outcome in zip(names, told.outcomes) if outcome.answer is None]
        assert all(f"{name}unsupported" in [tr.text for tr in table.all("tr")] for name in missing)


def test_of_many_numbers_those_that_are_furthest_off_are_shown_in_their_order() -> None:
    expected = [[float(n) for n in range(10)] for _ in range(10)]
    got = [list(row) for row in expected]
    got[9][9], got[0][1], got[5][5] = math.nan, 1.5, -5.0
    told = disagreement(1, "failed", expected, got)
    table, = tree(page(several(one(outcome(1, "failed"), failures=[failure(1)]), disagreements=[told]))).by_id(
        "case/case-1").all("table")
    assert "8 of 100 numbers, those that are furthest off" in table.all("caption")[0].text
    columns = [th.text for th in table.all("thead")[0].all("th")]
    assert columns[0] == "[0, 0]" and "[0, 1]" in columns and columns[-2:] == ["[5, 5]", "[9, 9]"]
    assert [td.text for td in table.all("td", "differs")] == ["1.5 differs", "-5 differs", "nan differs"]


def test_numbers_that_differ_late_are_shown_to_their_last_digit() -> None:
    told = disagreement(1, "failed", [1.0], [1 + 2**-40])
    html = page(several(one(outcome(1, "failed"), failures=[failure(1)]), disagreements=[told]))
    assert "1.0000000000009095<" in html


def test_a_case_with_two_causes_is_told_once_and_linked_from_the_other() -> None:
    squared = Convention("bias_w_square", "squared")
    told = [one(outcome(1, "failed"), name="a", failures=[failure(1, convention=squared)]),
            one(outcome(1, "failed"), name="b", failures=[failure(1, Known("had another answer"))])]
    document = tree(page(several(*told)))
    first, second = document.all("details", "cause")
    assert "Bias in w-square: squared into the denominator" in first.text and len(first.all("details", "case")) == 1
    assert second.all("h3")[0].text.startswith("Something kept between calls") and not second.all("details", "case")
    assert [a.attributes["href"] for a in second.all("a")] == ["#case/case-1"]


def test_an_error_is_a_cause_and_what_nothing_explains_stands_last() -> None:
    cases = [outcome(n, "failed") for n in range(4)]
    failures = [failure(n, wrong=(math.nan, 0.0)) for n in range(3)] + [failure(3, reason="TypeError: no")]
    groups = tree(page(one(*cases, failures=failures))).all("details", "cause")
    assert [group.all("h3")[0].text for group in groups] == [
        "TypeError: no", "Not explained: numbers that are not finite"]
    assert "at [0]: nan instead of 0, off by inf, where 0 is allowed" in groups[1].text


@pytest.mark.parametrize(("known", "heading"), [
    (Known("had another answer"), "Something kept between calls: the same question had another answer"),
    (Known(convention=Convention("sign_of_zero", -1), names=["torchlrp"]), "sign(0) = -1 (TorchLRP)"),
    (Known(), "Not explained")])
def test_what_is_known_of_an_answer_is_a_cause(known: Known, heading: str) -> None:
    told = one(outcome(1, "failed"), failures=[failure(1, known, wrong=(1.0, 2.0))])
    assert tree(page(told)).all("details", "cause")[0].all("h3")[0].text == heading


def test_the_page_tells_a_failure_under_the_cause_that_the_facts_give() -> None:
    told = one(outcome(1, "failed"), failures=[replace(failure(1), cause=Cause("the moon"))])
    assert [group.all("h3")[0].text for group in tree(page(told)).all("details", "cause")] == ["The moon"]


def test_what_must_be_refused_and_was_answered_stands_apart_and_is_no_cause() -> None:
    cases = [outcome(n, "failed", "negative", answer=np.zeros(2)) for n in range(2)]
    failures = [failure(n, level="negative", reason=f"answered, and must refuse: x has nan at {n}",
                        answer=np.zeros(2)) for n in range(2)]
    wrong = failure(2, wrong=(1.0, 2.0))
    document = tree(page(one(*cases, wrong.outcome, failures=[*failures, wrong])))
    assert [cause.all("h3")[0].text for cause in document.all("details", "cause")] == [
        "Not explained"]
    apart = document.by_id("refused")
    assert "x has nan at 1" in apart.text and document.by_id("refused/mine").text == "mine 1.0 2"
    assert [case.attributes["id"] for case in apart.all("details", "case")] == ["case/case-0", "case/case-1"]
    card = document.by_id("implementation/mine")
    assert "2 of the failed are inputs that must be refused" in card.text
    assert "must refuse" not in card.all("ol")[0].text


def test_x_weights_and_r_of_every_case_are_one_click_away() -> None:
    for report in facts().reports[:1]:
        for case in [done.case for done in report.run.outcomes[::7]]:
            asked, = real().by_id(slug("case", case.id)).all("details", "asked")
            words = asked.all("pre")[0].text
            assert words.startswith(f"{case.network.names[0]}: {case.layers[0]}, ")
            assert all(f"\n{name} = " in words for name in ("x", "R", "expected"))
    told = tree(page(one(outcome_of(1, "failed"), failures=[failure(1, wrong=(1.0, 2.0))]))).all("details", "asked")
    assert told[0].all("pre")[0].text == (
        "fc: Linear, Flat()\n  weight = [[1], [1]]\nx = [[1, 3]]\nR = [[2]]\nexpected = [[1, 1]]")


def test_of_a_large_array_the_first_numbers_and_the_shape_are_told() -> None:
    wide = replace(one_case(1), x=np.arange(40.0).reshape(1, 40))
    assert [line for line in question_lines(wide) if line.startswith("x = ")] == [
        f"x = {', '.join(map(str, range(16)))}, ... 40 numbers of shape (1, 40)"]


def test_a_comment_has_numbers_and_no_class() -> None:
    told = one(outcome(1, "failed", comment="epsilon is GuardedFraction('1/4') here"),
               failures=[failure(1, wrong=(1.0, 2.0), comment="epsilon is GuardedFraction('1/4') here")])
    assert "epsilon is 1/4 here" in page(told) and "GuardedFraction" not in page(told)


# ---- Many implementations ----


def many() -> Comparison:
    """Two who answer, one of them wrongly, and three who do not have the case."""
    reports = [one(outcome(1, "passed"), name="a"),
               one(outcome(1, "failed"), name="b", failures=[failure(1, wrong=(1.0, 2.0))]),
               *(one(outcome(1, "unsupported", reason="no"), name=name) for name in "cde")]
    answers = [one.run.outcomes[0] for one in reports]
    answers[0] = replace(answers[0], answer=np.array([[1.0, 1.0]]))
    answers[1] = replace(answers[1], answer=np.array([[1.0, 2.0]]))
    return several(*reports, disagreements=[Disagreement(answers, [])])


def test_of_many_only_those_that_have_a_case_stand_in_its_table_and_the_others_in_a_sentence() -> None:
    case = tree(page(many())).by_id("case/case-1")
    rows = case.all("table")[0].all("tbody")[0].all("th")
    assert [th.text for th in rows] == ["expected", "a", "b"] and "Unsupported by c, d, e." in case.text
    badges = case.all("span", "verdicts")[0].all("span", "badge")
    assert [badge.text for badge in badges] == ["✓ a passed", "✗ b failed"]


def test_many_implementations_have_a_line_each_with_what_became_of_what_they_support() -> None:
    document = tree(page(many()))
    table, = document.all("div", "overview")
    assert [[cell.text for cell in row.all("td")] for row in table.all("tbody")[0].all("tr")] == [
        ["1", "0", "0", "0", "0", "1 of 1, 100 %"], ["0", "1", "0", "0", "0", "0 of 1, 0 %"],
        *[["0", "0", "0", "0", "1", "0 of 0"]] * 3]
    assert "many" in document.all("body")[0].classes
    assert not tree(page(one(outcome(1, "passed")))).all("div", "overview")
    cell = document.by_id("cell/Flat/Linear/b")
    assert cell.text == "✗0/1 passed✗1 failed"


def test_a_card_names_the_causes_with_most_cases_and_always_what_nothing_explains() -> None:
    failures = [failure(n, reason=f"Error {min(n, 9)}") for n in range(12)]
    failures += [failure(12, wrong=(1.0, 2.0)), failure(13, wrong=(1.0, 2.0), rule="ZBox")]
    card, = tree(page(one(*(outcome(n, "failed") for n in range(14)), failures=failures))).all("article", "card")
    causes = [(li.all("a")[0].text, li.all("span")[0].text) for li in card.all("ol")[0].all("li")]
    assert causes[0] == ("Error 9", "3") and len(causes) == 8
    assert causes[-1] == ("Not explained", "2")   # whatever their rules
    assert "3 more of other causes" in card.text


def test_commands_name_an_implementation_as_it_was_named() -> None:
    told = failure(1, command="lrp-ref conform package.module:Adapter --case case-1")
    for run in (one(outcome(1, "failed"), failures=[told], command="package.module:Adapter"),
                one(outcome(1, "passed"), command="package.module:Adapter")):
        section = tree(page(run)).by_id("run")
        assert section.all("pre")[0].text == "lrp-ref conform package.module:Adapter"


def test_a_declared_convention_is_told_apart_from_a_failure() -> None:
    squared = Convention("bias_w_square", "squared")
    told = disagreement(1, "passed", [1.0], [2.0])
    document = tree(page(several(one(outcome(1, "passed", convention=squared)), disagreements=[told])))
    group, = document.all("details", "cause")
    assert group.all("h3")[0].text == "Allowed for, as it is declared: bias in w-square: squared into the denominator"
    assert "mine 1.0 declares another convention" in group.text and not group.all("td", "differs")


def test_every_record_stands_apart_with_its_answers_and_is_called_never_run() -> None:
    for record in facts().suite.records:
        told = real().by_id(slug("record", record.id))
        assert record.title in told.text and record.question in told.text and "never run" in told.text
        assert [dd.text for dd in told.all("dd")] == list(record.answers.values())
        assert "data-status" not in told.attributes and not told.all("span", "badge")


def test_conventions_mark_departures_in_words_and_link_to_their_evidence() -> None:
    row = real().by_id("question/bias_w_square")
    canonical, zennit, captum = row.all("td")
    assert canonical.text == "left out" and "squared into the denominator ≠ departs" in zennit.text
    assert "not determined" in captum.text and "departs" not in captum.text
    evidence = next(one.evidence for one in facts().reports[0].replies if one.question == "bias_w_square")
    assert [a.attributes["href"] for a in zennit.all("a")] == ["#" + slug("case", id) for id in evidence]


def test_what_is_unsupported_is_told_with_its_reason_and_issue() -> None:
    whys = [e for e in real() if (e.attributes.get("id") or "").startswith("why/captum")]
    assert "captum has no rule AlphaBeta" in whys[0].text and whys[0].all("a")[0].text == "captum #485"


def test_a_contradiction_is_told() -> None:
    assert "It declares x, but does y." in page(one(outcome(1, "passed"), contradicted=["declares x, but does y"]))


def test_two_implementations_of_one_name_keep_their_ids_apart() -> None:
    document = tree(page(several(one(outcome(1, "passed")), one(outcome(1, "failed")))))
    assert "passed" in document.by_id("cell/Flat/Linear/mine.1").classes
    assert "failed" in document.by_id("cell/Flat/Linear/mine.2").classes


# ---- For every reader ----


def test_headers_have_a_scope_tables_a_caption_and_fields_a_label() -> None:
    for document in both():
        assert all(th.attributes.get("scope") in ("row", "col", "rowgroup") for th in document.all("th"))
        assert all(len(table.all("caption")) == 1 for table in document.all("table"))
        assert sum(len(label.all("select")) for label in document.all("label")) == len(document.all("select")) > 1
        boxes = document.all("div", "wide")
        assert all(box.attributes["tabindex"] == "0" and box.attributes["aria-label"] for box in boxes)


def test_every_status_that_an_outcome_can_have_is_explained_in_its_order() -> None:
    told, = real().by_id("read").all("dl", "statuses")
    assert [dt.text.split()[1] for dt in told.all("dt")] == list(STATUSES)


def test_a_sign_never_stands_without_its_word() -> None:
    for document in both():
        for badge in document.all("span", "badge"):
            assert re.search(r"[a-z]{4}", badge.text)
        assert all(sign.attributes["aria-hidden"] == "true" for sign in document.all("span", "mark"))


def colours() -> list[tuple[str, str, str]]:
    """(scheme, text, paper) of everything that stands on something."""
    css = (resources.files("lrp_ref.conformance.page") / "page.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", css, re.S)
    schemes = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in blocks]
    assert len(schemes) == 3 and all(scheme.keys() == schemes[0].keys() for scheme in schemes)
    pairs = [(text, paper) for text in ("ink", "quiet", "link") for paper in ("paper", "tint")]
    pairs += [(status, f"{status}-tint") for status in STATUSES] + [(status, "paper") for status in STATUSES]
    pairs += [(text, f"{status}-tint") for text in ("quiet", "ink", "link") for status in ("loose", "unsupported")]
    return [(name, scheme[text], scheme[paper]) for name, scheme in zip(("light", "dark", "print"), schemes)
            for text, paper in pairs]


@pytest.mark.parametrize(("scheme", "text", "paper"), colours())
def test_text_has_the_contrast_that_wcag_asks_for(scheme: str, text: str, paper: str) -> None:
    lighter, darker = sorted((luminance(text), luminance(paper)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5   # WCAG 2.2, 1.4.3, level AA


def luminance(colour: str) -> float:
    """WCAG's relative luminance of #rrggbb."""
    parts = [int(colour[n:n + 2], 16) / 255 for n in (1, 3, 5)]
    return sum(weight * (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)
               for weight, part in zip((0.2126, 0.7152, 0.0722), parts))
