"""Remake the figures of the course and its file to fill in, mine.py: python docs/course/make.py

Every number in a figure is worked out here, by lrp_ref, in fractions; mine.py is solution.py without its answers.
"""

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from draw import AGAINST, DRAIN, FOR, INK, Drawing, said, shade, units

from lrp_ref import (
    Add,
    AlphaBeta,
    Conv2D,
    Epsilon,
    Flat,
    Flatten,
    Gamma,
    Linear,
    MaxPool,
    Network,
    Pass,
    ReLU,
    Winner,
    ZBox,
    ZPlus,
    explain,
)

FOLDER = Path(__file__).parent
FIGURES: dict[str, Callable[[], Drawing]] = {}
fractions = np.vectorize(Fraction, otypes=[object])


def figure(draw: Callable[[], Drawing]) -> Callable[[], Drawing]:
    FIGURES[draw.__name__.replace("_", "-") + ".svg"] = draw
    return draw


def shared(rule: Any, x: Any, w: Any, b: Any, R: Any) -> tuple[Any, Any, Any]:
    """(messages[i][j], (bias, stabiliser, dead) of every output, z) of one fully connected layer."""
    network, columns = Network([("fc", Linear(fractions(w), fractions(b)))]), []
    accounts = []
    for j in range(len(R)):
        alone = fractions([R if k == j else 0 for k, R in enumerate(R)])
        e = explain(network, fractions([x]), {"fc": rule}, target=alone[None])
        columns.append(e.relevance[0])
        accounts.append(tuple(part[0, j] for part in e.ledger["fc"].parts()[1:]))
    return np.array(columns).T, accounts, (fractions(x) @ fractions(w) + fractions(b))


# ---- Lesson 1 ----

X, W, B, R = [3, 1, 2], [[1, 2], [3, -4], [-2, -1]], [1, 0], [6, 5]


@figure
def forward() -> Drawing:
    """What a unit is: contributions a w and a bias, added up."""
    d = Drawing(640, 310, "Three inputs, 3, 1 and 2, with weights 1, 3 and -2 and a bias of 1: contributions 3, 3, -4; "
                          "output 3", 6)
    z = 0
    for n, (a, (w, _)) in enumerate(zip(X, W)):
        x = 110 + 150 * n
        d.line(320, 70, x, 235, a * w)
        d.unit(x, 235, a, f"a = {a}")
        d.text(x + (-48, -52, 70)[n], 190, f"{a} x {w} = {a * w}", 14)
        z += a * w
    d.line(320, 70, 560, 235, B[0], DRAIN)
    d.drain(560, 235, "bias", B[0])
    d.unit(320, 70, z + B[0])
    d.text(320, 34, f"z = 3 + 3 - 4 + 1 = {z + B[0]}", 16, weight="bold")
    return d


@figure
def sharing() -> Drawing:
    """The same unit, backwards."""
    messages, account, z = shared(Epsilon(0), X, [[w] for w, _ in W], B[:1], R[:1])
    d = Drawing(640, 320, "R = 6 at an output of 3 is shared: 6 and 6 to the first two inputs, -8 to the third, 2 to "
                          "the bias", 8)
    units(d, 70, 500, X, messages, account, R[:1], z)
    return d


@figure
def two_outputs() -> Drawing:
    """Two outputs, of which one is dead."""
    messages, account, z = shared(Epsilon(0), X, W, B, R)
    d = Drawing(700, 320, "Outputs 3 and 0 with R of 6 and 5: the first shares 6, 6, -8 and its bias takes 2; the "
                          "second hands nothing down, its 5 are dead", 8)
    units(d, 110, 480, X, messages, account, R, z)
    return d


# ---- Lesson 2 ----


@figure
def stabilised() -> Drawing:
    """The same two outputs with epsilon 1."""
    messages, account, z = shared(Epsilon(1), X, W, B, R)
    d = Drawing(700, 320, "With epsilon = 1: " + "; ".join(
        f"output {said(z[j])} hands down {', '.join(said(m[j]) for m in messages)}, loses "
        f"{said(account[j][0])} to the bias and {said(account[j][1])} to the stabiliser" for j in range(2)),
        abs(messages).max())
    units(d, 110, 480, X, messages, account, R, z)
    return d


