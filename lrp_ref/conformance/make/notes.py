"""What the flags of cases mean: the bug that such a case finds, what it does to relevance, what is known of it."""

from __future__ import annotations

from typing import Any

HUB = "https://github.com/"


def note(title: str, kind: str, effect: str, *issues: str) -> dict[str, Any]:
    """issues: "owner/repository/number"."""
    links = [f"{HUB}{repository}/issues/{number}" for repository, number in (i.rsplit("/", 1) for i in issues)]
    return {"title": title, "kind": kind, "effect": effect, "issues": links}


INNVESTIGATE, ZENNIT, CAPTUM = "albermax/innvestigate", "chr5tphr/zennit", "meta-pytorch/captum"
TOOLBOX, TORCHLRP, LXT = "sebastian-lapuschkin/lrp_toolbox", "fhvilshoj/TorchLRP", "rachtibat/LRP-eXplains-Transformers"

NOTES: dict[str, dict[str, Any]] = {
    # ---- Shapes ----
    "DISTINCT_SIZES": note("all sizes differ", "axis", "a swapped or broadcast axis gives an error or other numbers"),
    "SQUARE": note("all sizes are equal", "axis", "a swapped axis gives other numbers and no error"),
    "BATCH": note("several samples", "batch", "a denominator summed over the batch mixes the samples",
                  f"{INNVESTIGATE}/91"),
    "ROWS": note("a fully connected layer over the rows of each sample", "axis", "only the last axis is weighed"),
    "STRIDE": note("a stride that is not 1", "window", "backwards the windows lie elsewhere", f"{TORCHLRP}/5"),
    "PADDING": note("padding", "window", "an off-by-one padding moves relevance; what padding gets is lost",
                    f"{TORCHLRP}/5"),
    "DILATION": note("dilation", "window", "backwards the taps lie elsewhere"),
    "GROUPS": note("groups of channels", "window", "relevance leaks between groups", f"{TORCHLRP}/5"),
    "OVERLAP": note("windows overlap", "window", "an input loses what it has from its other windows",
                    "moboehle/Pytorch-LRP/11"),
    "CEIL": note("the last window hangs over the end", "window",
                 "the last window is lost, or divided by its full size"),
    "COUNT_PAD": note("what an average counts", "window", "z is another number where the padding counts"),
    # ---- Numbers ----
    "ZERO_INPUT": note("inputs of 0", "zero", "0 / 0 is not a number, or an input of 0 gets relevance"),
    "ZERO_WEIGHT": note("weights of 0 are connections", "zero", "a spread that counts weights that are not 0"),
    "NEGATIVE_INPUT": note("inputs below 0", "sign", "weights are split and not products",
                           f"{INNVESTIGATE}/42", f"{CAPTUM}/1234", "frankaging/BERT-LRP/4"),
    "BIAS": note("a bias stands in the denominator", "bias", "relevance that the bias should take is redistributed",
                 f"{ZENNIT}/183"),
    "NEGATIVE_BIAS": note("a negative bias under alpha-beta", "bias",
                          "in the positive denominator it makes relevance explode or change its sign",
                          f"{INNVESTIGATE}/273", f"{CAPTUM}/1234", f"{ZENNIT}/53", f"{ZENNIT}/107"),
    "NO_SIGN": note("one sign is absent", "zero", "0 / 0 is not a number, or the other sign's share is renormalised",
                    f"{TOOLBOX}/19", f"{INNVESTIGATE}/116"),
    "SCALE": note("numbers of 2^-40", "scale", "a stabiliser or an absolute tolerance swallows them"),
    "GATE": note("a gate passes relevance on", "gate", "the gradient is handed down: nothing passes a closed gate"),
    "TIES": note("tied maxima", "ties", "the first or every winner takes all", f"{TOOLBOX}/5"),
}

RECORDS: list[dict[str, Any]] = []
