"""The Fisher-vector chain beside scikit-image, the bare matrix products and the bare filters: part of `make bench`.

A grey image of 500 x 375, its 73,866 descriptors, 256 Gaussians in 80 dimensions, 8 regions. Every row is the median of
several rounds, every ratio the median of the rounds' ratios; a round times each candidate once.
"""

import argparse

from timing import alternate, clock, head, introduce, line, medians, python, ratio, write  # first: it sets threads

# isort: split
from pathlib import Path

import numpy as np
from fisher_chain import SHAPE, SIFT, fisher_chain, image, parameters

from lrp_ref import FisherVector, cutoff, paper_fv
from lrp_ref.relevance import relevances, start

SCALES = (1 / 4, 1 / 2, 1, 2)   # times as many descriptors


WIDTHS = 36, 7, 9, 9, 6, 14


def show(name, number, seconds, goals):
    """A line per ratio, {(candidate, other): (least or most, the goal)}; the row is returned."""
    row = {"name": name, "number": str(np.dtype(number)), **medians(seconds)}
    for (candidate, other), (way, goal) in goals.items():
        row[f"{candidate}/{other}"], row[f"goal {candidate}/{other}"] = ratio(seconds, candidate, other), goal
        line((f"{name}: {candidate}/{other}", row["number"], f"{row[candidate]:.3f} s", f"{row[other]:.3f} s",
              f"{row[f'{candidate}/{other}']:.2f}", f"at {way} {goal}"), WIDTHS)
    return row


def encoding(y, mixture, rounds):
    """FisherVector of descriptors y (1, L, D), the products it cannot avoid, and scikit-image."""
    from skimage.feature import fisher_vector
    from sklearn.mixture import GaussianMixture

    layer = FisherVector(*mixture)
    weights, means, variances = mixture
    theirs = GaussianMixture(len(weights), covariance_type="diag")
    theirs.weights_, theirs.means_, theirs.covariances_ = weights, means, variances
    theirs.precisions_, theirs.precisions_cholesky_ = 1 / variances, 1 / np.sqrt(variances)
    powers = np.concatenate([y[0] * y[0], y[0], np.ones_like(y[0][:, :1])], axis=1)   # (L, 2 D + 1)
    factors, gamma = np.ones((powers.shape[1], len(weights)), y.dtype), layer.posteriors(y)[0]

    def bare():
        powers @ factors                 # the exponents of the posteriors
        gamma.T @ powers[:, :-1]         # the sums of gamma y and gamma y^2

    seconds, results = alternate({"ours": lambda: clock(lambda: layer(y)), "bare": lambda: clock(bare),
                                  "skimage": lambda: clock(lambda: fisher_vector(y[0], theirs))}, rounds)
    ours, other = (results[who].reshape(-1) for who in ("ours", "skimage"))
    other = other[len(weights) :] * len(y[0]) * np.repeat([1, -1], means.size)   # no weights, sums, our sign of sigma
    goals = {("ours", "bare"): ("most", 2.5), ("skimage", "ours"): ("least", 1.7)}
    row = show("Fisher vector", y.dtype, seconds, goals)
    row["gap"] = float(abs(ours - other).max() / abs(other).max())
    line(("differs from scikit-image by", y.dtype, f"{row['gap']:.0e}", "", "", ""), WIDTHS)
    return row


def sift(rounds):
    """DenseSift, and its triangles alone along both axes of 8 planes for each size."""
    from scipy.ndimage import correlate1d

    x = image(number=np.float32)
    planes = np.ascontiguousarray(np.broadcast_to(x[0], (8, *x.shape[2:])))
    kernels = [(1 - abs(np.arange(1 - s, s)) / s).astype(np.float32) for s in SIFT.sizes]

    def bare():
        for kernel in kernels:
            correlate1d(correlate1d(planes, kernel, axis=1, mode="nearest"), kernel, axis=2, mode="nearest")

    seconds, _ = alternate({"ours": lambda: clock(lambda: SIFT(x)), "filters": lambda: clock(bare)}, rounds)
    return show("dense SIFT", x.dtype, seconds, {("ours", "filters"): ("most", 3)})


def ways(shape, number):
    """The candidates: forwards; back to the pixels, the activations there already; and with a cut-off."""
    network, x = fisher_chain(shape, number), image(shape, number)
    rules, xs = paper_fv(network), network.activations(x)
    short, R = cutoff(rules, "fisher"), start(xs[network.output])
    return {"forward": lambda: clock(lambda: len(network.activations(x))),
            "backward": lambda: clock(lambda: len(relevances(network, xs, rules, R).of)),
            "cut off": lambda: clock(lambda: len(relevances(network, xs, short, R).of))}


def explanation(number, rounds):
    """The relevance of the pixels beside the forward pass."""
    seconds, _ = alternate(ways(SHAPE, number), rounds)
    return show("to the pixels", number, seconds, {(way, "forward"): ("most", 1.5) for way in ("backward", "cut off")})


def growth(rounds):
    """Seconds for images with more and more descriptors, and the exponent p of seconds ~ descriptors^p."""
    candidates, rows, widths = {}, [], (16, *(8 for _ in SCALES), 8, 4)
    for scale in SCALES:
        shape = (1, 1, *(round(n * scale ** 0.5) for n in SHAPE[2:]))
        calls = ways(shape, np.float64)
        candidates.update({(SIFT.output_shape(shape)[1], way): calls[way] for way in ("forward", "backward")})
    seconds = medians(alternate(candidates, rounds)[0])
    for way in ("forward", "backward"):
        counts, times = zip(*((count, spent) for (count, name), spent in seconds.items() if name == way))
        exponent = float(np.polyfit(np.log(counts), np.log(times), 1)[0])
        rows.append({"name": f"{way} float64", "descriptors": counts, "seconds": times, "exponent": exponent})
        if len(rows) == 1:
            print()
            head(("descriptors", *counts, "exponent", "goal"), widths)
        line((rows[-1]["name"], *(f"{spent:.3f} s" for spent in times), f"{exponent:.2f}", "1"), widths)
    return rows


PEAK = """
import resource, sys
sys.path.insert(0, sys.argv[1])
import timing
import numpy as np
from fisher_chain import fisher_chain, image
from lrp_ref import explain, paper_fv
network, x = fisher_chain(number=np.dtype(sys.argv[2]).type), image(number=np.dtype(sys.argv[2]).type)
explain(network, x, paper_fv(network))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", default="out/bench.json")
    options = parser.parse_args()
    introduce()
    peaks = {number: float(python(PEAK, str(Path(__file__).parent), number)) for number in ("float32", "float64")}
    for number, peak in peaks.items():
        print(f"explain in {number}: at most {peak:.2f} GiB (goal 1.5)", flush=True)
    print("\nThe Fisher chain, an image of 500 x 375:\n")
    head(("ratio", "numbers", "seconds", "of", "ratio", "goal"), WIDTHS)
    rows = [sift(options.rounds)]
    descriptors = SIFT(image())
    for number in (np.float32, np.float64):
        pca, *mixture = parameters(number)
        rows.append(encoding(descriptors.astype(number) @ pca, mixture, options.rounds))
    rows += [explanation(number, options.rounds) for number in (np.float32, np.float64)]
    write(options.output, fisher={"peak GiB": peaks, "rows": rows, "growth": growth(options.rounds)})


if __name__ == "__main__":
    main()