def small_network() -> tuple[Any, Any]:
    """Two fully connected layers with biases and a ReLU, and an input: whole numbers."""
    network = Network([("fc1", Linear(fractions([[2, 2], [-1, -2]]), fractions([1, 0]))), ("relu", ReLU()),
                       ("fc2", Linear(fractions([[2], [-2]]), fractions([2])))])
    return network, fractions([[2, 1]])


@figure
def ledger_flow() -> Drawing:
    """Where the relevance of a network of two layers goes."""
    network, x = small_network()
    e = explain(network, x, {"fc1": Epsilon(2), "relu": Pass(), "fc2": Epsilon(2)})
    total = {name: [sum(part[0].flat) for part in e.ledger[name].parts()] for name in ("fc2", "fc1")}
    score = e.start.sum()
    d = Drawing(800, 300, "", score)
    words = []
    x0, y = 90.0, 60.0
    d.text(x0, y - 22, f"score {said(score)}", 15, weight="bold")
    amount = score
    for n, name in enumerate(("fc2", "fc1")):
        handed, *lost = total[name]
        left, right = x0 + 300 * n, x0 + 300 * (n + 1)
        d.rule(left + 26, y + 40, right - 26, y + 40, FOR, float(abs(handed)) / float(score) * 60)
        d.bar(left - 26, y, 52, 80, "#f3f3f3", "")
        d.text(left, y + 45, name, 15)
        d.text((left + right) / 2, y + 10, f"hands down {said(handed)}", 14)
        for k, (what, part) in enumerate(zip(("bias", "stabiliser", "dead"), lost)):
            if part:
                px = left + 40 + 105 * k
                d.line(left, y + 60, px, y + 190, part, DRAIN)
                d.drain(px, y + 190, what, part)
        words.append(f"{name} hands down {said(handed)}, " + ", ".join(
            f"{what} {said(part)}" for what, part in zip(("bias", "stabiliser", "dead"), lost) if part))
        amount = handed
    d.bar(x0 + 600 - 26, y, 52, 80, "#f3f3f3", "")
    d.text(x0 + 600, y + 45, "inputs", 13)
    d.text(x0 + 600, y + 105, f"R = {said(amount)}", 15, weight="bold")
    d.title = f"Of a score of {said(score)}: {'; '.join(words)}"
    return d


# ---- Lesson 3 ----


@figure
def five_rules() -> Drawing:
    """One unit under five rules, side by side."""
    x, w, b, R = [3, 1, 2], [[2], [-3], [-1]], [2], [15]
    rules = {"Epsilon(0)": Epsilon(0), "Epsilon(2)": Epsilon(2), "ZPlus": ZPlus(), "AlphaBeta(2, 1)": AlphaBeta(2, 1),
             "Gamma(1/2)": Gamma(Fraction(1, 2))}
    d = Drawing(1120, 350, "", 30)
    words = []
    for n, (name, rule) in enumerate(rules.items()):
        messages, account, z = shared(rule, x, w, b, R)
        left = 10 + 222 * n
        units(d, left, 210, [said(a * v[0]) for a, v in zip(x, w)], messages, [(0, 0, 0)], R, z, 84, 12)
        d.text(left + 105, 24, name, 15, weight="bold")
        lost = ", ".join(f"{what} {said(part)}" for what, part in zip(("bias", "stabiliser", "dead"), account[0])
                         if part)
        d.text(left + 105, 337, lost, 13, colour=DRAIN)
        words.append(f"{name}: {', '.join(said(m[0]) for m in messages)}; {lost}")
    d.title = "Contributions of 6, -3 and -2 and a bias of 2 share R = 15. " + ". ".join(words)
    return d


# ---- Lesson 4 ----


