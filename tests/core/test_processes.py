"""The same question has the same answer, to the last bit: in threads, in other processes, of copies."""

import copy
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest
from fisher_model import fisher_model, half_flat

from lrp_ref import (
    LRN,
    AlphaBeta,
    AvgPool,
    BatchNorm,
    Conv2D,
    Epsilon,
    Flat,
    Flatten,
    Linear,
    MaxPool,
    Network,
    Pass,
    ReLU,
    Tanh,
    ZBox,
    explain,
    paper_fv,
)
from lrp_ref.arrays import convert_numbers
from lrp_ref.relevance import Explanation

rng = np.random.default_rng(12)
# 2 x 9 x 8 -> 3 x 8 x 7 -> 3 x 4 x 3 -> 4 x 3 x 2 -> 4 x 1 x 2 -> 8 -> 3
CNN = Network([
    ("conv1", Conv2D(rng.normal(size=(3, 2, 2, 2)), rng.normal(size=3))), ("norm", BatchNorm(
        rng.normal(size=3), rng.uniform(1, 2, size=3), rng.normal(size=3), rng.normal(size=3))), ("relu", ReLU()),
    ("pool1", MaxPool(2)), ("conv2", Conv2D(rng.normal(size=(4, 3, 2, 2)))), ("lrn", LRN(3, 0.5, 0.75, 2)),
    ("tanh", Tanh()), ("pool2", AvgPool((3, 1))), ("flat", Flatten()),
    ("fc", Linear(rng.normal(size=(8, 3)), rng.normal(size=3)))])
RULES = {"conv1": ZBox(-1, 1), "norm": Epsilon(0.1), "relu": Epsilon(0.1), "pool1": Epsilon(0.1), "conv2":
         AlphaBeta(2, 1), "lrn": Flat(), "tanh": Epsilon(0.1), "pool2": Epsilon(0), "flat": Pass(), "fc": Epsilon(0.25)}
IMAGES = rng.uniform(-1, 1, (5, 2, 9, 8))


def exact() -> tuple[Any, ...]:
    """The upper part in Fractions, as far as it is rational."""
    network = CNN[CNN.index("pool2"):].astype(Fraction)
    x = convert_numbers(rng.integers(-9, 9, (2, 4, 3, 2)).astype(float), Fraction)
    return network, x, {name: RULES[name] for name in network.names}


def pipeline() -> tuple[Any, ...]:
    model = fisher_model(bias=True)
    x = model.prepare(half_flat())
    network = model.network(x.shape)
    return network, x, paper_fv(network)


TASKS = {"a CNN": (CNN, IMAGES, RULES), "a CNN in float32": (CNN.astype(np.float32), IMAGES.astype(np.float32), RULES),
         "Fractions": exact(), "a Fisher pipeline": pipeline()}
EACH = pytest.mark.parametrize("name", TASKS)


def bits(e: Explanation) -> bytes:
    """Every number of an explanation, and its type."""
    arrays = [e.relevance, e.scores, *(column for _, account in e.ledger for column in vars(account).values())]
    return b"|".join(part for x in map(np.asarray, arrays) for part in (
        str((x.dtype, x.shape)).encode(), repr(x.tolist()).encode() if x.dtype == object else x.tobytes()))


def answered(name: str) -> bytes:
    return bits(explain(*TASKS[name]))


def handed(task: tuple[Any, ...]) -> bytes:
    """Of a task that came from another process."""
    return bits(explain(*task))


def pickled(protocol: int, task: tuple[Any, ...]) -> tuple[Any, ...]:
    return pickle.loads(pickle.dumps(task, protocol))


WAYS: dict[str, Callable[[tuple[Any, ...]], tuple[Any, ...]]] = {
    "deepcopy": copy.deepcopy, "copy": lambda task: tuple(map(copy.copy, task)),
    **{f"pickle {n}": partial(pickled, n) for n in range(2, pickle.HIGHEST_PROTOCOL + 1)}}


@EACH
@pytest.mark.parametrize("way", WAYS)
def test_a_copy_answers_as_the_original(name: str, way: str) -> None:
    assert handed(WAYS[way](TASKS[name])) == answered(name)


@EACH
def test_a_copy_of_an_explanation_is_the_explanation(name: str) -> None:
    e = explain(*TASKS[name])
    assert bits(copy.deepcopy(e)) == bits(pickle.loads(pickle.dumps(e))) == bits(e)


def test_threads_that_share_a_network_answer_as_one() -> None:
    names = [*TASKS] * 6
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(answered, names)) == list(map(answered, names))


@pytest.mark.parametrize("method", [one for one in ("fork", "spawn", "forkserver")
                                    if one in multiprocessing.get_all_start_methods()])
def test_processes_answer_as_this_one(method: str) -> None:
    """With the task that they have themselves, and with one that is sent."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        for name, task in TASKS.items():
            assert pool.submit(handed, task).result(60) == answered(name)
        assert pool.submit(answered, "a CNN").result(60) == answered("a CNN")


def test_the_answer_is_no_other_the_second_time_and_nothing_given_is_changed() -> None:
    before = pickle.dumps((CNN, IMAGES, RULES))
    assert answered("a CNN") == answered("a CNN") and pickle.dumps((CNN, IMAGES, RULES)) == before
