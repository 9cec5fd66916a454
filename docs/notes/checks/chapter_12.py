"""Chapter 12: operations, bytes, latencies, roundings."""

import math
from itertools import product as pairs

import numpy as np
import sympy as sp

from benchmarks.ranks import modelled_step
from digitscope.arrays import Array
from digitscope.nn import Conv2D, Dense, Network, ReLU, Reshape
from digitscope.recipes import RECIPES
from digitscope.training.parallel.shards import add_pairwise
from docs.notes.checks import agree, check
from docs.notes.checks.formula import Value, holds

RNG = np.random.default_rng(12)
_SCRIPT = {"B": "ℬ", "E": "ℰ", "F": "ℱ", "I": "ℐ", "L": "ℒ", "M": "ℳ", "R": "ℛ"}
"""Letters whose script form had a place in Unicode before all others got one."""


def script(**values: Value) -> dict[str, Value]:
    """The values by the names of the script letters, as math-core writes them."""
    return {_SCRIPT.get(a, chr(0x1D49C + ord(a) - ord("A"))) + "\ufe00": value for a, value in values.items()}


def rounded(x: float) -> float:
    return float(np.float32(x))


# Counting.


@check("12.1", "12.2", "12.3", by="digitscope")
def operations_are_digitscopes() -> None:
    dense = Network(Dense(7, 5, rng=RNG))
    assert dense.flops((7,)) == 2 * 5 * 7
    assert dense.flops((7,), training=True) == 2 * 2 * 5 * 7
    two = Network(Dense(7, 5, rng=RNG), ReLU(), Dense(5, 3, rng=RNG))
    assert two.flops((7,), training=True) == 4 * 5 * 7 + 6 * 3 * 5
    assert RECIPES["seed"].build(RNG, (28, 28), 10).flops((784,), training=True) == 31_960
    convolution = Network(Reshape(1, 8, 7), Conv2D(1, 3, 3, rng=RNG))
    assert convolution.flops((56,)) == 2 * 3 * 1 * 9 * (6 * 5)


@check("12.1", "12.2", "12.3", by="printed")
def operations_as_printed() -> None:
    layer = Network(Dense(7, 5, rng=RNG))
    holds("12.1", {**script(F=11.0 * layer.flops((7,))), "O": 5.0, "D": 7.0, "N": 11.0})
    seed = RECIPES["seed"].build(RNG, (28, 28), 10)
    holds("12.2", script(F=float(seed.flops((784,), training=True))))
    work = float(Network(Reshape(1, 8, 7), Conv2D(1, 3, 3, rng=RNG)).flops((56,)))
    holds("12.3", {**script(F=11 * work), "O": 3.0, "C": 1.0, "k": 3.0, "H'": 6.0, "W'": 5.0, "N": 11.0})


# The roof.


def least_time(work: float, bytes_moved: float, rate: float, bandwidth: float) -> float:
    """Of a machine that calculates while it moves, each as fast as it can."""
    return max(work / rate, bytes_moved / bandwidth)


@check("12.4", "12.5", "12.6", by="numbers")
def the_roof_is_the_longer_time() -> None:
    for work, moved, rate, bandwidth in RNG.uniform(0.1, 10, (50, 4)):
        time = least_time(work, moved, rate, bandwidth)
        agree(work / time, min(rate, work / moved * bandwidth))
        corner = rate / bandwidth
        assert (work / moved > corner) == (work / rate > moved / bandwidth)


@check("12.4", "12.5", "12.6", by="printed")
def the_roof_as_printed() -> None:
    for work, moved, rate, bandwidth in RNG.uniform(0.1, 10, (20, 4)):
        time = least_time(work, moved, rate, bandwidth)
        named: dict[str, Value] = {"min": np.minimum}
        named |= script(D=time, F=work, Q=moved, R=rate, B=bandwidth, I=work / moved)
        holds("12.4", named)
        holds("12.5", named)
        agree(work / time, min(rate, work / moved * bandwidth))  # it is reached, so that a larger bound would be wrong
    holds("12.6", script(I=5.0, R=100.0, B=20.0))


@check("12.7", "12.8", by="numbers")
def bytes_of_a_product_counted() -> None:
    """What is brought, number by number: all once, and in blocks that are kept while they are used."""
    rows, inner, columns, width = 6, 12, 9, 3
    once = 4 * sum(a.size for a in (np.empty((rows, inner)), np.empty((inner, columns)), np.empty((rows, columns))))
    agree(once, 4 * (rows * inner + inner * columns + rows * columns))
    agree(2 * rows * inner * columns / once, rows * inner * columns / (2 * (once / 4)))
    brought, uses = 0, 0
    cuts = (range(0, size, width) for size in (rows, columns, inner))
    for _ in pairs(*cuts):
        brought += 4 * 2 * width**2
        uses += width**3
    assert uses == rows * inner * columns
    agree(brought, 8 * rows * inner * columns / width)
    agree(2 * uses / brought, width / 4)