@figure
def convolution_as_matrix() -> Drawing:
    """A row of five pixels, a kernel of three, padding 1, stride 2."""
    kernel, pixels = [2, -1, 3], [1, 4, 2, 0, 5]
    z = Network([("c", Conv2D(fractions([[[kernel]]]), stride=(1, 2), pad=(0, 1)))])(fractions([[[pixels]]])).ravel()
    d = Drawing(700, 330, "A kernel 2, -1, 3 over five pixels 1, 4, 2, 0, 5 with padding 1 and stride 2: its outputs "
                          "see pixels 0 to 1, 1 to 3 and 3 to 4, what hangs over is nothing; beside it the matrix "
                          "of the weights", 3)
    for j, value in enumerate(z):
        d.unit(90 + 110 * j, 60, value)
        for k, w in enumerate(kernel):
            i = 2 * j + k - 1
            if 0 <= i < 5:
                d.line(90 + 110 * j, 60, 60 + 70 * i, 220, w)
    for i, a in enumerate(pixels):
        d.unit(60 + 70 * i, 220, a)
    d.text(200, 285, "pixels", 14)
    d.text(200, 22, "outputs", 14)
    for i in range(5):
        for j in range(3):
            k = i - 2 * j + 1
            inside = 0 <= k < 3
            d.cell(490 + 56 * j, 60 + 40 * i, 40, kernel[k] if inside else "", "white" if inside else "#e4e4e4")
        d.text(470, 85 + 40 * i, f"a = {pixels[i]}", 13, "end")
    d.text(566, 40, "w (I, J); grey: c = 0", 14)
    return d


@figure
def winner() -> Drawing:
    """Max-pooling: who wins takes all, ties share."""
    x, R = [[1, 4, 2, 2], [0, 3, 2, -1]], [5, 6]
    network = Network([("pool", MaxPool((2, 2)))])
    e = explain(network, fractions([[x]]), {"pool": Winner()}, target=fractions([[[R]]]))
    f = explain(network, fractions([[x]]), {"pool": Flat()}, target=fractions([[[R]]]))
    d = Drawing(720, 190, "Two windows, 1 4 0 3 and 2 2 2 -1, with R = 5 and 6. Winner: 5 to the 4, 2 to each 2. Flat: "
                          "5/4 and 3/2 to every pixel")
    for n, (name, values) in enumerate([("inputs", fractions(x)), ("Winner", e.relevance[0, 0]),
                                        ("Flat", f.relevance[0, 0])]):
        left = 20 + 240 * n
        d.text(left + 100, 28, name, 15, weight="bold")
        for row in range(2):
            for column in range(4):
                value = values[row, column]
                d.cell(left + 50 * column, 44 + 50 * row, 50, value, shade(value, 6) if n else "white")
        d.rule(left + 100, 40, left + 100, 148, INK, 3)
        if not n:
            for j in range(2):
                d.text(left + 50 + 100 * j, 172, f"R = {R[j]}", 14, weight="bold")
    return d


# ---- Lesson 5 ----


@figure
def walk() -> Drawing:
    """Below a cut-off relevance walks: two convolutions of three over four pixels."""
    wide = Conv2D(fractions([[[[1, 1, 1]]]]), pad=(0, 1))
    network = Network([("conv1", wide), ("conv2", wide)])
    start = fractions([[[[1, 0, 0, 0]]]])
    e = explain(network, fractions([[[[1, 1, 1, 1]]]]), {"conv1": Flat(), "conv2": Flat()}, target=start)
    rows = [start.ravel(), e.relevances["conv1"].ravel(), e.relevance.ravel()]
    d = Drawing(620, 360, "R = 1 at the first of four outputs goes down two flat convolutions: 1/2, 1/2, 0, 0, then "
                          "5/12, 5/12, 1/6, 0", 1)
    for level, (name, row) in enumerate(zip(("R at conv2", "after conv2", "after conv1"), rows)):
        y = 50 + 125 * level
        d.text(20, y + 5, name, 14, "start")
        for i, value in enumerate(row):
            x = 190 + 110 * i
            d.unit(x, y, value)
            reach = [k for k in (i - 1, i, i + 1) if 0 <= k < 4]
            for k in reach if level < 2 else ():
                d.line(x, y, 190 + 110 * k, y + 125, value / len(reach))
    return d


# ---- Lesson 6 ----


