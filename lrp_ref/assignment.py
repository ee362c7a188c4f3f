"""A rule for every layer: by its type, by its name, for the first layer, below a cut-off; and the presets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lrp_ref.hints import did_you_mean, listed, shown
from lrp_ref.layers import (
    LAYERS,
    Conv2D,
    ConvTranspose2D,
    FisherVector,
    Layer,
    LayerNorm,
    Linear,
    MatMul,
    Softmax,
)
from lrp_ref.network import INPUT, Network, a_network, made_of
from lrp_ref.rules import AlphaBeta, Epsilon, Flat, Gamma, Pass, Rule, Winner, ZBox, ZPlus
from lrp_ref.seen import Factors, Tangent, Unscaled


class Rules(dict[str, Rule]):
    """{name: rule} in the network's order, and the tensors that every layer reads, by which a cut-off goes."""

    reads: Mapping[str, Sequence[str]]

    def __init__(self, rules: Mapping[str, Rule], reads: Mapping[str, Sequence[str]]) -> None:
        super().__init__(rules)
        object.__setattr__(self, "reads", reads)

    def __or__(self, others: Mapping[str, Rule]) -> Rules:   # type: ignore[override]
        """The same with others in place of some, in the same order."""
        return Rules({**self, **others}, self.reads)


DEFAULTS: Mapping[str, Rule] = {   # what a layer's `hands_down` says
    "by contribution": Epsilon(0), "as it is": Pass(), "to the winners": Winner(), "evenly": Flat(),
}


def assign(network: Network, by_type: Mapping[type[Layer], Rule] | Rule | None = None, first: Rule | None = None,
           by_name: Mapping[str, Rule] | None = None) -> Rules:
    """{name: rule}: the rule given for its name, else `first` for the lowest layer with weights, else for its type.

    A layer without any hands down as it says itself (`layer.hands_down`). A rule alone is that of every layer with
    weights: assign(network, Epsilon(0.01)).
    """
    a_network(network)
    every, by_type = (by_type, None) if isinstance(by_type, Rule) else (None, by_type)
    by_type, by_name = (dict(a_mapping(given, what)) for given, what in (
        ({} if by_type is None else by_type, "by_type={Conv2D: ZPlus()}"),
        ({} if by_name is None else by_name, "by_name={'conv1': ZPlus()}")))
    for kind in by_type:
        if not (isinstance(kind, type) and issubclass(kind, Layer)):
            raise ValueError(f"assign got a rule for {shown(kind)}, needed layer types such as {listed(LAYERS)}")
    for rule in (*by_type.values(), *by_name.values(), *([first] if first is not None else [])):
        a_rule(rule)
    rules = Rules({}, network.reads)
    for name, layer in network:
        found = [every] if every is not None and layer.weighted else []
        found += [by_type[kind] for kind in type(layer).__mro__ if kind in by_type]
        found += [DEFAULTS[layer.hands_down]] if layer.hands_down else []
        if not found and name not in by_name:
            raise ValueError(f"assign knows no rule for {name}, a {type(layer).__name__}: give one by type or by name")
        rules[name] = by_name[name] if name in by_name else found[0]
    if first is not None:
        if is_fisher(network):
            raise ValueError("assign got first=..., but in a Fisher network the pixels' own layer is DenseSift, which "
                             "only spreads evenly: leave it out, or give rules by name")
        weighted = [name for name, layer in network if layer.weighted]
        if not weighted:
            raise ValueError("assign got first=..., but the network has no layer with weights, no Conv2D and no Linear")
        rules[weighted[0]] = first
    for name, rule in by_name.items():
        network.index(name)
        rules[name] = rule
    return rules


