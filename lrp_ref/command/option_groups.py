"""Options that several commands have."""

from __future__ import annotations

import argparse

from lrp_ref.command.rule_names import RULE_HELP


def which_images(new: argparse.ArgumentParser) -> None:
    """Options that say which models are tested, and on which images."""
    new.add_argument("scenes", nargs="?", metavar="SCENES",
                     help="a folder in the layout of VOC 2007, or its .tar (default: scenes cut from the bundled "
                     "photographs)")
    new.add_argument("--model", action="append", metavar="cnn|fv|FILE",
                     help="a bundled model, or an .npz, .onnx or lrp_toolbox .txt file; may be given several times "
                     "(default: every bundled model)")
    size(new)
    new.add_argument("--count", type=integer, default=300, metavar="N",
                     help="how many scenes are made, or photographs of a folder explained (default: 300)")
    new.add_argument("--seed", type=integer, default=2016, metavar="N",
                     help="of the scenes, or of the choice of photographs (default: 2016, whose numbers the "
                     "documentation shows)")
    new.add_argument("--set", choices=("train", "val", "trainval", "test"), help="of the folder (default: test)")
    new.add_argument("--truth", choices=("boxes", "masks"), help="where objects are: in their boxes (default), or in "
                     "the masks of SegmentationClass, whose photographs alone are explained then")
    new.add_argument("--difficult", choices=("ignore", "count"),
                     help="a photograph whose only objects of a class are difficult is neither positive nor negative "
                     "for it, as in VOC, or counts as positive (default: ignore)")


def which(new: argparse.ArgumentParser) -> None:
    """Options that say which model."""
    new.add_argument("--model", metavar="imagenet|cnn|fv|FILE",
                     help="a model by its name, or an .npz, .onnx or lrp_toolbox .txt file (default: imagenet where "
                     "its weights are installed, else cnn)")
    size(new)


def how(new: argparse.ArgumentParser, colours: str = "paper", percentile: float | None = 100,
        usual: str = "100, the largest") -> None:
    """Options that say what is explained and by which rules, and how it is shown."""
    new.add_argument("--class", dest="target", metavar="NAME_OR_INDEX",
                     help="what to explain (default: top score)")
    new.add_argument("--rule", metavar="RULE", help=RULE_HELP)
    new.add_argument("--first", metavar="zbox|wsquare|flat",
                     help="another rule for the lowest layer with weights; zbox takes its bounds from the "
                     "model's preprocessing, or write zbox:LOW,HIGH")
    new.add_argument("--percentile", type=decimal, default=percentile, metavar="P",
                     help=f"strongest colour at this percentile of |relevance| (default: {usual})".replace("%", "%%"))
    new.add_argument("--colours", default=colours, choices=("paper", "safe"),
                     help=f"the paper's colours, or ones for every colour vision (default: {colours})")


def reported(new: argparse.ArgumentParser) -> None:
    """Options that say which vectors are asked, and where a report goes."""
    new.add_argument("--spec", metavar="VERSION", help="the cases of a released specification of the vectors, such as "
                     "1.0 (default: the newest)")
    new.add_argument("--report", metavar="FILE.html", help="write one page of HTML that needs nothing else")
    json(new)


def shared_among(new: argparse.ArgumentParser) -> None:
    """Options that say who does the work, a photograph at a time."""
    new.add_argument("--workers", type=integer, metavar="N", help="processes of this machine that share the "
                     "photographs, each with one thread for its products (default: this process alone)")
    new.add_argument("--dask", metavar="ADDRESS", help="the workers of a Dask cluster instead: tcp://scheduler:8786")


def kept_in(new: argparse.ArgumentParser) -> None:
    """Where what is found is kept."""
    new.add_argument("--results", metavar="FILE.sqlite", help="keep every photograph that is done in this file: the "
                     "same command goes on where it was ended, and lrp-ref report prints it meanwhile")


def size(new: argparse.ArgumentParser) -> None:
    new.add_argument("--size", metavar="HxW", help="input height and width, where the model file lacks them")
    new.add_argument("--mean", metavar="M", help="what is subtracted from pixels, one number or one per channel: "
                     "0.485,0.456,0.406; this and the next four for files that do not say it, such as .onnx")
    new.add_argument("--std", metavar="S", help="what the difference is divided by, likewise")
    new.add_argument("--colour", choices=("grey", "rgb", "bgr"), help="the order of the channels")
    new.add_argument("--maximum", type=decimal, metavar="W", help="what white is before the mean is taken: 1 or 255")
    new.add_argument("--classes", metavar="FILE", help="a text file of class names, one per line")


def json(new: argparse.ArgumentParser) -> None:
    new.add_argument("--json", action="store_true", help="print JSON instead of text")


def integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text!r}, needed a whole number") from None


def decimal(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"got {text!r}, needed a number") from None