@check("12.7", "12.8", by="printed")
def bytes_of_a_product_as_printed() -> None:
    sizes: dict[str, Value] = {"O": 6.0, "D": 12.0, "N": 9.0}
    once = 4.0 * (6 * 12 + 12 * 9 + 6 * 9)
    holds("12.7", {**script(Q=once, I=2 * 6 * 12 * 9 / once), **sizes})
    brought = 4.0 * 2 * 3**2 * (2 * 4 * 3)
    holds("12.8", {**script(Q=brought, I=2 * 6 * 12 * 9 / brought, S=3.0), **sizes})


# Where a number lies.


def place(c: float, i: float, j: float, n: float) -> float:
    """Counted by NumPy: in an array (2, 4, 4, 3)."""
    x = np.arange(2 * 4 * 4 * 3).reshape(2, 4, 4, 3)
    return float(x[int(c), int(i), int(j), int(n)])


def lines_of_a_run(length: int) -> float:
    """How many lines of 16 numbers a run touches, the mean over the places where it may begin."""
    return float(np.mean([len({(start + i) // 16 for i in range(length)}) for start in range(16)]))


@check("12.9", "12.10", by="numbers")
def places_and_lines_counted() -> None:
    for c, i, j, n in pairs(range(2), range(4), range(4), range(3)):
        assert place(c, i, j, n) == ((c * 4 + i) * 4 + j) * 3 + n
    for length in (1, 2, 15, 16, 17, 24, 768):
        agree(lines_of_a_run(length), (length + 15) / 16)
        agree(length / (16 * lines_of_a_run(length)), length / (length + 15))


@check("12.9", "12.10", by="printed")
def places_and_lines_as_printed() -> None:
    for c, i, j, n in pairs(range(2), range(4), range(4), range(3)):
        numbers: dict[str, Value] = {"c": float(c), "i": float(i), "j": float(j), "n": float(n)}
        holds("12.9", {"at": place, "H": 4.0, "N": 3.0, **numbers})
    for length in (1, 17, 24):
        holds("12.10", script(C=float(length)))
        agree(length / 16 / lines_of_a_run(length), length / (length + 15))


# The price of asking, and two cores.


def simulated(calls: int, latency: float, work: float, rate: float) -> float:
    """One call after the other, each with its price and its part of the work."""
    clock = 0.0
    for _ in range(calls):
        clock += latency
        clock += work / calls / rate
    return clock


@check("12.18", "12.23", by="numbers")
def calls_and_work_add_up() -> None:
    calls, latency, work, rate = 7, 0.3, 40.0, 2.0
    agree(simulated(calls, latency, work, rate), calls * latency + work / rate)
    images = calls * latency * rate / work
    agree(simulated(calls, latency, images * work, rate), 2 * calls * latency)


@check("12.18", "12.23", by="printed")
def calls_and_work_as_printed() -> None:
    time = simulated(7, 0.3, 40.0, 2.0)
    costs = script(D=time, K=7.0, L=0.3, F=40.0, R=2.0)
    holds("12.18", costs)
    images = simulated(7, 0.3, 0.0, 2.0) * 2.0 / 40.0
    holds("12.23", {**costs, "N": images})


def finished(pieces: list[float], threads: int) -> float:
    """When the last of the threads is done, each taking the next piece as soon as it is free."""
    clocks = [0.0] * threads
    for piece in pieces:
        soonest = clocks.index(min(clocks))
        clocks[soonest] += piece
    return max(clocks)


@check("12.19", by="numbers")
def a_shared_part_counted() -> None:
    for shared, threads in ((0.9, 2), (0.9, 10), (0.5, 5)):
        time = (1 - shared) + finished([shared / 100] * 100, threads)
        agree(1 / time, 1 / ((1 - shared) + shared / threads))


@check("12.19", by="printed")
def a_shared_part_as_printed() -> None:
    for shared, threads in ((0.9, 2), (0.9, 10), (0.5, 5)):
        times = np.zeros(threads + 1)  # of one thread it has the first place, as D_1; of T the place T
        times[0], times[threads] = 1, (1 - shared) + finished([shared / 100] * 100, threads)
        holds("12.19", script(D=times, P=shared, T=float(threads)))


# Rounding.


def highest(x: Array) -> int:
    """The additions that the most travelled number goes through in a tree."""
    return math.ceil(math.log2(len(x)))


def in_a_row(x: Array) -> float:
    return float(np.cumsum(x)[-1])


def in_a_tree(x: Array) -> float:
    parts = [np.array([value]) for value in x]
    add_pairwise(parts)
    return float(parts[0][0])


@check("12.20", "12.21", "12.22", by="numbers")
def rounding_stays_within_its_bounds() -> None:
    bound = 2.0**-24
    x = RNG.uniform(-1, 1, (500, 2)).astype(np.float32).astype(np.float64)
    exact = x.sum(axis=1)
    error = exact.astype(np.float32) / exact - 1
    assert np.abs(error).max() <= bound
    assert np.abs(error).max() > 0.9 * bound  # nothing smaller would do
    assert rounded(rounded(2.0**24 + 1) + 1) == 2.0**24
    assert rounded(2.0**24 + rounded(2.0)) == 2.0**24 + 2
    positive = RNG.uniform(0, 1, 1 << 12).astype(np.float32)
    exact_sum = float(positive.astype(np.float64).sum())
    for computed, additions in ((in_a_row(positive), len(positive) - 1), (in_a_tree(positive), highest(positive))):
        assert (1 - bound) ** additions <= computed / exact_sum <= (1 + bound) ** additions
    assert abs(in_a_tree(positive) - exact_sum) < abs(in_a_row(positive) - exact_sum)


@check("12.20", "12.21", "12.22", by="printed")
def rounding_as_printed() -> None:
    functions: dict[str, Value] = {"fl": rounded}
    for x, y in RNG.uniform(0.5, 1, (20, 2)).astype(np.float32).astype(np.float64):
        error = rounded(x + y) / (x + y) - 1
        holds("12.20", {**script(E=2.0**-24), **functions, "x": float(x), "y": float(y), "ι": error}, tolerance=1e-15)
    holds("12.21", functions, tolerance=1e-15)
    positive = RNG.uniform(0, 1, 1 << 12).astype(np.float32)
    exact = float(positive.astype(np.float64).sum())
    for computed, additions in ((in_a_row(positive), len(positive) - 1), (in_a_tree(positive), highest(positive))):
        values = {**script(E=2.0**-24, A=float(additions)), "y": exact, "y'": computed}
        holds("12.22", values, tolerance=1e-15)


# Many machines.


def tree_time(machines: int, latency: float, message: float) -> float:
    """Neighbours send to neighbours, round by round; then the same way back."""
    clock, left = 0.0, machines
    while left > 1:
        clock += latency + message
        left //= 2
    return 2 * clock


def ring(parts: Array) -> tuple[Array, int]:
    """The sum of each column by a ring: machine m has row m. Returns what all have at the end, and the rounds."""
    machines = len(parts)
    have, rounds = parts.copy(), 0
    for turn in range(machines - 1):  # part p goes from machine p + turn to the next, which adds its own
        for part in range(machines):
            have[(part + turn + 1) % machines, part] += have[(part + turn) % machines, part]
        rounds += 1
    for turn in range(machines - 1):  # and is told to all
        for part in range(machines):
            have[(part + turn) % machines, part] = have[(part + turn - 1) % machines, part]
        rounds += 1
    return have, rounds


@check("12.24", "12.25", "12.26", by="numbers")
def sums_over_machines_counted() -> None:
    for machines in (2, 4, 8, 16):
        agree(tree_time(machines, 0.2, 0.7), 2 * math.log2(machines) * (0.2 + 0.7))
        parts = RNG.normal(size=(machines, machines))
        have, rounds = ring(parts)
        agree(have, np.tile(parts.sum(axis=0), (machines, 1)))
        agree(rounds, 2 * (machines - 1))
        agree(5 / machines + tree_time(machines, 0.2, 0.7), 5 / machines + 2 * math.log2(machines) * 0.9)


@check("12.27", by="sympy")
def the_best_number_of_machines() -> None:
    machines, alone, message = sp.symbols("M D c", positive=True)
    time = alone / machines + 2 * sp.log(machines) / sp.log(2) * message
    best = alone * sp.log(2) / (2 * message)
    assert sp.simplify(sp.diff(time, machines).subs(machines, best)) == 0
    assert sp.simplify(sp.diff(time, machines, 2).subs(machines, best)).is_positive


@check("12.24", "12.25", "12.26", "12.27", by="printed")
def many_machines_as_printed() -> None:
    latency, size, bandwidth = 0.2, 2.1, 3.0
    wire = script(L=latency, Q=size, B=bandwidth)
    for machines in (2, 4, 8):
        named: dict[str, Value] = {"log": np.log2, **wire, **script(M=float(machines))}
        there = tree_time(machines, latency, size / bandwidth)
        holds("12.24", {**named, **script(D=there)})
        on = np.zeros(machines + 1)  # of one machine it has the first place, as D_1; of M the place M
        on[0], on[machines] = 5, modelled_step(5, machines, size, latency, bandwidth)
        holds("12.26", {**named, **script(D=on)})
        rounds = ring(np.ones((machines, machines)))[1]
        holds("12.25", {**named, **script(D=rounds * (latency + size / machines / bandwidth))})
    many = np.linspace(0.5, 8, 7501)
    times = 5 / many + 2 * np.log2(many) * (latency + size / bandwidth)
    holds("12.27", {**wire, **script(M=float(many[times.argmin()]), D=np.array([5.0]))}, tolerance=1e-3)
