"""An explanation that knows its photograph and its classes, and shows itself."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lrp_ref.arrays import Array
from lrp_ref.assignment import assign, cutoff
from lrp_ref.heatmap import heatmap
from lrp_ref.hints import listed, quotable, shown
from lrp_ref.models.usual import named_cutoff, usual_rules
from lrp_ref.network import Network
from lrp_ref.relevance import Explanation, explain, top_scores
from lrp_ref.rules import Rule

if TYPE_CHECKING:
    from lrp_ref.pictures.picture import Figure

Given = Rule | Mapping[str, Rule] | Callable[[Network], Mapping[str, Rule]] | None


@dataclass(frozen=True, eq=False, repr=False)
class Explained(Explanation):
    """What `model.explain(photograph, "cat")` gives: an Explanation of one photograph, with names and pictures.

    classes     a name for every score; of a model that has none their numbers
    photograph  what the model has seen of it, (H, W) or (H, W, 3) in [0, 1]
    target      the class that is explained
    rules       every layer's rule
    """

    classes: Sequence[str]
    photograph: NDArray[np.float64]
    target: int
    rules: Mapping[str, Rule]

    @property
    def heatmap(self) -> NDArray[Any]:
        """(H, W) at the size of the network's input: `heatmap(e.relevance)[0]`."""
        values: NDArray[Any] = heatmap(self.relevance)[0]
        return values

    @property
    def title(self) -> str:
        """The explained class and its score; if another wins, which."""
        return title(self.classes, self.scores[0], self.target)

    @property
    def caption(self) -> str:
        """The same in lines, for a picture."""
        return title(self.classes, self.scores[0], self.target, "\n")

    def picture(self, colours: str = "safe", percentile: float = 99.5) -> Figure:
        """The photograph, the heatmap, and one on the other; the strongest colour at that percentile of |relevance|."""
        from lrp_ref.pictures.views import panels

        return panels(self.photograph, {self.caption: self.heatmap}, colours, percentile)

    def __repr__(self) -> str:
        names = [quotable(name, 30) for name in self.classes]
        return (f"Explained({self.title}; highest: {top_scores(self.scores[0], names)}; relevance "
                f"{self.relevance.shape}, of {len(self.relevances)} tensors: {listed(self.relevances)}; e.picture(), "
                "e.heatmap, print(e.ledger))")

    def _repr_html_(self) -> str:
        """What a notebook shows: the picture and the ledger."""
        from lrp_ref.pictures.picture import png

        picture = b64encode(png(self.picture().pixels)).decode()
        return (f'<img alt="{escape(self.title)}" src="data:image/png;base64,{picture}">'
                f"<pre>{escape(repr(self))}\n\n{escape(self.ledger.brief())}</pre>")


def title(classes: Sequence[str], scores: Array, target: int, between: str = ", ") -> str:
    """`cat: 0.63`, and where another score is higher `cat: 0.63, although stars is higher: 0.97`."""
    best = int(scores.argmax())
    own = f"{quotable(classes[target], 60)}: {float(scores[target]):.2f}"
    return own if scores[target] >= scores[best] else (
        f"{own}{between}although {quotable(classes[best], 60)} is higher: {float(scores[best]):.2f}")


def rules_of(network: Network, given: Given, below: str | None, box: tuple[Any, Any]) -> Mapping[str, Rule]:
    """Every layer's rule: as given, by a preset, a rule for all layers with weights, or the usual; cut off below."""
    if given is None:
        rules: Mapping[str, Rule] = usual_rules(network, *box)
    elif isinstance(given, Rule):
        rules = assign(network, given)
    elif isinstance(given, Mapping):
        rules = given
    elif callable(given):
        rules = given(network)
    else:
        raise ValueError(f"explain got rules={shown(given)}, needed a preset such as paper_cnn, a rule such as "
                         "Epsilon(0.01) for all layers with weights, or {layer: rule}")
    return rules if below is None else cutoff(rules, named_cutoff(network, below))


def explained_photograph(network: Network, x: Array, classes: Sequence[str], photograph: NDArray[np.float64],
                         target: Any, start: Any, rules: Mapping[str, Rule], **more: Any) -> Explained:
    """The explanation of one photograph: x is what the network gets of it, `photograph` what a picture shows."""
    e = explain(network, x, rules, target if start is None else start, **more)
    scores = e.scores.shape[1]
    names = classes or [str(n) for n in range(scores)]
    if len(names) != scores:
        raise ValueError(f"got a model with {len(names)} class names for {scores} scores: give every score a name")
    index = int(e.scores[0].argmax()) if target is None else target
    return Explained(**vars(e), classes=names, photograph=photograph, target=index, rules=rules)
