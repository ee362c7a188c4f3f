"""received = handed + bias + stabiliser + dead: where every bit of relevance went, per unit, per layer and in total."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from lrp_ref.arrays import Array, Index, everywhere, nothing, plus, put_at, pythons, some, times, total, zeros
from lrp_ref.hints import listed, nearest_float, shown


@dataclass(frozen=True, eq=False)
class Account:
    """received_j = handed_j + bias_j + stabiliser_j + dead_j for every output j of one layer (an array each).

    received    R_j as it arrives
    handed      sum over shares of   sum_i z_ij  part_j R_j / (z_j + guard(z_j))
    bias        sum over shares of          b_j  part_j R_j / (z_j + guard(z_j))
    stabiliser  sum over shares of   guard(z_j)  part_j R_j / (z_j + guard(z_j)),  guard(z_j) = epsilon sign z_j;
                and what a denominator of a rule's own has beyond sum_i z_ij + b_j
    dead        (1 - sum of the parts) R_j, and part_j R_j of every share whose denominator is 0

    Each column has its own formula; none is what the others leave over.
    """

    received: Array
    handed: Array
    bias: Array
    stabiliser: Array
    dead: Array

    @staticmethod
    def of(R: Array) -> Account:
        """The account of R as it arrives: nothing of it has gone anywhere."""
        return Account(R, *[nothing(R.shape, R)] * 4)

    def plus(self, x: Array, handed: Any = 0, bias: Any = 0, stabiliser: Any = 0, dead: Any = 0) -> Account:
        """In every column x times the number named there more.

        Same result without `some` where x is finite: numbers that are all 0 need no product. (An array of what is
        handed may: if R over 0 is NaN, it says so.)
        """
        wanted = (isinstance(handed, np.ndarray) or some(handed), some(bias), some(stabiliser), some(dead))
        return Account(self.received, *(plus(column, product(x, y)) if there else column for column, y, there in zip(
            self.parts(), (handed, bias, stabiliser, dead), wanted)))

    def put(self, where: Index, part: Account) -> Account:
        """The account with that of some outputs in its place, of which it had none."""
        return Account(self.received, *(put_at(column, where, values)
                                        for column, values in zip(self.parts(), part.parts())))

    def parts(self) -> tuple[Array, Array, Array, Array]:
        """Where it went: handed, bias, stabiliser, dead."""
        return self.handed, self.bias, self.stabiliser, self.dead

    def totals(self) -> tuple[Array, ...]:
        """Every column summed per sample, (N,) each."""
        return tuple(per_sample(getattr(self, field.name)) for field in fields(self))


COLUMNS = tuple(field.name for field in fields(Account))


@dataclass(frozen=True, eq=False)
class Again:
    """An account of which the sums are kept: its columns are worked out again when asked for, by the same step.

    Same result with the account itself. Four numbers for every unit are more than all else that an explanation holds.
    """

    received: Array
    sums: tuple[Array, ...]
    account: Callable[[], Account]

    @staticmethod
    def of(R: Array, account: Callable[[], Account]) -> Again:
        """The sums of R as it arrives: nothing of it has gone anywhere."""
        return Again(R, tuple(zeros((len(R),), R) for _ in COLUMNS[1:]), account)

    def put(self, where: Index, part: Account) -> Again:
        """Itself, with the account of some outputs, of which it had none, in its sums.

        Same result without the condition.
        """
        for own, column in zip(self.sums, part.parts()):
            if not everywhere(0, column):
                own[where[0]] += per_sample(column)
        return self

    def parts(self) -> tuple[Array, ...]:
        """Where it went, summed per sample: handed, bias, stabiliser, dead."""
        return self.sums

    def totals(self) -> tuple[Array, ...]:
        """Every column summed per sample, (N,) each."""
        return per_sample(self.received), *self.sums

    def __getattr__(self, name: str) -> Array:
        """A column by its name, worked out again."""
        if name not in COLUMNS:
            raise AttributeError(f"an account has no {name}, needed one of {listed(COLUMNS)}")
        column: Array = getattr(itself(self), name)
        return column

    def __reduce__(self) -> Any:
        """Pickled and copied as the account itself."""
        return Account, (self.received, *itself(self).parts())


SHORT, ENDS, LOSSES = 20, 3, 5   # lines that need no choice; of more: those at either end, those that lose most


@dataclass(frozen=True, eq=False)
class Ledger:
    """The accounts of all layers, highest first: `ledger["conv1"].bias`; print it for a table.

    reached  R_0, what has arrived at the input
    start    {tensor: R}, what everything began with; None: what the highest layer has received
    """

    names: Sequence[str]
    accounts: Sequence[Account | Again]
    reached: Array
    start: Mapping[str, Array] | None = None

    @property
    def began(self) -> Sequence[Array]:
        """R_L, or what began elsewhere."""
        return [self.accounts[0].received] if self.start is None else [*self.start.values()]

    def __getitem__(self, name: str) -> Account:
        if name not in self.names:
            raise ValueError(f"got the layer name {shown(name)}, needed one of {listed(self.names)}")
        return itself(self.accounts[list(self.names).index(name)])

    def __iter__(self) -> Iterator[tuple[str, Account]]:
        return ((name, itself(account)) for name, account in zip(self.names, self.accounts, strict=True))

    def sums(self) -> dict[str, tuple[Array, ...]]:
        """{layer: every column summed per sample, (N,) each}"""
        return {name: account.totals() for name, account in zip(self.names, self.accounts, strict=True)}

    def total(self) -> dict[str, Array]:
        """R_L = R_0 + bias + stabiliser + dead, summed over all layers, per sample (N,)."""
        sums = [*self.sums().values()]
        lost = [sum(column[1:], start=column[0]) for column in zip(*sums, strict=True)]
        began = total(map(per_sample, self.began), sums[0][0])
        return dict(zip(COLUMNS, (began, per_sample(self.reached), *lost[2:]), strict=True))

    def table(self, sample: int = 0, only: Collection[str] | None = None) -> str:
        """One sample's ledger in per cent of the sum of |R| that arrives at each layer; the last line is in all.

        only: the layers that are shown, others being counted where they stand; None: all.
        """
        width, left_out = max(map(len, (*(self.names if only is None else only), "total"))), 0
        lines = [" ".join([" " * width, *(f"{column:>11}" for column in ("sum |R|", *COLUMNS))])]
        for name, account in zip(self.names, self.accounts, strict=True):
            if only is not None and name not in only:
                left_out += 1
                continue
            lines += [between(left_out)] * (left_out > 0)
            left_out = 0
            size = per_sample(abs(account.received))[sample]
            lines.append(row(name.ljust(width), size, [t[sample] for t in account.totals()]))
        lines += [between(left_out)] * (left_out > 0)
        size = sum(per_sample(abs(R))[sample] for R in self.began)
        lines.append(row("total".ljust(width), size, [t[sample] for t in self.total().values()]))
        return "\n".join(lines)

    def brief(self, sample: int = 0) -> str:
        """The table's two ends and the layers that lose most; all of it where that is short."""
        if len(self.names) <= SHORT:
            return self.table(sample)
        lost = {name: sum(nearest_float(abs(column[sample]).sum()) for column in account.parts()[1:])
                for name, account in self}
        largest = sorted(filter(lost.get, self.names), key=lambda name: -lost[name])[:LOSSES]
        return self.table(sample, {*self.names[:ENDS], *largest, *self.names[-ENDS:]})

    def __str__(self) -> str:
        samples = len(self.accounts[0].received)
        more = f"\n(sample 0 of {samples}; ledger.table(n) prints another)" if samples > 1 else ""
        return self.table() + more

    __repr__ = __str__