@figure
def least_possible() -> Drawing:
    """The z-box: how far a contribution lies above the least that the box allows."""
    x, w, low, high, R = [3, -1, 2, 0], [2, 3, -1, 4], -1, 5, 15
    e = explain(Network([("fc", Linear(fractions([[v] for v in w]), fractions([2])))]), fractions([x]),
                {"fc": ZBox(low, high)}, target=fractions([[R]]))
    d = Drawing(700, 350, "", 1)
    unit, middle = 8, 182
    words = []
    for n, (a, v) in enumerate(zip(x, w)):
        ends = sorted((low * v, high * v))
        left = 60 + 160 * n
        d.bar(left, middle - ends[1] * unit, 36, (ends[1] - ends[0]) * unit, "#ececec")
        d.bar(left, middle - a * v * unit, 36, (a * v - ends[0]) * unit, FOR)
        d.rule(left - 8, middle - a * v * unit, left + 44, middle - a * v * unit, INK, 2)
        same = a * v == ends[0]
        d.text(left + 50, middle - a * v * unit + (-4 if same else 5), f"a w = {a * v}", 13, "start")
        d.text(left + 50, middle - ends[0] * unit + (14 if same else 5), f"least {ends[0]}", 13, "start", DRAIN)
        d.text(left + 18, 300, f"a {a}, w {v}", 13)
        d.text(left + 18, 328, f"R = {said(e.relevance[0, n])}", 15, weight="bold")
        words.append(f"a w = {a * v}, {a * v - ends[0]} above the least, {ends[0]}: R = {said(e.relevance[0, n])}")
    d.rule(30, middle, 680, middle, "#9a9a9a")
    d.title = "Of R = 15, inputs from -1 to 5. " + "; ".join(words)
    return d


# ---- Lesson 7 ----

SEEN = (-1.5, 0.5, 2.0)   # three descriptors of one coordinate
GAUSSIANS = ((0.5, -1.0, 1.0), (0.5, 2.0, 1.0))   # weight, mean, standard deviation


def posterior(y: float) -> list[float]:
    heights = [weight * float(np.exp(-((y - mean) ** 2) / (2 * s**2))) / s for weight, mean, s in GAUSSIANS]
    return [h / sum(heights) for h in heights]


@figure
def gaussians() -> Drawing:
    """Three descriptors and two Gaussians: to whom each belongs, and on which side of the mean it lies."""
    d = Drawing(700, 330, "", 1)

    def at(y: float) -> float:
        return 350 + 85 * y

    words = []
    for k, (weight, mean, s) in enumerate(GAUSSIANS):
        colour = (FOR, AGAINST)[k]
        grid = np.linspace(-4, 4, 161)
        d.curve(((at(y), 200 - 250 * weight * float(np.exp(-((y - mean) ** 2) / (2 * s**2)))) for y in grid), colour)
        d.text(at(mean), 62, f"Gaussian {k + 1}, mean {said(mean)}", 13, colour=colour)
    d.rule(20, 200, 680, 200)
    for y in SEEN:
        p = posterior(y)
        psi = [p[k] / weight**0.5 * (y - mean) / s for k, (weight, mean, s) in enumerate(GAUSSIANS)]
        d.unit(at(y), 200, "", radius=7)
        d.text(at(y), 232, f"y = {said(y)}", 14, weight="bold")
        d.text(at(y), 256, f"posteriors {said(p[0])}, {said(p[1])}", 12)
        d.text(at(y), 278, f"psi {said(psi[0])}, {said(psi[1])}", 12)
        words.append(f"descriptor {said(y)}: posteriors {said(p[0])} and {said(p[1])}, adds {said(psi[0])} and "
                     f"{said(psi[1])}")
    d.title = "Two Gaussians with means -1 and 2. " + "; ".join(words)
    return d


# ---- Lesson 8 ----


