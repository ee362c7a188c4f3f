"""|R computed - R| <= B, with B derived and not chosen: assertions for the unit tests of other implementations.

    from lrp_ref.testing import assert_relevance_close

    assert_relevance_close(theirs, network, x, rules, R)            # float32: u = 2**-24

`network`, `x` and `rules` are lrp_ref's, `theirs` is what the other implementation made of the same numbers: the
relevance of the image, or {tensor: its relevance}, of "input" and of every layer's output by its name. What comes from
one layer is held to that layer's bound (checks.radius); what comes through several at once, to 6 sigma of Monte-Carlo
arithmetic (checks.monte_carlo). Arrays may be NumPy's, torch tensors, or anything with `__array__`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lrp_ref.arrays import Array
from lrp_ref.assignment import cutoff
from lrp_ref.checks.rounding.arithmetic import upward
from lrp_ref.layers import Conv2D, Linear
from lrp_ref.ledger import per_sample
from lrp_ref.network import Network
from lrp_ref.relevance import through_layer
from lrp_ref.rules import Flat, Rule, WSquare
from lrp_ref.testing.compared import SIGMAS, Compared, Report, distance, layers_in_words
from lrp_ref.testing.given import as_floats
from lrp_ref.testing.task import Rules, Task, together, total_of

Hint = Callable[[Sequence[str]], str]   # of the layers whose relevance is wrong, none being the whole network


def assert_relevance_close(actual: Any, network: Network, x: Any, rules: Rules, R: Any = None, u: float = 2.0**-24, *,
                           activations: Mapping[str, Any] | None = None, undetermined: int = 0) -> Report:
    """|actual - R_i| <= B_i for every i, or an AssertionError that says where, how far off, and what it looks like.

    actual        the relevance of x; or {"input": that, layer: relevance of its output, ..}, compared layer by layer,
                  each from what the layer above was given: the sharper test, which names the first layer that diverges
    R             where it starts: an array shaped like the scores, a class index, indices (N,), or None: the top score
    u             unit roundoff of the implementation: 2**-24 for float32, 2**-53 for float64
    activations   {layer: its output} as the implementation computed it; without, what lrp_ref computed, and the bound
                  allows for what the implementation may have computed instead
    undetermined  how many elements may be undetermined: their bound exceeds their value

    Exact relevance is that of exact arithmetic on the weights of `network` and on x as they are given.
    """
    task = Task.of(network, x, rules, R, u, activations)
    return judged(task.compare(actual), undetermined, task, lambda layers: task.hint(layers, actual))


def assert_cutoff(actual: Any, network: Network, x: Any, rules: Rules, below: str, R: Any = None,
                  u: float = 2.0**-24, *, filler: Rule | None = None,
                  activations: Mapping[str, Any] | None = None, undetermined: int = 0) -> Report:
    """That `actual` is the relevance with a cut-off: `rules` from layer `below` upwards, Flat under it.

    filler  WSquare() instead of Flat(); the rest as in `assert_relevance_close`.
    """
    task = Task.of(network, x, cutoff(rules, below, filler), R, u, activations)
    return judged(task.compare(actual), undetermined, task, lambda layers: (
        cut_elsewhere(task, rules, below, filler, layers, actual) or task.hint(layers, actual)))


def assert_ledger(network: Network, x: Any, rules: Rules, relevances: Mapping[str, Any], R: Any = None,
                  u: float = 2.0**-24, *, activations: Mapping[str, Any] | None = None) -> None:
    """sum_i R_i = sum_j handed_j at every layer, per sample: what arrives less bias, stabiliser and dead goes on.

    Where several layers read a tensor, for these together: what they hand down is what all their tensors receive.

    relevances  {"input": R_0, layer: relevance of its output, ..}; the sums may differ by sum_i B_i
    """
    task = Task.of(network, x, rules, R, u, activations)
    for layers, tensors in together(network):
        ones = [task.compare_tensor(t, relevances) for t in tensors]
        accounts = [through_layer(rules[name], task.layer(name), task.taken(name).value,
                                  task.above(name, relevances).value)[1] for name in layers]
        with np.errstate(all="ignore"):   # sums may overflow where no number does; those of differences do not
            arrived, handed, bias, stabiliser, dead = map(total_of, zip(*(one.totals() for one in accounts)))
            got = total_of([per_sample(one.actual.astype(np.float64)) for one in ones])
            error = abs(total_of([per_sample(one.actual - one.value) for one in ones]))
            more = got - handed
            numbers = sum(one.value[0].size for one in ones)
            slack = upward(total_of([per_sample(one.radius) for one in ones]), 2 * numbers)
        known = np.isfinite(slack)
        finite = np.all([np.isfinite(one.actual).all(axis=tuple(range(1, one.actual.ndim))) for one in ones], axis=0)
        off = ~finite | known & ~(error <= slack)
        if off.any() or not known.all():
            n = int(np.argmax(off if off.any() else ~known))
            lost = {"the bias's share": bias, "the stabiliser's share": stabiliser, "what is dead": dead}
            raise AssertionError(
                f"{layers_in_words(layers)}: sample {n} hands down {got[n]:.9g} of {arrived[n]:.9g}, and the ledger "
                "says "
                f"{handed[n]:.9g} (bias {bias[n]:.6g}, stabiliser {stabiliser[n]:.6g}, dead {dead[n]:.6g}); "
                + (f"the sums may differ by {slack[n]:.2g}{handed_too(more, lost, slack, n)}" if off.any()
                   else "undetermined: the bound is infinite"))


def handed_too(more: Array, lost: Mapping[str, Array], slack: Array, n: int) -> str:
    """Which of the ledger's columns, alone or together, went on with the rest."""
    names = [name for name, share in lost.items() if share[n] != 0]
    for some in range(1, 2 ** len(names)):
        chosen = [name for bit, name in enumerate(names) if some >> bit & 1]
        if abs(more[n] - sum(lost[name][n] for name in chosen)) <= slack[n]:
            return f"; it looks as if {' and '.join(chosen)} were handed down too"
    return ""


