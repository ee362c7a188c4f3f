"""What a page holds of one photograph: per model its layers, and per class and rule what stands at every cut-off."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.assignment import (
    ali,
    attnlrp,
    cp_lrp,
    epsilon_gamma_box,
    epsilon_plus,
    gradient_times_input,
    is_fisher,
    paper_rules,
)
from lrp_ref.explorer.cuts import Cut, at_cut, cuts, largest_messages, no_cut
from lrp_ref.explorer.numbers import LARGEST, Maps, packed, twelve_digits
from lrp_ref.explorer.view import View
from lrp_ref.explorer.walk import Axis, Walk
from lrp_ref.hints import Watch, listed, quotable, shown, unwatched
from lrp_ref.layers import Softmax
from lrp_ref.models.explained import Given, rules_of
from lrp_ref.models.model import Model
from lrp_ref.models.sight import SEVERAL, WHOLE, bins, words_for
from lrp_ref.models.usual import deep, pixel_cutoff
from lrp_ref.network import INPUT, Network, receptive_fields, where_they_meet
from lrp_ref.relevance import Explanation, checked, every_layer, must_be_finite, relevances
from lrp_ref.rules import AlphaBeta, Epsilon, Rule, ZPlus
from lrp_ref.starts import begins

TOP = 3      # classes that are shown where none is asked for
SCORES = 5   # scores that are listed
NAME = 60    # letters of a class's name
KEPT = 1 << 24   # numbers of explanations that are kept at a time


def usual_choice(network: Network, low: Any, high: Any) -> dict[str, Given]:
    """{name: rule or preset}: what a page offers where no rules are asked for, the usual one first."""
    def boxed(network: Network) -> Mapping[str, Rule]:
        return epsilon_gamma_box(network, low, high)

    if is_fisher(network):
        return {"paper": paper_rules, "epsilon:1": Epsilon(1), "zplus": ZPlus(), "alphabeta:2,1": AlphaBeta(2, 1)}
    if any(isinstance(layer, Softmax) for _, layer in network.layers[:-1]):
        return {"attnlrp": attnlrp, "cp_lrp": cp_lrp, "ali": ali, "gradient_times_input": gradient_times_input}
    if deep(network):
        return {"epsilon_gamma_box": boxed, "epsilon_plus": epsilon_plus, "paper": paper_rules,
                "epsilon:0.01": Epsilon(0.01)}
    return {"paper": paper_rules, "epsilon:0.01": Epsilon(0.01), "zplus": ZPlus(), "epsilon_gamma_box": boxed}


def view(photograph: Array, name: str, model: Model, classes: Sequence[str | int], rules: Mapping[str, Given] | None,
         watch: Watch = unwatched) -> View:
    """Everything that a page shows of a photograph (H, W) or (H, W, 3) in [0, 1] and one model."""
    x = model.prepare(photograph)
    network = model.network(x.shape)
    walk, x = Walk.of(network, x.shape), checked(network, x)
    watch(f"{name}: forward")
    xs = network.activations(x)
    for layer, output in xs.items():
        must_be_finite(layer, output)
    scores = xs[network.output][0]
    label = labels(model, scores)
    order = [int(n) for n in np.argsort(-scores, kind="stable")]
    asked = list(dict.fromkeys(place_of_class(model, one, len(scores)) for one in classes))
    chosen = [*asked, *(n for n in order if n not in asked)][: max(len(asked), TOP)]
    box = model.preprocessing.box
    given = {key: every_layer(network, rules_of(network, one, None, box))
             for key, one in (rules or usual_choice(network, *box)).items()}
    tasks = [(index, key) for index in chosen for key in given]
    strips, messages, group = list[str](), list[str](), list[Explanation]()
    for n, (index, key) in enumerate(tasks):
        watch(f"{name}: {label(index)} by {key}")
        begin = begins(xs, network.output, index)
        found = relevances(network, xs, given[key], begin)
        e = Explanation(xs[network.output], xs, found.of, found.messages, found.ledger, begin[network.output])
        group.append(e)
        messages.append(message_text(walk, e, given[key]))
        if n + 1 == len(tasks) or len(group) >= at_once(walk, e):
            watch(f"{name}: cut-offs")
            strips += strip_texts(walk, group)
            group = []
    rows = range(0, len(tasks), len(given))
    facts = {
        "model": name, "about": model.provenance.partition(". ")[0][:200], "size": list(x.shape[2:]),
        "scores": [[label(n), twelve_digits(scores[n])] for n in order[:SCORES]], "count": len(scores),
        "classes": [{"name": label(n), "score": twelve_digits(scores[n])} for n in chosen],
        "rules": [{"name": key, "layers": summary(rule)} for key, rule in given.items()],
        **layers(walk, x.shape)}
    return View(name, facts, [strips[n: n + len(given)] for n in rows], [messages[n: n + len(given)] for n in rows],
                model.seen(photograph))


def place_of_class(model: Model, one: str | int, scores: int) -> int:
    """The number of a class, by its name where there are names."""
    if model.classes:
        return model.class_index(one)
    if isinstance(one, bool) or not isinstance(one, (int, np.integer)) or not 0 <= one < scores:
        raise ValueError(f"got the class {shown(one)} for a model without class names, needed a number from 0 to "
                         f"{scores - 1}")
    return int(one)


def labels(model: Model, scores: Array) -> Callable[[int], str]:
    """The name of every class, or where there are none its number, short enough to show."""
    names = model.classes or [str(n) for n in range(len(scores))]
    if len(names) != len(scores):
        raise ValueError(f"got a model with {len(names)} class names for {len(scores)} scores: give every score a name")
    return lambda n: quotable(names[n], NAME)


def message_text(walk: Walk, e: Explanation, rules: Mapping[str, Rule]) -> str:
    """The largest message to every pixel, as JSON."""
    found = largest_messages(walk, e, rules)
    if found is None:
        return "null"
    unit = float(abs(found.amount).max()) / LARGEST
    return json.dumps({"steps": found.steps, "unit": unit, "data": packed(
        found.of, np.rint(found.amount / (unit or 1)).astype(np.int16))})


def at_once(walk: Walk, e: Explanation) -> int:
    """How many explanations are kept, to go down below cut-offs together; one where `walk` knows the whole way."""
    numbers = sum(part.size for parts in e.messages.values() for part in parts)
    return 1 if len(walk.spreads) == len(walk.network) else max(1, KEPT // numbers)


def strip_texts(walk: Walk, explained: Sequence[Explanation]) -> list[str]:
    """Of each: where relevance went, layer by layer, and what stands at every cut-off, as JSON."""
    possible, places = {*cuts(walk)}, {INPUT: -1, **walk.network.places}
    maps, at = [Maps() for _ in explained], list[list[dict[str, Any]]]([] for _ in explained)
    for name in walk.network.names:
        found = at_cut(walk, explained, name) if name in possible else [no_cut(walk, e) for e in explained]
        for n, cut in enumerate(found):
            at[n].append(stand(walk, cut, maps[n], places))
    texts = []
    for n, e in enumerate(explained):
        ledger = [[sum_of(column) for column in (account.received, *account.parts())]
                  for _, account in reversed([*e.ledger])]
        facts = {"start": sum_of(e.start), "ledger": ledger, "cuts": at[n]}
        texts.append(json.dumps({**facts, **maps[n].written()}, allow_nan=False, separators=(",", ":")))
    return texts


def sum_of(column: Array) -> float:
    return twelve_digits(np.asarray(column, np.float64).sum())


def stand(walk: Walk, cut: Cut, maps: Maps, places: Mapping[str, int]) -> dict[str, Any]:
    """Which maps stand at which tensors, and the exact sums of what arrives at the pixels and of what does not."""
    pixels, dead = walk.down(cut.there)
    return {"at": [[places[t], maps.add(values)] for t, values in cut.there.items()],
            "pixels": twelve_digits(pixels.sum()), "dead": twelve_digits(dead + cut.dead)}


def layers(walk: Walk, shape: Sequence[int]) -> dict[str, Any]:
    """Names, kinds, what each reads, its grid, how it spreads under a cut-off, and over what a unit at the cut-off."""
    network, axes, places = walk.network, list[Axis](), {INPUT: -1, **walk.network.places}

    def axis(one: Axis) -> int:
        if one not in axes:
            axes.append(one)
        return axes.index(one)

    found, over = [], spreads_over(network, shape)
    for n, (name, layer, reads) in enumerate(network.nodes):
        spread = walk.spreads.get(name)
        found.append({
            "name": name, "kind": type(layer).__name__, "reads": [places[t] for t in reads],
            "grid": walk.grids.get(name), "over": over[n],
            "spread": None if spread is None else [
                *([axis(one) for one in (spread.rows, spread.columns)]  # type: ignore[arg-type]
                  if spread.rows is not None else [None, None]), spread.parts]})
    return {"layers": found, "axes": axes, "paper": paper_cut(network), "comb": comb(network)}


def comb(network: Network) -> int:
    """The stride of the windows that read the pixels, with which a map under a cut-off is combed (docs/cutoff.md)."""
    windows = [layer.sees for _, layer, reads in network.nodes if INPUT in reads]
    return max((max(window.stride) for window in windows if window is not None), default=1)


def paper_cut(network: Network) -> int | None:
    """The place of the cut-off at R(1), if there is one."""
    try:
        return network.index(pixel_cutoff(network))
    except ValueError:
        return None


def spreads_over(network: Network, shape: Sequence[int]) -> list[str]:
    """Over what a cut-off below each layer spreads what one unit has."""
    fields = receptive_fields(network, tuple(shape))
    said, found = words_for(network, fields, shape[2:]), []
    for n, (_, _, reads) in enumerate(network.nodes):
        under, own = where_they_meet([fields[t] for t in reads]), bins(network, n)
        if own:
            found.append(f"squares of {', '.join(map(str, own))} pixels")
        elif under is None:
            found.append(next((said[t] for t in reads if said[t]), SEVERAL))
        else:
            whole = all(size >= 2 * side for size, side in zip(under.size, shape[2:]))
            found.append(WHOLE if whole else f"{under.size[0]} x {under.size[1]} pixels")
    return found


def summary(rules: Mapping[str, Rule]) -> str:
    """Which rule how many layers have, or which layers, where these are few."""
    having: dict[str, list[str]] = {}
    for name, rule in rules.items():
        having.setdefault(repr(rule), []).append(name)
    return "; ".join(f"{rule}: {listed(names) if len(names) <= 4 else f'{len(names)} layers'}"
                     for rule, names in having.items())
