"""The re-rankers' loops, compiled: users in parallel, the same rules as the plain versions."""

from __future__ import annotations

import numba
import numpy as np

MMR, MSD, SSD, DPP = range(4)
# Here and not beside the other constants: what is compiled is stored until this very file changes.
GRID = np.float32(2**20)  # cosines are rounded to this grid, so that rounding cannot decide between equals
FLOOR = np.float32(3e-5)  # d^2 of an item in the span of others: a few times what the grid leaves of 0


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


@numba.njit(cache=True)
def _first_best(values):
    """The place of the largest value, of equal ones the first.

    One integer a place, as in `topk.best`: the value's bits made monotone, then the place. Unlike a loop that keeps
    two variables, that of the largest integer is vectorised.
    """
    bits, last = values.view(np.int32), len(values) - 1
    best = np.int64(-(2**63))
    for i in range(len(bits)):
        monotone = bits[i] ^ ((bits[i] >> np.int32(31)) & np.int32(0x7FFFFFFF))
        best = max(best, (np.int64(monotone) << np.int64(32)) | np.int64(last - i))
    return last - (best & np.int64(0xFFFFFFFF))


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
    merit, value, row = np.empty(n, np.float32), np.empty(n, np.float32), np.empty(n, np.float32)
    keep, zero = np.float32(1) - trade_off, np.float32(0)
    for i in range(n):
        merit[i] = keep * relevance[i] + zero  # + 0: as an integer, -0 would be less than 0
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
            # a pick that lies in the span adds nothing to it; to divide by the rest would blow up what rounding left
            left = np.sqrt(state[pick]) if state[pick] > FLOOR else np.float32(np.inf)
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
def _add_distances(item, codes, unit, table, row, far):
    """Fill `row` with the distances of a chosen item to all candidates and add them to `far`, their sums."""
    n = len(far)
    _cosines_with(codes[item], codes, n, unit, table, row)
    for i in range(n):
        row[i] = np.float32(1) - row[i]
    row[item] = 0
    for i in range(n):
        far[i] += row[i]


@numba.njit(cache=True)
def _entries(relevance, bonus, discount, keep, chosen, above, below, fixed):
    """What a swap gains in relevance and bonus, in two parts, so that pairs of items need no loop over the places.

    If i enters `above` the item that leaves, the chosen items between the two move down a place; if it enters `below`,
    they move up. What their moving costs is a difference of two running sums: one is part of i's, the other one of the
    leaving item's, `fixed`.
    """
    place, k = 0, len(chosen)
    down, up = 0.0, 0.0
    for i in range(len(above)):
        if place < k and chosen[place] == i:
            above[i], below[i] = -np.inf, -np.inf
            if place > 0:
                up += (discount[place - 1] - discount[place]) * relevance[i]
            fixed[0, place] = keep * (down - discount[place] * relevance[i]) - bonus[i]
            fixed[1, place] = keep * (-up - discount[place] * relevance[i]) - bonus[i]
            if place < k - 1:
                down += (discount[place + 1] - discount[place]) * relevance[i]
            place += 1
        else:
            above[i] = bonus[i] + keep * (discount[min(place, k - 1)] * relevance[i] - down)
            below[i] = bonus[i] + keep * (discount[max(place - 1, 0)] * relevance[i] + up)


@numba.njit(cache=True)
def _gains(entry, fixed, weight, far, row, far_leaving, out):
    # distances are multiples of 1 / GRID and their sums below 16, so that these differences are exact and ties are ties
    for i in range(len(out)):
        out[i] = entry[i] + fixed + weight * (far[i] - row[i] - far_leaving)


@numba.njit(cache=True)
def _best_swap(chosen, above, below, fixed, weight, rows, far, gains):
    """(place of the leaving item, entering item) of the best swap, or (-1, -1) if none gains."""
    best_gain, best_out, best_in = np.float32(1e-6), -1, -1
    for out in range(len(chosen)):
        leaving = chosen[out]
        row, own, after = rows[out], far[leaving], leaving + 1
        _gains(above[:leaving], fixed[0, out], weight, far[:leaving], row[:leaving], own, gains[:leaving])
        gains[leaving] = -np.inf
        _gains(below[after:], fixed[1, out], weight, far[after:], row[after:], own, gains[after:])
        entering = _first_best(gains)
        if gains[entering] > best_gain:
            best_gain, best_out, best_in = gains[entering], out, entering
    return best_out, best_in


@numba.njit(cache=True)
def _exchange(codes, unit, table, chosen, rows, far, out, entering):
    """Put an item in the place of another one; `chosen` stays sorted."""
    row = rows[out].copy()
    for i in range(len(far)):
        far[i] -= row[i]
    _add_distances(entering, codes, unit, table, row, far)
    place = out
    while place + 1 < len(chosen) and chosen[place + 1] < entering:
        chosen[place], rows[place] = chosen[place + 1], rows[place + 1]
        place += 1
    while place > 0 and chosen[place - 1] > entering:
        chosen[place], rows[place] = chosen[place - 1], rows[place - 1]
        place -= 1
    chosen[place], rows[place] = entering, row


@numba.njit(cache=True)
def _swap_user(codes, relevance, bonus, n, unit, table, discount, trade_off, chosen, rows, far):
    """Improve the sorted places `chosen` by best swaps, in place; returns the objective.

    sum_a discount_a relevance_(a) weighs 1 - t, the mean distance of the pairs t, and the bonuses are added.
    """
    k = len(chosen)
    keep, weight = 1.0 - trade_off, trade_off / max(k * (k - 1) / 2, 1.0)
    above, below, fixed = np.empty(n), np.empty(n), np.empty((2, k))
    gains = np.empty(n, np.float32)
    far[:] = 0
    for place in range(k):
        _add_distances(chosen[place], codes, unit, table, rows[place], far)
    for _ in range(20 * k):
        _entries(relevance, bonus, discount, keep, chosen, above, below, fixed)
        out, entering = _best_swap(chosen, above, below, fixed, weight, rows, far, gains)
        if out < 0:
            break
        _exchange(codes, unit, table, chosen, rows, far, out, entering)
    value = 0.0
    for place in range(k):
        item = chosen[place]
        value += keep * discount[place] * relevance[item] + weight * far[item] / 2 + bonus[item]
    return value


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
