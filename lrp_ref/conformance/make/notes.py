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
    "ONE_OUTPUT": note("one output, several samples", "batch", "an axis of size 1 is dropped or broadcast: samples "
                       "mix"),
    "NO_BIAS": note("no bias", "bias", "a bias that is not there is an error, or another layer's"),
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
    "ONE_SIGN": note("all products have one sign", "sign", "a share of the other sign is renormalised, or divided by 0",
                     f"{INNVESTIGATE}/116"),
    "SCALE": note("numbers of 2^-40", "scale", "a stabiliser or an absolute tolerance swallows them"),
    "GATE": note("a gate passes relevance on", "gate", "the gradient is handed down: nothing passes a closed gate"),
    "TIES": note("tied maxima", "ties", "the first or every winner takes all", f"{TOOLBOX}/5"),
    "CANCELLATION": note("contributions cancel exactly", "zero", "z is 0 though its inputs are not",
                         f"{TOOLBOX}/19"),
    # ---- Questions that formulas leave open, of conventions/table.py ----
    "EPSILON": note("what epsilon does to z", "convention", "added, clipped or scaled by z's size",
                    f"{ZENNIT}/203"),
    "EPSILON_SIGN": note("the sign of the stabiliser", "convention",
                         "without a sign a negative z moves towards 0, to a pole at -epsilon"),
    "SIGN_OF_ZERO": note("the sign of 0", "convention", "with sign 0 = -1 relevance has the opposite sign where z = 0"),
    "ZERO_RULE": note("no epsilon, and z = 0", "convention",
                      "dead, not a number, or as large as the library's stabiliser is small", f"{TOOLBOX}/19"),
    "STABILISER": note("a stabiliser in rules that have none", "convention", "it takes a share of small denominators",
                       f"{ZENNIT}/203"),
    "POOL_EPSILON": note("where a pooling is stabilised", "convention", "on the sum epsilon counts n times less"),
    "BIAS_EPSILON": note("the bias in the denominator", "convention",
                         "left out, relevance is conserved and what the inputs get is another share",
                         f"{ZENNIT}/183", f"{LXT}/35"),
    "BIAS_ALPHA_BETA": note("the bias under alpha-beta", "convention",
                            "whole in both denominators it makes relevance explode; left out, it gets no share",
                            f"{INNVESTIGATE}/273", f"{INNVESTIGATE}/116", f"{INNVESTIGATE}/327", f"{CAPTUM}/1234"),
    "SPLIT": note("what has a sign: products or weights", "convention",
                  "negative inputs get relevance of the wrong sign", f"{INNVESTIGATE}/42", f"{CAPTUM}/1234",
                  "frankaging/BERT-LRP/4"),
    "SMALL_NEGATIVE": note("the negative sum as a difference", "convention", "it cancels beside a large positive sum"),
    "GAMMA": note("gamma for any signs", "convention",
                  "one form for all inputs divides by sums that may cancel", f"{ZENNIT}/148"),
    "BIAS_GAMMA": note("the bias under gamma", "convention", "kept, it takes a smaller share than when it is raised"),
    "BIAS_W_SQUARE": note("the bias under w-square", "convention", "squared, it takes a share", f"{ZENNIT}/183",
                          f"{INNVESTIGATE}/327"),
    "BIAS_Z_BOX": note("the bias under z-box", "convention", "b+ in the denominator takes a share",
                       f"{INNVESTIGATE}/327"),
    "FLAT": note("what flat divides by", "convention",
                 "the window instead of the image inside loses relevance; one channel of it multiplies relevance"),
    "W_SQUARE": note("which squares are summed", "convention", "those in the padding take shares, which are lost"),
    "MAX_POOL": note("who gets a maximum's relevance", "convention",
                     "ties: the first alone; a maximum of 0: nobody, where it is a contribution", f"{TOOLBOX}/5",
                     f"{ZENNIT}/77"),
    "FLAT_MAX_POOL": note("flat on a max-pooling", "convention", "the winner or the first pixel takes all"),
    "BATCH_NORM": note("batch norm passes relevance on", "convention", "as a contribution its bias takes a share",
                       f"{INNVESTIGATE}/2", f"{INNVESTIGATE}/118", f"{INNVESTIGATE}/287", f"{ZENNIT}/234"),
    "LRN": note("local response norm passes relevance on", "convention",
                "the gradient, or first-order terms that nothing divides, change the sum"),
    # ---- Disagreements ----
    "D1": note("D1: epsilon", "disagreement", "signed, unsigned, clipped or scaled; what happens at z = 0",
               f"{ZENNIT}/203"),
    "D2": note("D2: a negative bias under alpha-beta", "disagreement", "relevance changes its sign or explodes",
               f"{INNVESTIGATE}/273", f"{CAPTUM}/1234"),
    "D3": note("D3: negative inputs under z+", "disagreement", "weights are split and not products",
               f"{CAPTUM}/1234", f"{INNVESTIGATE}/42"),
    "D4": note("D4: the bias under w-square", "disagreement", "its square takes a share", f"{ZENNIT}/183"),
    "D5": note("D5: flat and w-square at a padded corner", "disagreement", "what the padding gets is lost"),
    "D6": note("D6: the bias under z-box", "disagreement", "b+ takes a share", f"{INNVESTIGATE}/327"),
    "D7": note("D7: the negative sum as a difference", "disagreement", "it cancels"),
    "D8": note("D8: gamma", "disagreement", "the bias is raised or kept, the weight raised by its square",
               f"{ZENNIT}/148"),
    "D9": note("D9: gamma without bias, and at z = 0", "disagreement", "the sign of z is taken with the bias left out",
               f"{ZENNIT}/148"),
    "D10": note("D10: ties and a maximum of 0", "disagreement", "the first winner takes all, or nobody does",
                f"{TOOLBOX}/5", f"{ZENNIT}/77"),
    "D11": note("D11: epsilon and alpha on pools", "disagreement", "epsilon on the sum or the mean; alpha R of no "
                "negative input", f"{INNVESTIGATE}/116"),
    "D12": note("D12: two layers that read one tensor", "disagreement", "the order in which they are called decides",
                f"{CAPTUM}/546"),
    "D13": note("D13: batch norm", "disagreement", "passed on, a contribution, or folded with other statistics",
                f"{INNVESTIGATE}/2", f"{INNVESTIGATE}/118", f"{INNVESTIGATE}/287", f"{ZENNIT}/234"),
    "D14": note("D14: local response norm", "disagreement", "not divided, so that relevance grows"),
    "D17": note("D17: four quadrants", "disagreement", "one parameter is read in another's place"),
    "D19": note("D19: a neuron of zeros", "disagreement", "0 / 0 is not a number", f"{TOOLBOX}/19"),
    "D20": note("D20: layer norm", "disagreement", "the gradient is handed down, which sums to 0, or R passes on"),
    # ---- Graphs ----
    "GRAPH": note("branches", "graph", "a branch is left out, counted twice, or handed another's relevance"),
    "SUM": note("a sum of branches", "graph", "every branch receives R whole: relevance doubles at every block",
                f"{ZENNIT}/194", f"{ZENNIT}/236", f"{CAPTUM}/143", f"{INNVESTIGATE}/192", f"{INNVESTIGATE}/326"),
    "PRODUCT": note("a product of tensors", "graph", "both factors receive R whole, or it is handed down undivided",
                    f"{LXT}/19"),
    "CONCAT": note("tensors beside each other", "graph", "a branch receives the part of its neighbour",
                   f"{ZENNIT}/165"),
    "FAN_OUT": note("a tensor that several layers read", "graph", "it receives one message, or the first one twice",
                    f"{CAPTUM}/546"),
    "MEAN": note("a mean or a sum over axes", "graph", "as a function and no layer it has the gradient: all numbers "
                 "get "
                 "the same"),
    # ---- Transformers ----
    "ROW_NORM": note("a norm of every row", "attention", "its gradient is handed down, which sums to 0", f"{LXT}/27"),
    "SOFTMAX": note("a softmax", "attention", "its gradient is handed down, which sums to 0", f"{TOOLBOX}/5"),
    "MASK": note("scores that are left out", "attention", "what is masked receives relevance, or 0 times infinity"),
    "TOKENS": note("tokens and their positions", "attention", "what a class token or a position receives is counted as "
                   "the input's", f"{ZENNIT}/210"),
    # ---- Fisher pipelines ----
    "RAW_SUM": note("epsilon beside a sum over descriptors", "scale", "with 1 / N, or on descriptors of norm 1, "
                    "epsilon takes all but a thousandth"),
    "REGIONS": note("regions that share descriptors", "region", "a descriptor's relevance of one region is lost, or "
                    "divided by another's sum"),
    "EMPTY_REGION": note("a region without descriptors", "zero", "0 / 0 is not a number"),
    "POSTERIOR_THRESHOLD": note("a posterior threshold", "gate", "backwards other descriptors count than forwards: "
                                "their shares no longer add up to R"),
    "NOT_LEARNED": note("weights that are the image's", "rule", "w-square squares an image's statistics as if they "
                        "were the model's weights"),
    "COVERAGE": note("pixels that a bin covers in part", "window", "bins at the border lose what lies outside, or "
                     "relevance moves by half a pixel"),
    "ZERO_SLICE": note("a slice of norm 0", "zero", "0 / 0 is not a number"),
    "BIAS_SPREAD": note("a bias that the dimensions share", "bias", "the bias's share is lost, or given to them twice"),
    "TAYLOR": note("a kernel expanded at a root point", "reference", "relevance of x instead of x less the root"),
    # ---- Networks and cut-offs ----
    "CUT_OFF": note("a cut-off", "cut-off", "the layer at the boundary loses its rule, or one under it keeps its own"),
    "CUT_POOL": note("a pooling under the cut-off", "cut-off", "only layers with weights are spread evenly, and the "
                     "winner still takes all"),
    "PRESET": note("a preset's rules", "rule", "a layer's rule is another's"),
    "ALONE": note("one image of a batch", "batch", "the image's relevance depends on what else is in the batch"),
    "DEEP": note("many layers", "scale", "errors of a layer are multiplied by those above"),
    # ---- Edges of the number format ----
    "HUGE": note("numbers near the largest", "overflow", "an order of operations that overflows gives infinity or NaN",
                 f"{CAPTUM}/1138"),
    "SUBNORMAL": note("numbers below the smallest normal one", "underflow", "taken for 0, nothing is handed down"),
    "ROUNDING": note("sums that all but cancel", "rounding", "the order of a sum decides its sign, and so "
                     "everyone's share", f"{ZENNIT}/148"),
    "FAN_IN": note("many terms", "rounding", "the error of a sum grows with their number"),
    "ZERO_RELEVANCE": note("no relevance arrives", "zero", "0 / 0 is not a number"),
    "REFUSED": note("what has no answer", "error", "numbers come back, and someone takes them for relevance"),
}
