"""The re-rankers' loops, compiled: users in parallel, the same rules as the plain versions."""

from __future__ import annotations

import numba
import numpy as np

MMR, MSD, SSD, DPP = range(4)
FLOOR = np.float32(1e-6)
GRID = np.float32(2**20)


@numba.njit(fastmath={"reassoc", "contract"}, cache=True)
def _dot(a, b):
    total = np.float32(0)
    for f in range(len(a)):
        total += a[f] * b[f]
    return total


@numba.njit(cache=True)
def _cosines_with(code, codes, n, unit, table, out):
    """Cosines of one item with a user's first n candidates."""
    if table.shape[0] > 0:
        row = table[code]
        for i in range(n):
            out[i] = row[codes[i]]
    else:
        vector = unit[code]
        for i in range(n):
            out[i] = np.rint(_dot(vector, unit[codes[i]]) * GRID) / GRID


@numba.njit(cache=True)
def _n_listed(relevance):
    """How many candidates there are before the padding."""
    n = len(relevance)
    while n > 0 and relevance[n - 1] == -np.inf:
        n -= 1
    return n


@numba.njit(cache=True, fastmath={"nnan", "nsz"})
def _first_best(values):
    """The place of the largest value, of equal ones the first; two passes, because the first one is vectorised."""
    best = np.float32(-np.inf)
    for i in range(len(values)):
        best = max(best, values[i])
    for i in range(len(values)):
        if values[i] == best:
            return i
    return -1


@numba.njit(cache=True)
def _values(rule, merit, state, trade_off, out):
    """(1 - t) relevance + t novelty of all candidates; -inf stays where `merit` has it."""
    n = len(merit)
    if rule == MMR:
        for i in range(n):
            out[i] = merit[i] + trade_off * -state[i]
    elif rule == MSD:
        for i in range(n):
            out[i] = merit[i] + trade_off * state[i]
    elif rule == SSD:
        for i in range(n):
            out[i] = merit[i] + trade_off * np.sqrt(max(state[i], FLOOR))
    else:
        for i in range(n):
            out[i] = merit[i] + trade_off * np.log(max(state[i], FLOOR))


@numba.njit(cache=True)
def _greedy_user(rule, codes, relevance, unit, table, k, trade_off, picks):
    n = _n_listed(relevance)
    state = np.empty(n, np.float32)
    state[:] = -np.inf if rule == MMR else (np.float32(0) if rule == MSD else np.float32(1))
    spanned = np.empty((k if rule >= SSD else 0, n), np.float32)
    merit = np.empty(n, np.float32)
    for i in range(n):
        merit[i] = (np.float32(1) - trade_off) * relevance[i]
    row, value = np.empty(n, np.float32), np.empty(n, np.float32)
    pick = 0  # the candidates are best first
    for place in range(min(k, n)):
        if place > 0:
            _values(rule, merit, state, trade_off, value)
            pick = _first_best(value)
        picks[place] = pick
        merit[pick] = -np.inf
        if place == k - 1:
            break
        _cosines_with(codes[pick], codes, n, unit, table, row)
        if rule == MMR:
            for i in range(n):
                state[i] = max(state[i], row[i])
        elif rule == MSD:
            for i in range(n):
                state[i] += np.float32(1) - row[i]
        else:
            left = np.sqrt(max(state[pick], FLOOR))
            for before in range(place):
                weight = spanned[before, pick]
                for i in range(n):
                    row[i] -= weight * spanned[before, i]
            for i in range(n):
                spanned[place, i] = row[i] / left
                state[i] -= spanned[place, i] * spanned[place, i]
    for place in range(n, k):
        picks[place] = place


@numba.njit(parallel=True, cache=True)
def greedy(rule, codes, relevance, unit, table, k, trade_off):
    picks = np.empty((len(codes), k), np.int32)
    for user in numba.prange(len(codes)):
        _greedy_user(rule, codes[user], relevance[user], unit, table, k, trade_off, picks[user])
    return picks


@numba.njit(cache=True)
def _start_search(codes, n, chosen, unit, table, rows, far):
    """Fill `rows` with the distances of each chosen item to all candidates and `far` with their sums."""
    far[:] = 0
    for place in range(len(chosen)):
        _cosines_with(codes[chosen[place]], codes, n, unit, table, rows[place])
        for i in range(n):
            rows[place, i] = np.float32(1) - rows[place, i]
        rows[place, chosen[place]] = 0
        for i in range(n):
            far[i] += rows[place, i]