def itself(account: Account | Again) -> Account:
    """The account, worked out again where its sums alone are kept; an error where these are others by now.

    Sums in another order differ by roundings, far below half of the digits.
    """
    if isinstance(account, Account):
        return account
    whole = account.account()
    for own, column in zip(account.sums, whole.parts()):
        if (abs(own - per_sample(column)) > np.sqrt(np.finfo(column.dtype).eps) * per_sample(abs(column))).any():
            raise ValueError("the ledger's columns are worked out of the explanation's activations and relevances and "
                             "the network's weights, and one of these arrays was written into: explain again, and "
                             "change copies")
    return whole


def between(count: int) -> str:
    """The line in the place of layers that are not shown."""
    return f"  .. {count} layer{'s' if count > 1 else ''}"


def product(x: Array, y: Any) -> Array:
    """x * y, y an array or a number."""
    if not isinstance(y, np.ndarray):
        return times(x, total([y], x)) if y else nothing(x.shape, x)
    return times(x, y)


def per_sample(column: Array) -> Array:
    """The sum over all axes but the first, (N,)."""
    return np.sum(column, axis=tuple(range(1, column.ndim)))


def row(name: str, size: Any, sums: Sequence[Any]) -> str:
    """A line of the table: the sum of |R|, then every column in per cent of it."""
    size = pythons(size)
    cells = [f"{nearest_float(100 * pythons(s) / size):10.3f}%" if size else f"{'-':>11}" for s in sums]
    return " ".join([name, f"{nearest_float(size):11.5g}", *(cell.replace("-0.000%", " 0.000%") for cell in cells)])
