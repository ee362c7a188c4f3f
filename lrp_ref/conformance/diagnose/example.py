"""The smallest question that a departure alone explains: asked, wrong, and exactly what the departure gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.conformance.diagnose.detect import MEASURED
from lrp_ref.conformance.diagnose.explain import Cases, half_alike
from lrp_ref.conformance.diagnose.formula import MEASURED as NUMBERS
from lrp_ref.conformance.diagnose.model import Departure, Model, place_of
from lrp_ref.conformance.diagnose.probes import PARAMETERS, Asker, Spent
from lrp_ref.conformance.diagnose.shrink import Counterexample, result
from lrp_ref.layers import Linear
from lrp_ref.network import Network
from lrp_ref.relevance import through_network

TRIED = 250   # questions of one departure
DRAWS = 24
READ = 40   # numbers of a case that somebody can still check
Task = tuple[Network, dict[str, Any], Array, Array]


def smallest(asker: Asker, cases: Cases, departure: Departure, others: Iterable[Departure],
             probes: Iterable[Any]) -> Counterexample | None:
    """The smallest of small layers, probes and cases; None where the budget ends or none shows it alone."""
    alone, nothing = cases.model.of(departure), cases.model.of()
    beside = [one for one in others if one != departure]
    asked, least = 0, 1e-8 if hidden(departure) else 1e-3
    for network, rules, x, R in sorted(tasks(cases, departure, probes), key=task_size):
        if any(one.touches(rules[name], layer) for one in beside for name, layer in network) and not isolated(
                cases.model, departure, beside, (network, rules, x, R)):
            continue
        want, right = answer(alone, network, rules, x, R), answer(nothing, network, rules, x, R)
        if want is None or right is None or near(want, right, least) or asked >= TRIED:
            continue
        try:
            got = asker(network, rules, x, R)
        except Spent:
            return None
        asked += 1
        if got is not None and half_alike(got, want, cases.u):
            canonical = through_network(network, rules, x, R)["input"]
            return Counterexample(network, rules, x, R, result(got), result(canonical), asked)
    return None


def of_answers(cases: Cases, departure: Departure, others: Iterable[Departure], ids: Iterable[str]
               ) -> Counterexample | None:
    """The smallest case that a departure alone explains, of an implementation that nobody can ask."""
    beside, found = [one for one in others if one != departure], []
    for one in [one for one in cases.failed if one.case.id in set(ids)]:
        task = cases.tasks[one.case.id]
        network, rules, x, R = task
        right = through_network(network, rules, x, R)["input"]
        assert one.answer is not None
        if task_size(task)[0] > READ or near(one.answer, right, 1e-8 if hidden(departure) else 1e-3):
            continue
        alone = not any(other.touches(rules[name], layer) for other in beside for name, layer in network)
        if alone or isolated(cases.model, departure, beside, task):
            found.append(Counterexample(network, rules, x, R, result(one.answer), result(right), 0))
    return min(found, key=lambda one: task_size((one.network, {}, one.x, one.R)), default=None)


def isolated(model: Model, departure: Departure, beside: list[Departure], task: Task) -> bool:
    """Whether the others change nothing there."""
    every = answer(model.of(departure, *beside), *task)
    alone = answer(model.of(departure), *task)
    return every is not None and alone is not None and near(every, alone)


def answer(model: Model, network: Network, rules: Any, x: Array, R: Array) -> Array | None:
    try:
        found = model.answer(network, rules, x, R)
        model.written.clear() if len(model.written) > 4000 else None
    except (ValueError, KeyError, ArithmeticError):
        return None
    return found


def hidden(one: Departure) -> bool:
    """Whether nothing but a small number may show it: a stabiliser."""
    measured = one.kind == "convention" and one.what.question in MEASURED
    return measured or (one.kind == "formula" and one.what.guard in NUMBERS)


def near(one: Array, other: Array, least: float = 1e-8) -> bool:
    """Too near to be told apart: by default by somebody who reads nine digits."""
    good = np.isfinite(one) & np.isfinite(other)
    if (np.isfinite(one) != np.isfinite(other)).any():
        return False
    return bool((abs(one - other)[good] <= least * np.maximum(abs(other)[good], 1e-3)).all())


def task_size(task: Task) -> tuple[int, float]:
    network, _, x, R = task
    arrays = [x, R, *(array for _, layer in network for array in layer.arrays().values())]
    return (sum(array.size for array in arrays),
            float(sum((array != 0).sum() + abs(array).sum() / 100 for array in arrays)))


def tasks(cases: Cases, departure: Departure, probes: Iterable[Any]) -> Iterator[Task]:
    """Tiny fully connected layers, the probes one output at a time, and failed cases of one layer."""
    rng = np.random.default_rng(1)
    told = [one for one in cases.failed if one.case.layers == ("Linear",) and cases.touched(departure, one)]
    rules = {rule for rule, layer in departure.places if layer == "Linear"}
    if departure.kind == "convention":
        rules = {type(rule).__name__ for one in told for rule in one.case.rules.values()}
    elif departure.kind in ("start", "between", "end"):
        rules = {"Epsilon"}
    for rule in sorted(rules):
        for inputs, outputs, samples in ((1, 1, 1), (2, 1, 1), (1, 2, 1), (2, 2, 1), (3, 1, 1), (1, 1, 2)):
            for _ in range(DRAWS):
                w, x = rng.integers(-3, 4, (inputs, outputs)) * 1.0, rng.integers(-3, 4, (samples, inputs)) * 1.0
                b = rng.integers(-3, 4, outputs) * 1.0 if rng.integers(2) else None
                one = PARAMETERS[rule][int(rng.integers(len(PARAMETERS[rule])))]
                layers = [("layer", Linear(w, b))]
                if departure.kind == "between":
                    layers.append(("second", Linear(rng.integers(1, 4, (outputs, outputs)) * 1.0)))
                R = rng.integers(1, 4, (samples, outputs)) * 1.0
                yield Network(layers), {name: one for name, _ in layers}, x, R
    for probe in probes:
        p = probe.pairs
        if place_of(probe.rule, p.layer) not in departure.places:
            continue
        network = Network([("layer", p.layer)])
        for n in range(len(p.x)):
            each = [np.ones((1, *p.outputs[1:]))] if departure.kind == "meeting" else [
                row.reshape(1, *p.outputs[1:]) for row in np.eye(p.b.size)]
            for R in each:
                yield network, {"layer": probe.rule}, p.x[n:n + 1], R
        if len(p.x) > 1:
            yield network, {"layer": probe.rule}, p.x, np.ones(p.outputs)
    for failed in cases.failed:
        if len(failed.case.network) == 1 and cases.touched(departure, failed):
            network, given, x, R = cases.tasks[failed.case.id]
            yield network, dict(given), x, R