@numba.njit(cache=True)
def _swap_user(codes, relevance, bonus, n, unit, table, discount, trade_off, chosen, rows, far):
    """Improve the sorted places `chosen` by best swaps, in place; returns the objective.

    sum_a discount_a relevance_(a) weighs 1 - t, the mean distance of the pairs t, and the bonuses are added.
    """
    k = len(chosen)
    keep = np.float32(1) - trade_off
    pairs = max(k * (k - 1) / 2, 1)
    _start_search(codes, n, chosen, unit, table, rows, far)
    inside = np.zeros(n, np.bool_)
    for place in range(k):
        inside[chosen[place]] = True
    above, below = np.empty(k + 1, np.float64), np.empty(k + 1, np.float64)
    for _ in range(20 * k):
        gained, total, extra = 0.0, 0.0, 0.0
        for place in range(k):
            gained += discount[place] * relevance[chosen[place]]
            total += far[chosen[place]]
            extra += bonus[chosen[place]]
        total /= 2
        best_gain, best_out, best_in = 1e-6, -1, -1
        for out in range(k):
            leaving = chosen[out]
            # relevance of the list without `leaving`: before place q as it is, from q on one place lower
            above[0] = 0.0
            for q in range(k - 1):
                item = chosen[q] if q < out else chosen[q + 1]
                above[q + 1] = above[q] + discount[q] * relevance[item]
            below[k - 1] = 0.0
            for q in range(k - 2, -1, -1):
                item = chosen[q] if q < out else chosen[q + 1]
                below[q] = below[q + 1] + discount[q + 1] * relevance[item]
            place = 0
            for i in range(n):
                if inside[i]:
                    if i != leaving:
                        place += 1
                    continue
                now = above[place] + discount[place] * relevance[i] + below[place]
                spread = far[i] - rows[out, i] - far[leaving]
                gain = keep * (now - gained) + trade_off * spread / pairs + bonus[i] - bonus[leaving]
                if gain > best_gain:
                    best_gain, best_out, best_in = gain, out, i
        if best_out < 0:
            break
        leaving = chosen[best_out]
        inside[leaving], inside[best_in] = False, True
        for i in range(n):
            far[i] -= rows[best_out, i]
        row = rows[best_out].copy()
        _cosines_with(codes[best_in], codes, n, unit, table, row)
        for i in range(n):
            row[i] = np.float32(1) - row[i]
        row[best_in] = 0
        for i in range(n):
            far[i] += row[i]
        # keep the list sorted: take the leaving item out, shift, put the new one in its place
        place = best_out
        while place + 1 < k and chosen[place + 1] < best_in:
            chosen[place] = chosen[place + 1]
            rows[place] = rows[place + 1]
            place += 1
        while place > 0 and chosen[place - 1] > best_in:
            chosen[place] = chosen[place - 1]
            rows[place] = rows[place - 1]
            place -= 1
        chosen[place] = best_in
        rows[place] = row
    return keep * gained + trade_off * total / pairs + extra


@numba.njit(cache=True)
def _search_user(codes, relevance, bonus, unit, table, discount, trade_off, picks):
    """The better of two searches: from the most relevant items, and from what greedy picks."""
    k = len(picks)
    n = _n_listed(relevance)
    for place in range(k):
        picks[place] = place
    if n <= k:
        return
    rows, far = np.empty((k, n), np.float32), np.empty(n, np.float32)
    value = _swap_user(codes, relevance, bonus, n, unit, table, discount, trade_off, picks, rows, far)
    other = np.empty(k, np.int32)
    _greedy_user(MSD, codes, relevance, unit, table, k, _msd_trade_off(trade_off, k), other)
    other.sort()
    if _swap_user(codes, relevance, bonus, n, unit, table, discount, trade_off, other, rows, far) > value + 1e-6:
        picks[:] = other


@numba.njit(cache=True)
def _msd_trade_off(trade_off, k):
    """The t of `msd` that weighs a distance against a relevance as the search does: means of k items and of pairs."""
    if k < 2:
        return trade_off
    ratio = trade_off / max(np.float32(1) - trade_off, np.float32(1e-6)) * np.float32(2 / (k - 1))
    return ratio / (np.float32(1) + ratio)


@numba.njit(parallel=True, cache=True)
def search(codes, relevance, unit, table, discount, trade_off):
    k = len(discount)
    picks = np.empty((len(codes), k), np.int32)
    bonus = np.zeros(codes.shape[1], np.float32)
    for user in numba.prange(len(codes)):
        _search_user(codes[user], relevance[user], bonus, unit, table, discount, trade_off, picks[user])
    return picks


@numba.njit(cache=True)
def ascend(order, items, codes, relevance, unit, table, discount, trade_off, gains, exposure, picks):
    """One pass over the users in `order`: each list is made anew, seeing how often the others show each item."""
    k = len(discount)
    bonus = np.zeros(codes.shape[1], np.float32)
    rows, far = np.empty((k, codes.shape[1]), np.float32), np.empty(codes.shape[1], np.float32)
    for user in order:
        n = _n_listed(relevance[user])
        if n <= k:
            continue
        mine = picks[user]
        for place in range(k):
            exposure[items[user, mine[place]]] -= 1
        for i in range(n):
            bonus[i] = gains[min(exposure[items[user, i]], len(gains) - 1)]
        _swap_user(codes[user], relevance[user], bonus, n, unit, table, discount, trade_off, mine, rows[:, :n], far[:n])
        for place in range(k):
            exposure[items[user, mine[place]]] += 1
