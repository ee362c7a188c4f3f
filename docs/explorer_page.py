"""Make docs/explorer.html: `make explorer`. It takes half a minute."""

from pathlib import Path

from lrp_ref import epsilon_gamma_box, load_model, paper_cnn, paper_fv, read_photograph
from lrp_ref.explorer import Explorer, View, page, view
from lrp_ref.network import Network
from lrp_ref.rules import Rule

DOCS = Path(__file__).parent
FIXTURES = DOCS.parent / "data_fixtures"
MOST = 1_250_000   # bytes of a photograph, of which three are to stay under three megabytes


def by_imagenet(name: str, classes: list[str]) -> tuple[str, list[View]]:
    """A photograph by the ImageNet network, whose first rule shows objects, and whose second is the paper's."""
    model = load_model("imagenet")

    def boxed(network: Network) -> dict[str, Rule]:
        return epsilon_gamma_box(network, *model.preprocessing.box)

    pixels = read_photograph(FIXTURES / "imagenet" / name)
    found = view(pixels, "imagenet", model, classes, {"epsilon_gamma_box": boxed, "paper": paper_cnn})
    found.classes = len(classes)   # without those that nobody asked for
    return name, [found]


def scene() -> tuple[str, list[View]]:
    """The bundled scene, of a cat's eye and galaxies, by the two models that the paper compares."""
    pixels = read_photograph(FIXTURES / "scenes" / "scene.png")
    rules = {"cnn": {"paper": paper_cnn, "epsilon_gamma_box": lambda n: epsilon_gamma_box(n, -2, 2)},
             "fv": {"paper": paper_fv}}
    return "scene.png", [view(pixels, name, load_model(name), ["cat", "stars"], rules[name]) for name in rules]


def explorer_page() -> Explorer:
    return page([by_imagenet("coffee.jpg", ["espresso", "tray"]), by_imagenet("chelsea.jpg", ["tiger cat"]), scene()],
                MOST)


if __name__ == "__main__":
    made = explorer_page()
    made.save(DOCS / "explorer.html")
    print(f"{DOCS / 'explorer.html'}: {len(made.html.encode()):,} bytes", *made.left_out, sep="\n")
