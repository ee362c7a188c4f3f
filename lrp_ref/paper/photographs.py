"""The paper's Figure 1 on photographs that come along, for a network that was trained on ImageNet."""

from __future__ import annotations

from importlib import resources

from lrp_ref.arrays import Array
from lrp_ref.assignment import Rules, epsilon_gamma_box, paper_cnn
from lrp_ref.hints import Watch, unwatched
from lrp_ref.models.model import Model
from lrp_ref.network import Network
from lrp_ref.paper.figures import Subject, paper_figure
from lrp_ref.pictures.photograph import read_photograph
from lrp_ref.pictures.picture import Figure

PHOTOGRAPHS = ("chelsea", "coffee", "camera")
# The fourth and the sixth block: below them R spreads over squares of 19 and of 67 pixels of 224.
CUTOFFS = ("_blocks.3._expand_conv", "_blocks.5._expand_conv")
PERCENTILE = 99.5   # of |R| in the strongest colour: of alpha-beta the largest few are all that could be seen


def whole_photographs() -> dict[str, Array]:
    """{name: (H, W) or (H, W, 3)} of the photographs in data_fixtures/imagenet."""
    folder, found = resources.files("lrp_ref.data_fixtures") / "imagenet", {}
    for name in PHOTOGRAPHS:
        with resources.as_file(folder / f"{name}.jpg") as path:
            found[name] = read_photograph(path)
    return found


def photographs_figure(model: Model, watch: Watch = unwatched) -> Figure:
    """Two rows per photograph: under the paper's rule, whose maps are grain here, and under one that shows objects."""
    def legible(network: Network) -> Rules:
        return epsilon_gamma_box(network, *model.preprocessing.box)

    subjects = {"paper's rule: alpha-beta(2, 1)": Subject(model, paper_cnn, below=CUTOFFS),
                "legible: gamma 1/4, z-box": Subject(model, legible, below=CUTOFFS)}
    return paper_figure(subjects, whole_photographs(), watch=watch, percentile=PERCENTILE)