@figure
def skip() -> Drawing:
    """A sum of two branches: R is shared by what each contributes."""
    weight = fractions([[1, -1], [1, 0]])
    network = Network([("fc", Linear(weight)), ("relu", ReLU()), ("add", Add(), ("relu", "input"))])
    e = explain(network, fractions([[2, 1]]), target=fractions([[5, 1]]))
    d = Drawing(640, 400, "The sum's R of 5 and 1 goes to the branch, 3 and 0, and to the skip, 2 and 1; of the "
                          "branch's 3 fc hands 2 and 1 down; the inputs receive 4 and 2", 5)
    by_branch, by_skip = (m[0] for m in e.messages["add"])
    of_fc = e.messages["fc"][0][0]
    for i in range(2):
        d.unit(380 + 120 * i, 60, e.activations["add"][0, i])
        d.text(380 + 120 * i, 30, f"R = {said(e.relevances['add'][0, i])}", 14, weight="bold")
        d.unit(200 + 90 * i, 190, e.activations["relu"][0, i])
        d.unit(380 + 120 * i, 330, fractions([2, 1])[i])
        d.text(380 + 120 * i, 374, f"R = {said(e.relevance[0, i])}", 14, weight="bold")
        d.line(380 + 120 * i, 60, 200 + 90 * i, 190, by_branch[i])
        d.line(380 + 120 * i, 60, 380 + 120 * i, 330, by_skip[i])
        d.line(200, 190, 380 + 120 * i, 330, of_fc[i])
    d.text(70, 65, "the sum", 14, "start")
    d.text(70, 195, "fc, ReLU", 14, "start")
    d.text(70, 335, "the input", 14, "start")
    d.text(590, 195, "the skip", 14)
    return d


# ---- A network for lesson 4: pictures of numbers ----


@figure
def small_cnn() -> Drawing:
    """An image of 4 x 4, a convolution, ReLU, max-pooling and a sum: relevance at every station."""
    image = fractions([[[[0, 1, 3, 0], [1, 4, 4, 1], [0, 3, 1, 0], [2, 0, 0, 0]]]])
    network = Network([("conv", Conv2D(fractions([[[[1, 2], [-1, 1]]]]), fractions([-2]))), ("relu", ReLU()),
                       ("pool", MaxPool((3, 3), (1, 1))), ("flat", Flatten()), ("fc", Linear(fractions([[2]])))])
    e = explain(network, image, {"conv": ZPlus(), "relu": Flat(), "pool": Winner(), "flat": Flat(), "fc": Epsilon(0)})
    d = Drawing(760, 250, "")
    stations = [("the image", image[0, 0]), ("after conv, ReLU", e.activations["relu"][0, 0]),
                ("R there", e.relevances["relu"][0, 0]), ("R of the image", e.relevance[0, 0])]
    for n, (name, values) in enumerate(stations):
        side = 40
        left = 20 + 185 * n
        d.text(left + side * values.shape[1] / 2, 40, name, 14, weight="bold")
        for row in range(values.shape[0]):
            for column in range(values.shape[1]):
                value = values[row, column]
                fill = "white" if n < 2 else shade(value, abs(values).max())
                d.cell(left + side * column, 56 + side * row, side, value, fill)
    d.title = f"A small CNN: a score of {said(e.start.sum())}; relevance at the convolution's winner, and at the image"
    return d


# ---- mine.py ----


def skeleton() -> str:
    """solution.py with every method that is an exercise emptied."""
    text = (FOLDER / "solution.py").read_text(encoding="utf-8")
    head, *methods = re.split(r"(?=^    def )", text, flags=re.MULTILINE)
    emptied = []
    for method in methods:
        found = re.match(r'(    def .*?\n        """Exercise (\d).*?"""\n)', method, re.DOTALL)
        if found:
            _, heading, after = method.partition("\n    # ----")   # of the next part, where it stands below
            method = "".join([found[1], f'        raise Unsupported("exercise {found[2]}")\n', heading, after]) + (
                "" if heading else "\n")
        emptied.append(method)
    made = "".join([head, *emptied])
    return made.replace('"""LRP, written by a student: all exercises of the course, filled in."""',
                        '"""LRP, to be written by you: fill in the methods that are exercises, in place of `raise`."""')


def files() -> dict[str, str]:
    """Every file that is made here, by its name."""
    return {"mine.py": skeleton(), **{f"figures/{name}": draw().svg for name, draw in FIGURES.items()}}


if __name__ == "__main__":
    (FOLDER / "figures").mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