def judged(compared: Iterable[Compared], allowed: int, task: Task, looks_like: Hint) -> Report:
    """Every layer judged before the one below it is compared, whose relevance comes from it."""
    seen = []
    for c in compared:
        judge(c, allowed, task, looks_like)
        seen.append(c)
    return Report(seen)


def judge(c: Compared, allowed: int, task: Task, looks_like: Hint) -> None:
    """An AssertionError where elements fail, or more are undetermined than may be."""
    failed = c.failed
    if failed.any():
        score = np.where(failed, c.excess, -1.0)
        worst = tuple(map(int, np.unravel_index(int(score.argmax()), score.shape)))
        hint = looks_like(c.layers)
        some = " is" if len(c.layers) == 1 else " are"
        first = f"{some} the first to diverge" if c.layers and len(task.network) > 1 else ""
        bound = "bound" if c.layers else f"{SIGMAS} sigma"
        raise AssertionError(
            f"{c.what}{first}: {int(failed.sum())} of {failed.size} relevances are off; worst at {worst}: got "
            f"{c.actual[worst]:.9g}, needed {c.value[worst]:.9g}, error over {bound} {c.excess[worst]:.2g}"
            + (f"; {hint}" if hint else ""))
    open_ = c.undetermined
    if int(open_.sum()) > allowed:
        worst = tuple(map(int, np.argwhere(open_ & (c.radius == c.radius[open_].max()))[0]))
        raise AssertionError(
            f"{c.what}: {int(open_.sum())} of {open_.size} relevances are undetermined at u = {task.u:.2g}: at {worst} "
            f"the bound {c.radius[worst]:.2g} exceeds the value {c.value[worst]:.9g}; choose an input that is better "
            f"conditioned, or allow undetermined={int(open_.sum())}")


def cut_elsewhere(task: Task, rules: Rules, below: str, filler: Rule | None,
                  layers: Sequence[str], actual: Any) -> str:
    """Whether the relevance is that of another cut-off."""
    names = list(rules)
    at = names.index(below)
    others: list[tuple[str, Rules]] = [("there were no cut-off", rules)]
    if at + 1 < len(names):
        others.append((f"{below} itself were cut off too", cutoff(rules, names[at + 1], filler)))
    if at > 0:
        others.append((f"{names[at - 1]} kept its rule", cutoff(rules, names[at - 1], filler)))
    under = {name for name in names[:at] if isinstance(task.layer(name), (Conv2D, Linear))}
    with_weights = {name: task.rules[name] if name in under else rules[name] for name in names}
    others.append(("only layers with weights were cut off", with_weights))
    other_one = Flat() if isinstance(filler, WSquare) else WSquare()
    others.append((f"the filler were {other_one}", cutoff(rules, below, other_one)))
    for sentence, other in others:
        if layers and isinstance(actual, Mapping):
            changed = [layer for layer in layers if other[layer] != task.rules[layer]]
            if len(changed) != 1:
                continue
            layer = changed[0]
            got, R = task.alone(layer, actual), task.above(layer, actual).value
            alone = through_layer(other[layer], task.layer(layer), task.taken(layer).value, R)[0]
        else:
            got = as_floats(actual, "the relevance")
            alone = task.relevance(other)
        if distance(got, alone, task.u) <= task.u**0.5:
            return f"it looks as if {sentence}"
    return ""