def cutoff(rules: Mapping[str, Rule], below: str | Iterable[str], rule: Rule | None = None) -> Rules:
    """Below layer `below`, stop asking what the units mean: spread R evenly (Flat), or by squared weights (WSquare).

    Section 3 of the paper. `below` itself keeps its rule; every layer that it is made of, pooling included, gets the
    filler. Branches beside it keep their rules: for a level of a network with branches name the layer at which they
    meet, or one layer of each. Rules in a plain dict are taken for those of a chain.
    """
    filler = Flat() if rule is None else rule
    if not isinstance(filler, Rule) or filler.sees_activations or filler.only_for:
        raise ValueError(f"cutoff got the filler {shown(filler)}, needed Flat() or WSquare(), which see no activations")
    names = the_rules(rules)
    cuts = tuple(below) if isinstance(below, (tuple, list, set)) and below else (below,)
    for cut in cuts:
        if not isinstance(cut, str) or cut not in names:
            hint = did_you_mean(shown(cut).strip("'"), map(str, names))
            raise ValueError(f"cutoff got below={shown(cut)}, which the network does not have: {hint}its layers are "
                             f"{listed(names)}")
    reads = rules.reads if isinstance(rules, Rules) else dict(zip(names, [(one,) for one in (INPUT, *names)]))
    filled = made_of(reads, *cuts)
    return Rules({name: filler if name in filled else a_rule(kept) for name, kept in rules.items()}, reads)


def convolutions(rule: Rule) -> dict[type[Layer], Rule]:
    """The rule for convolutions and transposed ones."""
    return {Conv2D: rule, ConvTranspose2D: rule}


def is_fisher(network: Network) -> bool:
    """Whether the network has a FisherVector."""
    return any(isinstance(layer, FisherVector) for _, layer in a_network(network))


def paper_cnn(network: Network, alpha: Any = 2, beta: Any = 1) -> Rules:
    """AlphaBeta(2, 1) on Linear and convolutions: the paper's rule for CNNs (Section 2.1)."""
    return assign(network, {**convolutions(AlphaBeta(alpha, beta)), Linear: AlphaBeta(alpha, beta)})


def paper_fv(network: Network, epsilon: Any = 100) -> Rules:
    """Epsilon(100) on FisherVector and on every Linear below it: the paper's rule for Fisher vectors (Section 2.2)."""
    if not is_fisher(network):
        raise ValueError("paper_fv got a network without a FisherVector: use paper_cnn")
    highest = max(n for n, (_, layer) in enumerate(network) if isinstance(layer, FisherVector))
    stabilised = [name for name, layer in network.layers[: highest + 1] if isinstance(layer, (FisherVector, Linear))]
    return assign(network, by_name=dict.fromkeys(stabilised, Epsilon(epsilon)))


def paper_rules(network: Network) -> Rules:
    """The paper's preset for a network: paper_fv where it has a FisherVector, else paper_cnn."""
    return paper_fv(network) if is_fisher(network) else paper_cnn(network)


def epsilon_plus(network: Network, epsilon: Any = 1e-6) -> Rules:
    """ZPlus on convolutions, Epsilon on Linear."""
    return assign(network, {**convolutions(ZPlus()), Linear: Epsilon(epsilon)})


def epsilon_plus_flat(network: Network, epsilon: Any = 1e-6) -> Rules:
    """ZPlus on convolutions, Epsilon on Linear, Flat on the first."""
    return assign(network, {**convolutions(ZPlus()), Linear: Epsilon(epsilon)}, first=Flat())


def epsilon_alpha2_beta1(network: Network, epsilon: Any = 1e-6) -> Rules:
    """AlphaBeta(2, 1) on convolutions, Epsilon on Linear."""
    return assign(network, {**convolutions(AlphaBeta(2, 1)), Linear: Epsilon(epsilon)})


def epsilon_alpha2_beta1_flat(network: Network, epsilon: Any = 1e-6) -> Rules:
    """AlphaBeta(2, 1) on convolutions, Epsilon on Linear, Flat on the first."""
    return assign(network, {**convolutions(AlphaBeta(2, 1)), Linear: Epsilon(epsilon)}, first=Flat())


