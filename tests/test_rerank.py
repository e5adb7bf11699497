"""Re-ranking: MMR against a plain loop, and what every re-ranker promises."""

import sys

import numpy as np
import pytest

from recsys_lib import rerank
from recsys_lib.topk import TopK


@pytest.fixture
def case():
    rng = np.random.default_rng(1)
    items = np.array([rng.permutation(50)[:20] for _ in range(12)])
    scores = -np.sort(-rng.gamma(2, 1, (12, 20)), axis=1)
    return TopK(items, scores, scale=1.7), rng.normal(size=(50, 6)).astype(np.float32)


def plain_mmr(items, scores, scale, vectors, k, trade_off):
    cosine = vectors @ vectors.T / np.linalg.norm(vectors, axis=1)[:, None] / np.linalg.norm(vectors, axis=1)
    chosen = []
    for _ in range(k):
        best, best_value = None, -np.inf
        for item, score in zip(items, scores, strict=True):
            if item in chosen:
                continue
            similar = max((cosine[item, other] for other in chosen), default=0)
            value = (1 - trade_off) * score / scale - trade_off * similar
            if value > best_value:
                best, best_value = item, value
        chosen.append(best)
    return chosen


@pytest.mark.parametrize("trade_off", [0.1, 0.5, 0.9])
def test_mmr_is_the_plain_loop(case, trade_off):
    candidates, vectors = case
    lists = rerank.mmr(candidates, vectors, k=8, trade_off=trade_off, order="selection")
    for row in range(len(candidates)):
        expected = plain_mmr(candidates.items[row], candidates.scores[row], 1.7, vectors, 8, trade_off)
        assert lists.items[row].tolist() == expected
    shown = rerank.mmr(candidates, vectors, k=8, trade_off=trade_off)
    assert (np.diff(shown.scores, axis=1) <= 0).all()
    assert (np.sort(shown.items, 1) == np.sort(lists.items, 1)).all()


def test_the_ends_of_the_trade_off(case):
    candidates, vectors = case
    assert (rerank.mmr(candidates, vectors, k=5, trade_off=0).items == candidates.items[:, :5]).all()
    other = TopK(candidates.items, np.broadcast_to(np.float32(1), candidates.scores.shape))
    ones = rerank.mmr(candidates, vectors, k=5, trade_off=1, order="selection")
    assert (ones.items == rerank.mmr(other, vectors, k=5, trade_off=1, order="selection").items).all()


def test_lists_do_not_change_with_the_unit_of_the_scores(case):
    candidates, vectors = case
    scaled = TopK(candidates.items, candidates.scores * 8, candidates.scale * 8)
    assert (
        rerank.mmr(candidates, vectors, trade_off=0.4).items == rerank.mmr(scaled, vectors, trade_off=0.4).items
    ).all()


def test_a_user_alone_and_in_small_blocks(case, monkeypatch):
    candidates, vectors = case
    whole = rerank.mmr(candidates, vectors, k=6, trade_off=0.6)
    monkeypatch.setattr(sys.modules["recsys_lib.rerank.mmr"], "BLOCK_CELLS", 1)
    assert (rerank.mmr(candidates, vectors, k=6, trade_off=0.6).items == whole.items).all()


def test_padding_stays_at_the_end_and_nothing_is_listed_twice(case):
    candidates, vectors = case
    items, scores = candidates.items.copy(), candidates.scores.copy()
    items[0, 4:], scores[0, 4:] = -1, -np.inf
    lists = rerank.mmr(TopK(items, scores, 1.7), vectors, k=6, trade_off=0.7)
    assert set(lists.items[0, :4]) == set(items[0, :4]) and (lists.items[0, 4:] == -1).all()
    assert all(len(set(row)) == 6 for row in lists.items[1:])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trade_off": 1.2}, "between 0"),
        ({"order": "score"}, "selection"),
        ({"k": 21}, "20 candidates"),
        ({"item_vectors": np.full((50, 2), np.nan)}, "finite"),
        ({"item_vectors": np.ones((10, 2))}, "only 10 vectors"),
    ],
)
def test_bad_input(case, arguments, message):
    candidates, vectors = case
    with pytest.raises(ValueError, match=message):
        rerank.mmr(**{"candidates": candidates, "item_vectors": vectors, **arguments})
