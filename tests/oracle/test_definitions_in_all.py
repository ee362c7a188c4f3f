"""What holds of all definitions by loops: their ledger, their laws, flat layers stacked."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction as F
from typing import Any

import pytest
from test_definitions import fractions, image, one_output, vector
from test_definitions_of_rules import check

from lrp_ref.checks.definitions import (
    Map,
    Step,
    Units,
    alpha_beta,
    avg_pool,
    batch_norm,
    conv2d,
    epsilon,
    flat,
    flatten,
    gamma,
    gradient_times_input,
    linear,
    lists,
    lrn,
    matrix_form,
    max_pool,
    passed,
    paths,
    receptive_field,
    relu,
    sum_pool,
    units,
    w_square,
    walk,
    winner,
    z_box,
    z_plus,
)

# ---- Laws over every layer and rule ----

Rule = Callable[[Map, Units, Units], Step]


def as_number(kind: type, nested: Any) -> Any:
    """Fractions in nested lists, in another number type."""
    if isinstance(nested, list):
        return [as_number(kind, part) for part in nested]
    return kind(F(nested).numerator) / kind(F(nested).denominator)


def pixels(kind: type = F) -> Units:
    """Two channels of 3 x 4 pixels with ties, zeros and both signs."""
    first, second = "1/2 -2 0 3, 1 1 -1 2, 0 5/3 -4 1", "2 0 -1/3 1, -3 2 2 0, 1 -1 4 4/5"
    return units(as_number(kind, [image(first), image(second)]))


def layers_in(kind: type) -> dict[str, Map]:
    """Every rational layer at `pixels`, its parameters in the given number type."""
    a = pixels(kind)

    def n(nested: Any) -> Any:
        return as_number(kind, nested)

    matrix = [[1, -2, 0], [F(1, 2), 3, 0], [-1, 0, 0], [2, F(-5, 3), 0]]  # the last output is 0 everywhere
    kernels = [[image("1 -2 0, 3 1/2 -1")], [image("-1 0 2, 1 1 -3")], [image("2 1 -1, 0 -1/4 5")]] * 2
    convolution: dict[str, Any] = {"stride": (1, 2), "pad": (1, 2), "dilation": (2, 1), "groups": 2}
    return {
        "linear": linear(a, n(matrix), n([F(-1, 2), 2, 0])),
        "conv2d": conv2d(a, n(kernels), n([1, 0, F(-1, 3), 2, -2, 0]), **convolution),
        "max_pool": max_pool(a, (2, 3), (2, 2), (1, 0), ceil=True),
        "avg_pool": avg_pool(a, (2, 3), (1, 2), (1, 1), ceil=True),
        "avg_pool inside": avg_pool(a, (2, 3), (1, 2), (1, 1), ceil=True, count_pad=False),
        "sum_pool": sum_pool(a, (3, 2), (1, 1), n(F(-2, 3))),
        "relu": relu(a),
        "flatten": flatten(a),
        "batch_norm": batch_norm(a, n([1, F(-1, 2)]), n([2, 3]), n([-1, F(3, 2)]), n([F(1, 4), -2])),
        "lrn": lrn(a, 3, n(F(3, 4)), 2, n(2)),
        "lrn taylor": lrn(a, 3, n(F(3, 4)), 2, n(2), taylor=True),
    }


def rules_in(kind: type) -> dict[str, Rule]:
    """Every rule but Pass, its parameters in the given number type."""
    quarter, third, low, high = as_number(kind, [F(1, 4), F(1, 3), [-4, -3], [F(7, 2), 5]])
    return {
        "epsilon 0": epsilon,
        "epsilon 1/4": lambda m, a, R: epsilon(m, a, R, quarter),
        "alpha 2, beta 1": lambda m, a, R: alpha_beta(m, a, R, 2, 1),
        "alpha 4/3, beta 1/3": lambda m, a, R: alpha_beta(m, a, R, 1 + third, third),
        "z_plus": z_plus,
        "gamma 1/4": lambda m, a, R: gamma(m, a, R, quarter),
        "z_box": lambda m, a, R: z_box(m, a, R, low, high),
        "w_square": w_square,
        "flat": flat,
        "winner": winner,
    }


PIXELS, LAYERS, RULES = pixels(), layers_in(F), rules_in(F)
GATES = ("relu", "flatten", "batch_norm", "lrn")
layers = pytest.mark.parametrize("m", LAYERS.values(), ids=LAYERS)
rules = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


def relevance_of(m: Map) -> Units:
    """A relevance for every output that has nothing to do with the output: signs mixed, zeros among them."""
    return {j: F((5 * n) % 7 - 3, 2) for n, j in enumerate(m.output)}


@layers
def test_coverage_is_one_and_no_input_is_listed_twice(m: Map) -> None:
    for connections in m.connections.values():
        assert all(c == 1 for _, c, _ in connections)
        assert len({i for i, _, _ in connections}) == len(connections)


def test_only_the_weights_of_the_model_are_learned() -> None:
    assert {name for name, m in LAYERS.items() if m.learned} == {"linear", "conv2d", "batch_norm"}


@layers
def test_map_reproduces_the_output_in_all_layers_but_the_taylor_form(m: Map) -> None:
    z = {j: sum(c * PIXELS[i] * w for i, c, w in m.connections[j]) + m.bias[j] for j in m.output}
    assert (z == m.output) == (m is not LAYERS["lrn taylor"])


@rules
@layers
def test_received_is_handed_and_bias_and_stabiliser_and_dead(m: Map, rule: Rule) -> None:
    R = relevance_of(m)
    step = rule(m, PIXELS, R)
    for j in R:
        assert R[j] == step.handed[j] + step.bias[j] + step.stabiliser[j] + step.dead[j]
    assert sum(step.relevance.values()) == sum(step.handed.values())


@pytest.mark.parametrize("name", GATES)
def test_pass_conserves_through_every_gate(name: str) -> None:
    m = LAYERS[name]
    R = relevance_of(m)
    assert [*passed(m, PIXELS, R).relevance.values()] == [*R.values()]


@layers
def test_epsilon_zero_is_the_matrix_form(m: Map) -> None:
    R = relevance_of(m)
    assert epsilon(m, PIXELS, R).relevance == matrix_form(m, PIXELS, R)


@layers
def test_flat_is_equation_1_with_inputs_and_weights_one_and_no_bias(m: Map) -> None:
    R = relevance_of(m)
    ones = {j: [(i, c, 1) for i, c, w in m.connections[j]] for j in m.connections}
    flattened = Map(ones, dict.fromkeys(m.bias, 0), {}, m.learned)
    assert flat(m, PIXELS, R) == epsilon(flattened, dict.fromkeys(PIXELS, 1), R)


def test_weights_one_alone_are_not_flat() -> None:
    m, a = one_output("1 1", "0", "1 3")
    check(epsilon(m, a, vector("1")), "1/4 3/4")
    check(flat(m, a, vector("1")), "1/2 1/2")


@rules
@layers
def test_averaged_messages_fall_short_of_flat_by_the_absorbed_relevance(m: Map, rule: Rule) -> None:
    """Flat(R)_i - sum_j c_ij/n_j sum_i' R_i'<-j = sum_j c_ij/n_j (bias_j + stabiliser_j + dead_j)."""
    R = relevance_of(m)
    step = rule(m, PIXELS, R)
    averaged, absorbed = dict.fromkeys(PIXELS, F(0)), dict.fromkeys(PIXELS, F(0))
    for j in R:
        n = sum(c for _, c, _ in m.connections[j])
        messages = sum(step.messages[i, j] for i, _, _ in m.connections[j])
        for i, c, _ in m.connections[j]:
            averaged[i] += F(c, n) * messages
            absorbed[i] += F(c, n) * (step.bias[j] + step.stabiliser[j] + step.dead[j])
    full = flat(m, PIXELS, R).relevance
    assert {i: full[i] - averaged[i] for i in PIXELS} == absorbed


def test_gradient_times_input_is_epsilon_zero_all_the_way_down() -> None:
    a = units([image("1 2 -3, 4 -1 2")])
    conv = conv2d(a, [[image("1 -2, 3 1")], [image("2 1, -1 1")]], [F(1, 2), -1])
    gates = relu(conv.output)
    flattened = flatten(gates.output)
    score = linear(flattened.output, [[2, 1], [-1, 3], [1, 5], [4, -2]], [F(3), F(-1, 2)])
    # 1 - 4 + 12 - 1 + 1/2 and 2 + 6 - 3 + 2 + 1/2; 2 + 2 - 4 - 1 - 1 and 4 - 3 + 1 + 2 - 1
    assert lists(conv.output) == [[[F(17, 2), F(15, 2)]], [[-2, 3]]]
    assert lists(score.output) == [17 - F(15, 2) + 0 + 12 + 3, F(17, 2) + F(45, 2) - 6 - F(1, 2)]
    R: Units = {(0,): score.output[0,], (1,): F(0)}
    for m, x in (score, flattened.output), (flattened, gates.output), (gates, conv.output), (conv, a):
        R = epsilon(m, x, R).relevance
    assert gradient_times_input([conv, gates, flattened, score], a, units([1, 0])) == R


# ---- The cut-off: flat layers stacked ----


def test_flat_layers_are_a_random_walk_and_not_a_count_of_paths() -> None:
    """Two 3-wide convolutions with padding 1 over 4 pixels, seen from unit 0."""
    a = units([image("2 -1 0 5")])
    first = conv2d(a, [[image("1 -2 3")]], [1], pad=(0, 1))
    second = conv2d(first.output, [[image("4 0 -1")]], [-2], pad=(0, 1))
    start: Units = {(0, 0, 0): F(1)}
    stepped = flat(first, a, flat(second, first.output, start).relevance).relevance
    # unit 0 walks to units 0 and 1 with 1/2 each; 0 walks on to pixels 0, 1 and 1 to pixels 0, 1, 2
    assert lists(stepped) == [image("5/12 5/12 1/6 0")]
    assert lists(walk([first, second], start)) == [image("5/12 5/12 1/6")]
    assert lists(paths([first, second], (0, 0, 0))) == [image("2/5 2/5 1/5")]


def test_walk_counts_paths_where_no_window_is_clipped() -> None:
    a = units([image("2 -1 0 5 1 3 7")])
    first = conv2d(a, [[image("1 -2 3")]], [1])
    second = conv2d(first.output, [[image("4 0 -1")]], [-2])
    counted = paths([first, second], (0, 0, 1))
    assert [counted[0, 0, x] for x in range(1, 6)] == fractions("1/9 2/9 3/9 2/9 1/9") and len(counted) == 5
    assert walk([first, second], {(0, 0, 1): F(1)}) == counted


def test_walk_is_one_box_where_the_stride_is_the_window() -> None:
    a = units([image("2 -1 0 5 1 3, 7 7 1 2 4 1")])
    first = avg_pool(a, (1, 2), (1, 2))
    second = conv2d(first.output, [[image("4 0 -1, 1 2 5")]], [-2], stride=(2, 3))
    assert walk([first, second], {(0, 0, 0): F(6)}) == dict.fromkeys(a, F(1, 2))


def test_walk_below_a_wide_strided_convolution_is_a_fixed_pattern() -> None:
    """Uniform relevance over 9 x 9 windows, 11 wide and 4 apart, over 43 x 43 pixels."""
    a = units([[[0] * 43 for _ in range(43)]])
    m = sum_pool(a, (11, 11), (4, 4))
    R = walk([m], dict.fromkeys(m.output, F(1, 81)))
    # a corner lies in 1 window and no pixel in more than 3 x 3; each hands 1/81 of 1/121 to each pixel
    assert R[0, 0, 0] * 43 * 43 == F(43 * 43, 81 * 121) and round(F(43 * 43, 81 * 121), 2) == F(19, 100)
    assert max(R.values()) == 9 * R[0, 0, 0] and round(9 * F(43 * 43, 81 * 121), 2) == F(17, 10)


def test_flat_fully_connected_layer_is_uniform_and_blind_to_the_image() -> None:
    weight = [[2, -1], [0, 3], [5, 1]]
    for x in "1 2 3", "0 -7 4":
        m = linear(vector(x), weight, [1, 2])
        check(flat(m, vector(x), vector("5 4")), "3 3 3")


def test_receptive_field_follows_connections() -> None:
    a = units([image("2 -1 0 5 1 3 7")])
    first = conv2d(a, [[image("0 0 0")]], [0], stride=(1, 2))  # weights of zero connect all the same
    second = max_pool(first.output, (1, 2), (1, 1))
    assert receptive_field([first, second], (0, 0, 1)) == {(0, 0, x) for x in range(2, 7)}


# ---- Number types ----


def test_ints_stay_exact() -> None:
    a = units([[[2, 2, 1]]])
    m = max_pool(a, (1, 3), (1, 3))
    assert winner(m, a, {(0, 0, 0): 1}).relevance == {(0, 0, 0): F(1, 2), (0, 0, 1): F(1, 2), (0, 0, 2): 0}
    assert lists(avg_pool(a, (1, 3), (1, 3)).output) == [[[F(5, 3)]]]
    assert isinstance(lrn(a, 1, 1, 2, 1).output[0, 0, 1], F)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("kind", [float, Decimal])
def test_floats_and_decimals_stay_what_they_are(kind: type, layer: str, rule: str) -> None:
    m = layers_in(kind)[layer]
    step = rules_in(kind)[rule](m, pixels(kind), dict.fromkeys(m.output, kind(3)))
    numbers = [*m.output.values()] + [number for column in step for number in column.values()]
    assert {type(number) for number in numbers} <= {kind, int}  # an int is a 0: padding, or nothing to share
    assert all(number == 0 for number in numbers if type(number) is int)
