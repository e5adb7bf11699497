"""The leaderboard's parts that decide what its columns mean."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from recsys_lib import models
from recsys_lib.experiments import leaderboard, leaderboard_reranking, literature, two_stage


def test_the_size_of_a_model_is_without_its_data(tiny_train):
    model = models.EASE().fit(tiny_train)
    size = leaderboard.megabytes(model)
    assert size == pytest.approx(model.item_weights_.nbytes / 2**20, rel=0.1)
    model.more = tiny_train
    assert leaderboard.megabytes(model) == pytest.approx(size, rel=0.02)


def test_every_model_and_re_ranker_of_the_library_is_there():
    left_out = {"Recommender", "TopK", "ColdStart", "HitProbability", "KernelRidgeContent"}
    assert set(leaderboard.MODELS) == set(models.__all__) - left_out
    from recsys_lib import rerank

    used = {method.partition(",")[0] for method in leaderboard_reranking.AIMS}
    assert used == set(rerank.__all__) - {"user_facets"}
    assert set(leaderboard_reranking.MODELS) <= set(leaderboard.MODELS)


def test_settings_are_as_many_for_each_re_ranker():
    for method in leaderboard_reranking.AIMS:
        found = leaderboard_reranking.settings(method)
        assert len(found) == leaderboard_reranking.N_SETTINGS and (np.diff(found) > 0).all() and (found > 0).all()
        assert method == "joint" or found[-1] < 1


def test_published_novelty_by_hand():
    # 8 interactions; the lists hold films of 4 and 2, and 4 and 0 (counts as one): 1 + 2 and 1 + 3 bits, by 4 films
    assert literature.novelty(np.array([[0, 1], [0, 3]]), np.array([4, 2, 2, 0])) == pytest.approx(3.5 / 4)


def test_means_of_rows_with_nothing_are_unknown():
    cells = sparse.csr_matrix(np.array([[4.0, 2.0], [0, 0], [0, 5.0], [0, 0]]))
    assert two_stage._mean(cells) == pytest.approx([3, np.nan, 5, np.nan], nan_ok=True)


def test_a_row_can_be_compared_with_itself():
    from recsys_lib.evaluation import Report

    values = pd.DataFrame({"ndcg": [0.1, 0.5, np.nan]})
    report = Report(values.mean(), values, np.zeros(3), 10)
    row = leaderboard.against(report, report, ("ndcg",), "minus_ease")
    assert row == {"ndcg_minus_ease": 0, "ndcg_minus_ease_low": 0, "ndcg_minus_ease_high": 0, "ndcg_minus_ease_p": 1}
