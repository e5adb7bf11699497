"""The re-ranking experiment's parts that need no fitted model: the peer's call, and what its table is read for."""

import numpy as np
import pandas as pd
from rerank_case import draw

from recsys_lib.experiments import reranking
from recsys_lib.topk import TopK


def test_the_peer_is_called_on_what_is_there():
    candidates, vectors = draw()
    items, scores = candidates.items.copy(), candidates.scores.copy()
    items[3, 12:], scores[3, 12:] = -1, -np.inf
    found = reranking.lists("pyversity msd", TopK(items, scores, candidates.scale), vectors, 0.4)
    assert found.items.shape == (len(items), 10) and (found.items >= 0).all()
    assert all(set(own) <= set(of) and len(set(own)) == 10 for own, of in zip(found.items, items, strict=True))
    first = reranking.lists("pyversity msd", candidates, vectors, 0.0)
    assert np.array_equal(first.items, candidates.items[:, :10])


def test_pipelines_are_chosen_by_validation_and_show_the_test():
    rows = [
        # protocol, base, method, width, gain and gain on validation, at 1 and 3 %
        ("A", "EASE", "pyversity msd", 100, 5.0, 9.0, 9.0, 9.0),
        ("A", "EASE", "pyversity, all five", 100, 6.0, np.nan, 10.0, np.nan),
        ("A", "EASE", "msd", 100, 5.5, 4.0, 10.0, 6.0),
        ("A", "EASE", "swap", 1000, 5.1, 5.0, 12.0, 5.0),
        ("A", "EASE, probability", "swap", 100, 7.0, 3.0, 9.5, 7.0),
        ("A", "Blend", "pyversity msd", 100, 13.0, 1.0, 16.0, 1.0),
        ("A", "Blend", "swap", 100, 19.0, 2.0, 20.0, 8.0),
        ("A", "Blend", "swap", 1000, 18.0, 3.0, 23.0, 7.0),
    ]
    names = ["protocol", "base", "method", "width", "gain_1", "gain_validation_1", "gain_3", "gain_validation_3"]
    table = pd.DataFrame(rows, columns=names).assign(space="text", hypervolume=0.5, gain_own_1=1.0, gain_own_3=2.0)
    found = reranking.summary(table)
    assert found.index.names == ["protocol", "space", "budget", "pipeline"] and len(found) == 8
    assert found.loc[("A", "text", 1), "gain"].tolist() == [5.0, 5.1, 13.0, 18.0]
    assert found.loc[("A", "text", 3), "gain"].tolist() == [9.0, 9.5, 16.0, 20.0]
    assert found.loc[("A", "text", 3), "gain_own"].tolist() == [2.0] * 4
    chosen = found.loc[("A", "text", 3, "ours on EASE")]
    assert (chosen["base"], chosen["width"], chosen["hypervolume"]) == ("EASE, probability", 100, 0.5)
    assert not [name for name in found if name.endswith(("_1", "_3"))]
