"""Connectionist temporal classification: the loss of a network that reads a sequence of unknown places."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from digitscope.arrays import Array
from digitscope.errors import DataError, ShapeError
from digitscope.nn.losses import LossBackward

BLANK = 0
"""The class that stands for nothing at all; labels are 1, 2, ..."""


class CTC:
    """Minus the log probability of the labels, summed over all paths that spell them; the mean over N.

    At each of the T places the network chooses a label or the blank. A path (one choice a place) spells what is left of
    it after equal neighbours are merged and blanks are dropped: "--44-4--1" spells 441. With places independent,
    P(labels) is the sum over all paths that spell them of prod_t p[path t, t]. There are exponentially many; the
    recursions add them up in T (2L + 1) steps. With l the L labels and a blank before, between and after them, of
    length S = 2L + 1:

    p[k,t,n] = e^z[k,t,n] / sum_j e^z[j,t,n]
    a[s,t] = p[l s, t] (a[s,t-1] + a[s-1,t-1] + a[s-2,t-1])    the last only if l[s] is a label other than l[s-2]
    b[s,t] = b[s,t+1] p[l s, t+1] + b[s+1,t+1] p[l s+1, t+1] + b[s+2,t+1] p[l s+2, t+1]     the last as above
    P = sum_s a[s,t] b[s,t]    for every t
    loss = -(1/N) sum_n log P[n]
    dz[k,t,n] = (p[k,t,n] - (1/P[n]) sum_{s: l[s] = k} a[s,t] b[s,t]) / N

    The derivative is that of softmax and cross-entropy, with the share of the paths that have label k at place t as the
    wanted probability. Computed with logarithms, so that nothing underflows.

    Shapes: logits z (classes, T, N), classes including the blank, which is class 0; labels N sequences of integers from
        1 -> a number, in nats.
    Raises: ShapeError for other shapes; DataError for a label that is no class, and for labels that are longer than T
        places can spell (two equal neighbours take a blank between them).
    Source: Graves et al. 2006. Derivation: docs/notes/13-sequences.md
    """

    def forward(self, logits: Array, labels: Sequence[Sequence[int]]) -> tuple[float, LossBackward]:
        """Returns the loss and backward, where backward(dloss) -> dz times dloss."""
        places, repeats, lengths = _spelled(logits, labels)
        log_p = _log_softmax(logits)
        n = logits.shape[2]
        columns = np.arange(n)
        emitted = log_p[places.T[:, None], np.arange(logits.shape[1])[None, :, None], columns]  # (S, T, N)
        ends = _spread(lengths, len(emitted))
        log_a = _forward_sums(emitted, repeats)
        log_b = _forward_sums_reversed(emitted, repeats, ends)
        log_total = np.logaddexp.reduce(np.where(ends, log_a[:, -1], -np.inf), axis=0)

        def backward(dloss: float = 1.0) -> Array:
            share = np.exp(log_a + log_b - log_total)
            dz = np.exp(log_p)
            for s in range(len(share)):
                np.subtract.at(dz, (places[:, s][None], np.arange(dz.shape[1])[:, None], columns[None]), share[s])
            dz *= dloss / n
            return dz

        return -float(log_total.mean()), backward


def best_path(logits: Array) -> list[list[int]]:
    """What the most probable path spells, for each sequence; not always the most probable labels.

    Shapes: (classes, T, N) -> N lists.
    """
    found = []
    for choices in logits.argmax(axis=0).T:
        changes = np.append(True, choices[1:] != choices[:-1])
        found.append([int(k) for k in choices[changes] if k != BLANK])
    return found


def _forward_sums(emitted: Array, repeats: Array) -> Array:
    """log a[s,t,n]. repeats[s,n]: whether place s may not be reached from s - 2."""
    log_a = np.full_like(emitted, -np.inf)
    log_a[:2, 0] = emitted[:2, 0]
    for t in range(1, emitted.shape[1]):
        before = log_a[:, t - 1]
        reached = before.copy()
        reached[1:] = np.logaddexp(reached[1:], before[:-1])
        reached[2:] = np.logaddexp(reached[2:], np.where(repeats[2:], -np.inf, before[:-2]))
        log_a[:, t] = reached + emitted[:, t]
    return log_a


def _forward_sums_reversed(emitted: Array, repeats: Array, ends: Array) -> Array:
    """log b[s,t,n]. ends[s,n]: whether a path may end at place s."""
    log_b = np.full_like(emitted, -np.inf)
    log_b[:, -1][ends] = 0
    for t in range(emitted.shape[1] - 2, -1, -1):
        after = log_b[:, t + 1] + emitted[:, t + 1]
        reached = after.copy()
        reached[:-1] = np.logaddexp(reached[:-1], after[1:])
        reached[:-2] = np.logaddexp(reached[:-2], np.where(repeats[2:], -np.inf, after[2:]))
        log_b[:, t] = reached
    return log_b


def _log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max(axis=0)
    log_p: Array = shifted - np.log(np.exp(shifted).sum(axis=0))
    return log_p


def _spelled(logits: Array, labels: Sequence[Sequence[int]]) -> tuple[Array, Array, Array]:
    """The labels with blanks around them, (N, S), padded with blanks; which of them may not be reached from two before,
    (S, N); and the number of labels, (N,).
    """
    if logits.ndim != 3 or logits.shape[2] != len(labels) or not len(labels):
        raise ShapeError(
            f"CTC expects logits (classes, T, N) and N sequences of labels, N at least 1; got {logits.shape} and "
            f"{len(labels)} sequences."
        )
    classes, length, _ = logits.shape
    for sequence in labels:
        if any(not 0 < label < classes for label in sequence):
            raise DataError(f"CTC with {classes} classes expects labels from 1 to {classes - 1}; got {list(sequence)}.")
        needed = len(sequence) + sum(a == b for a, b in pairwise(sequence))
        if needed > length:
            raise DataError(
                f"CTC expects at least {needed} places for {list(sequence)}; got {length}. Make them finer."
            )
    lengths = np.array([len(sequence) for sequence in labels])
    spelled = np.full((len(labels), 2 * int(lengths.max()) + 1), BLANK)
    for row, sequence in zip(spelled, labels, strict=True):
        row[1 : 2 * len(sequence) : 2] = sequence
    repeats = np.ones_like(spelled, bool)
    repeats[:, 2:] = (spelled[:, 2:] == BLANK) | (spelled[:, 2:] == spelled[:, :-2])
    return spelled, repeats.T, lengths


def _spread(lengths: Array, places: int) -> Array:
    """Where a path may end: at the last label or at the blank after it, (S, N)."""
    s = np.arange(places)[:, None]
    ends: Array = (s == 2 * lengths) | (s == 2 * lengths - 1)
    return ends


def align(logits: Array, labels: Sequence[int]) -> list[tuple[int, int]]:
    """The first and last place of each label on the most probable path that spells the labels (Viterbi's algorithm).

    v[s,t] = log p[l s, t] + max(v[s,t-1], v[s-1,t-1], v[s-2,t-1])    the last as in `CTC`

    Shapes: logits (classes, T)
    Raises: as `CTC`.
    """
    if not len(labels):
        return []
    spelled, repeats, _ = _spelled(logits[..., None], [labels])
    emitted = _log_softmax(logits)[spelled[0]]  # (S, T)
    may_skip = ~repeats[:, 0]
    places, length = emitted.shape
    value = np.full(places, -np.inf)
    value[:2] = emitted[:2, 0]
    steps = np.zeros((length, places), np.int8)
    for t in range(1, length):
        before = np.full((3, places), -np.inf)
        before[0], before[1, 1:] = value, value[:-1]
        before[2, 2:] = np.where(may_skip[2:], value[:-2], -np.inf)
        steps[t] = before.argmax(axis=0)
        value = before.max(axis=0) + emitted[:, t]
    s = places - 1 if value[-1] >= value[-2] else places - 2
    spans = [(length, -1)] * len(labels)
    for t in range(length - 1, -1, -1):
        if s % 2:
            first, last = spans[s // 2]
            spans[s // 2] = min(first, t), max(last, t)
        s -= int(steps[t, s])
    return spans


def beam_search(logits: Array, *, width: int = 16, least: float = 1e-4) -> list[tuple[list[int], float]]:
    """The most probable labels and their log probabilities, the most probable first, by prefix beam search.

    A prefix is a beginning of the labels. Of each prefix two sums are kept: over the paths that end with a blank, and
    over those that end with its last label; a further equal label begins a new one only after a blank. After each place
    only the `width` most probable prefixes are kept, and a place's labels of a probability below `least` are not tried.
    The probabilities of the results are then computed exactly, over all paths.

    Shapes: logits (classes, T)
    Source: Graves 2012, "Supervised Sequence Labelling with Recurrent Neural Networks", section 7.5; Hannun et al. 2014
    """
    p = np.exp(_log_softmax(logits.astype(np.float64)))
    beam: dict[tuple[int, ...], tuple[float, float]] = {(): (1.0, 0.0)}
    for column in p.T:
        tried = [int(k) for k in np.flatnonzero(column > least) if k != BLANK]
        following: dict[tuple[int, ...], list[float]] = {}
        for prefix, (ends_blank, ends_label) in beam.items():
            total = ends_blank + ends_label
            entry = following.setdefault(prefix, [0.0, 0.0])
            entry[0] += total * column[BLANK]
            if prefix:
                entry[1] += ends_label * column[prefix[-1]]
            for k in tried:
                added = (ends_blank if prefix and prefix[-1] == k else total) * column[k]
                if added > 0:
                    following.setdefault((*prefix, k), [0.0, 0.0])[1] += added
        best = sorted(following.items(), key=lambda item: -sum(item[1]))[:width]
        largest = sum(best[0][1])
        beam = {prefix: (blank / largest, label / largest) for prefix, (blank, label) in best}
    found = [list(prefix) for prefix in beam]
    exact = log_probabilities(logits, found)
    return sorted(zip(found, exact, strict=True), key=lambda pair: -pair[1])


def log_probabilities(logits: Array, texts: Sequence[Sequence[int]]) -> list[float]:
    """The log probability of each of several labellings of one sequence; -inf if it cannot be spelled.

    Shapes: logits (classes, T)
    """
    length = logits.shape[1]
    possible = [i for i, text in enumerate(texts) if len(text) + sum(a == b for a, b in pairwise(text)) <= length]
    values = [-np.inf] * len(texts)
    if possible:
        repeated = np.repeat(logits[..., None].astype(np.float64), len(possible), axis=2)
        for i, value in zip(possible, _log_totals(repeated, [texts[i] for i in possible]), strict=True):
            values[i] = float(value)
    return values


def _log_totals(logits: Array, labels: Sequence[Sequence[int]]) -> Array:
    """log P of each sequence, (N,)."""
    places, repeats, lengths = _spelled(logits, labels)
    emitted = _log_softmax(logits)[places.T[:, None], np.arange(logits.shape[1])[None, :, None], np.arange(len(labels))]
    log_a = _forward_sums(emitted, repeats)
    ends = _spread(lengths, len(emitted))
    total: Array = np.logaddexp.reduce(np.where(ends, log_a[:, -1], -np.inf), axis=0)
    return total