def epsilon_gamma_box(network: Network, low: Any, high: Any, epsilon: Any = 1e-6, gamma: Any = 0.25) -> Rules:
    """Gamma on convolutions, Epsilon on Linear, ZBox(low, high) on the first."""
    return assign(network, {**convolutions(Gamma(gamma)), Linear: Epsilon(epsilon)}, first=ZBox(low, high))


def the_rules(given: Any) -> Mapping[str, Rule]:
    """The rules of every layer as a mapping, or an error that says how they are made."""
    if isinstance(given, Rule):
        raise ValueError(f"got {shown(given)} alone, needed a rule for every layer: assign(network, {shown(given)}) "
                         "gives it to every layer with weights")
    if isinstance(given, Network):
        raise ValueError("got a Network, needed the rules of every layer: assign(network), or a preset such as "
                         "paper_cnn(network)")
    return a_mapping(given, "rules of every layer, assign(network)")


def attnlrp(network: Network, epsilon: Any = 1e-6) -> Rules:
    """AttnLRP: Epsilon on all that mixes units, on Softmax without a stabiliser; gates pass (Achtibat et al. 2024).

    Each layer by its own map: half of a product to each factor, a softmax on its tangent, norms at their own spread. An
    attention weight may be smaller than epsilon, so that a stabiliser would take its relevance.
    """
    return assign(network, by_name={name: Epsilon(0 if isinstance(layer, Softmax) else epsilon)
                                    for name, layer in a_network(network) if layer.hands_down == "by contribution"})


def cp_lrp(network: Network, epsilon: Any = 1e-6) -> Rules:
    """AttnLRP but for attention's weights, which are constants: nothing to what a Softmax made (Ali et al. 2022)."""
    detached: dict[str, Rule] = {name: Factors(parts, epsilon) for name, parts in attention(network).items()}
    return attnlrp(network, epsilon) | detached


def ali(network: Network, epsilon: Any = 1e-6) -> Rules:
    """cp_lrp, and of LayerNorm the spread alone is detached: its scale and shift pass relevance (Ali et al. 2022)."""
    norms: dict[str, Rule] = {
        name: Unscaled(epsilon) for name, layer in a_network(network) if isinstance(layer, LayerNorm)}
    return cp_lrp(network, epsilon) | norms


def gradient_times_input(network: Network) -> Rules:
    """Tangent(0) on every layer: R_i = x_i df / dx_i where no output of a layer is 0 (where it is, R is dead)."""
    return assign(network, by_name=dict.fromkeys(a_network(network).names, Tangent(0)))


def attention(network: Network) -> dict[str, tuple[int, int]]:
    """{MatMul that reads what a Softmax made: (0, 1) where that is its left tensor, (1, 0) where it is the right}"""
    found = {}
    for name, layer, reads in a_network(network).nodes:
        if isinstance(layer, MatMul) and len(reads) == 2:
            of_weights = [from_softmax(network, t) for t in reads]
            if of_weights[0] != of_weights[1]:
                found[name] = (0, 1) if of_weights[0] else (1, 0)
    return found


def from_softmax(network: Network, t: str) -> bool:
    """Whether a tensor is what a Softmax made, or that scaled, masked or in another shape."""
    while t != INPUT and not isinstance(network[t], Softmax):
        reads = network.reads[t]
        if len(reads) > 1 or network[t].hands_down != "as it is":
            return False
        [t] = reads
    return t != INPUT


def a_mapping(given: Any, needed: str) -> Mapping[Any, Any]:
    """The mapping, or an error where it is none."""
    if not isinstance(given, Mapping):
        raise ValueError(f"got {shown(given)}, needed {needed}")
    return given


def a_rule(rule: object) -> Rule:
    """The rule, or an error where it is none."""
    if not isinstance(rule, Rule):
        raise ValueError(f"got {shown(rule)}, needed a rule such as Epsilon(0.01)")
    return rule
