"""evaluate and compare: names, alignment, refusals, and intervals that find a planted difference and no other."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from recsys_lib import evaluation
from recsys_lib.evaluation import Report, compare, confidence_interval, evaluate
from recsys_lib.evaluation.intervals import resamples
from recsys_lib.interactions import Interactions
from recsys_lib.metrics import accuracy, catalogue, facets, intra_list, novelty, serendipity
from recsys_lib.topk import TopK

NAMES = (
    "ndcg recall precision map mrr hit_rate ild_genre ild_text alpha_ndcg coverage exposed_5 gini entropy "
    "novelty popularity long_tail calibration serendipity n_users"
).split()


def make_case(seed=0, n_users=30, n_items=20, width=6):
    rng = np.random.default_rng(seed)
    items = np.array([rng.permutation(n_items)[:width] for _ in range(n_users)])
    items[0, 4:] = -1
    cells = rng.random((2, n_users, n_items)) < 0.25
    cells[1, 3] = False  # one user has nothing relevant
    train, test = (
        Interactions(
            sparse.csr_matrix(table.astype(np.float32)),
            pd.Index([f"u{row}" for row in range(n_users)]),
            pd.Index([f"i{column}" for column in range(n_items)]),
        )
        for table in cells
    )
    item_facets = (rng.random((n_items, 4)) < 0.4).astype(float)
    vectors = {"genre": item_facets, "text": rng.normal(size=(n_items, 8)).astype(np.float32)}
    return TopK(items, np.zeros(items.shape)), train, test, vectors, item_facets


def report_of(n_users=40, seed=0, shift=0.0, k=10, coverage=0.2):
    """A report with made-up numbers, for what is done with reports."""
    rng = np.random.default_rng(seed)
    per_user = pd.DataFrame(
        {"ndcg": rng.random(n_users) + shift, "ild_text": rng.random(n_users)}, index=[f"u{u}" for u in range(n_users)]
    )
    summary = pd.concat([per_user.mean(), pd.Series({"coverage": coverage, "n_users": float(n_users)})])
    return Report(summary, per_user, np.zeros(5, int), k)


def changed(report, **columns):
    per_user = report.per_user.assign(**columns)
    return dataclasses.replace(report, per_user=per_user, summary=report.summary.copy())


def test_the_report_has_the_agreed_names_in_the_agreed_order():
    topk, train, test, vectors, item_facets = make_case()
    report = evaluate(topk, train, test, vectors, item_facets=item_facets, k=5)
    assert list(report.summary.index) == NAMES
    without = evaluate(topk, train, test, {"plot": vectors["text"]}, k=5)
    assert "alpha_ndcg" not in without.summary and "calibration" not in without.summary
    assert "ild_plot" in without.summary and without.summary["ndcg"] == report.summary["ndcg"]
    assert report.per_user.index.equals(test.user_ids) and report.k == 5
    assert "30 users" in repr(report) and "ndcg" in repr(report)


@pytest.mark.parametrize("k", [1, 5, 10])
def test_every_number_is_that_of_its_metric(k):
    topk, train, test, vectors, item_facets = make_case()
    report = evaluate(topk, train, test, vectors, item_facets=item_facets, k=k)
    items, counts, n_items = topk.items, train.item_counts, train.n_items
    per_user = {
        "ndcg": accuracy.ndcg(items, test.matrix, k),
        "recall": accuracy.recall(items, test.matrix, k),
        "precision": accuracy.precision(items, test.matrix, k),
        "map": accuracy.average_precision(items, test.matrix, k),
        "mrr": accuracy.reciprocal_rank(items, test.matrix, k),
        "hit_rate": accuracy.hit_rate(items, test.matrix, k),
        "ild_genre": intra_list.ild(items, vectors["genre"], k),
        "ild_text": intra_list.ild(items, vectors["text"], k),
        "alpha_ndcg": facets.alpha_ndcg(items, test.matrix, item_facets, k),
        "novelty": novelty.novelty(items, counts, train.n_users, k),
        "popularity": novelty.popularity(items, counts, train.n_users, k),
        "long_tail": novelty.long_tail(items, counts, k),
        "calibration": facets.calibration(items, train.matrix, item_facets, k),
        "serendipity": serendipity.serendipity(items, test.matrix, counts, k),
    }
    assert set(report.per_user.columns) == set(per_user)
    for name, values in per_user.items():
        np.testing.assert_array_equal(report.per_user[name], values)
        np.testing.assert_allclose(report.summary[name], np.nanmean(values) if (~np.isnan(values)).any() else np.nan)
    assert report.summary["coverage"] == catalogue.coverage(items, n_items, k)
    assert report.summary["exposed_5"] == catalogue.exposed(items, n_items, k, at_least=5)
    assert report.summary["gini"] == catalogue.gini(items, n_items, k)
    assert report.summary["entropy"] == catalogue.entropy(items, n_items, k)
    assert report.exposure.tolist() == catalogue.exposure(items, n_items, k).tolist()


def test_users_without_relevant_items_are_left_out_and_counted():
    topk, train, test, *_ = make_case()
    report = evaluate(topk, train, test, k=5)
    assert report.summary["n_users"] == 29
    assert np.isnan(report.per_user.loc["u3", "ndcg"]) and np.isfinite(report.per_user.loc["u3", "novelty"])
    nothing = dataclasses.replace(test, matrix=sparse.csr_matrix(test.matrix.shape, dtype=np.float32))
    empty = evaluate(topk, train, nothing, k=5)
    assert empty.summary["n_users"] == 0 and np.isnan(empty.summary["ndcg"])
    assert empty.summary["coverage"] == report.summary["coverage"]


def test_only_the_first_k_places_are_judged():
    topk, train, test, *_ = make_case()
    items = topk.items.copy()
    items[:, 5] = items[:, 0]  # a repetition beyond k
    longer = TopK(items, topk.scores)
    pd.testing.assert_series_equal(
        evaluate(longer, train, test, k=5).summary, evaluate(topk.head(5), train, test, k=5).summary
    )


def _with(topk, row, place, item):
    items = topk.items.copy()
    items[row, place] = item
    return TopK(items, topk.scores)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(test=_ids(c["test"], "item_ids", "i2", "x")), "item_ids differ: .* 2, 'i2' and 'x'"),
        (lambda c: c.update(test=_ids(c["test"], "user_ids", "u1", "x")), "user_ids differ: .* 1, 'u1' and 'x'"),
        (lambda c: c.update(test=_fewer_items(c["test"])), "item_ids differ: 20 and 19 of them"),
        (lambda c: c.update(topk=TopK(c["topk"].items[1:], c["topk"].scores[1:])), "29 lists, but there are 30 users"),
        (lambda c: c.update(topk=c["topk"].items), "topk must be TopK, not ndarray"),
        (lambda c: c.update(train=c["train"].matrix), "train must be Interactions"),
        (lambda c: c.update(topk=_with(c["topk"], 2, 1, 20)), "item index 20"),
        (lambda c: c.update(topk=_with(c["topk"], 2, 1, -2)), "user 'u2' holds the item index -2"),
        (lambda c: c.update(topk=_with(c["topk"], 2, 1, int(c["topk"].items[2, 0]))), "user 'u2' holds .* twice"),
        (lambda c: c.update(topk=_with(_with(c["topk"], 2, 0, 0), 2, 3, 0)), "user 'u2' holds the item index 0 twice"),
        (lambda c: c.update(item_vectors={"text": np.ones((19, 3))}), r"\['text'\] has the shape \(19, 3\)"),
        (lambda c: c.update(item_vectors={"text": _nan(4)}), r"item_vectors\['text'\] has NaN .* row 4"),
        (lambda c: c.update(item_vectors=np.ones((20, 3))), "item_vectors must be a dict"),
        (lambda c: c.update(item_vectors={"text": np.full((20, 2), "a")}), "must hold numbers"),
        (lambda c: c.update(item_facets=np.ones((3, 3))), "item_facets has the shape"),
        (lambda c: c.update(item_facets=-np.ones((20, 3))), "item_facets holds negative"),
        (lambda c: c.update(k=0), "k must be a whole number"),
    ],
)
def test_bad_input_is_named(change, message):
    topk, train, test, vectors, item_facets = make_case()
    call = {"topk": topk, "train": train, "test": test, "item_vectors": vectors, "item_facets": item_facets, "k": 5}
    change(call)
    with pytest.raises(ValueError, match=message):
        evaluate(**call)


def _ids(interactions, which, old, new):
    ids = getattr(interactions, which).map(lambda own: new if own == old else own)
    return dataclasses.replace(interactions, **{which: ids})


def _fewer_items(interactions):
    return dataclasses.replace(interactions, matrix=interactions.matrix[:, :-1], item_ids=interactions.item_ids[:-1])


def _nan(row):
    vectors = np.ones((20, 3))
    vectors[row, 1] = np.nan
    return vectors


def test_identical_reports_differ_by_exactly_nothing():
    report = report_of()
    table = compare({"a": report, "b": report}, "a", n_bootstrap=200)
    rows = table.loc["b"].loc[["ndcg", "ild_text"]]
    assert (rows[["difference", "relative_percent", "low", "high"]].to_numpy() == 0).all()
    assert (rows["value"] == report.summary[rows.index]).all() and (rows["n_users"] == 40).all()


def test_swapping_model_and_baseline_flips_the_sign():
    reports = {"a": report_of(seed=1), "b": report_of(seed=2, shift=0.1)}
    forwards, backwards = compare(reports, "a").loc["b"], compare(reports, "b").loc["a"]
    np.testing.assert_allclose(forwards["difference"], -backwards["difference"])
    np.testing.assert_allclose(forwards["low"], -backwards["high"])
    np.testing.assert_allclose(forwards["high"], -backwards["low"])


def test_a_planted_difference_is_found_and_noise_is_not():
    base = report_of(n_users=400, seed=1)
    noise = np.random.default_rng(3).normal(scale=0.1, size=400)
    better = changed(base, ndcg=base.per_user["ndcg"] + 0.03 + noise)
    same = changed(base, ndcg=base.per_user["ndcg"] + noise - noise.mean())
    table = compare({"base": base, "better": better, "same": same}, "base", "ndcg")
    assert table.loc[("better", "ndcg"), "low"] > 0 > table.loc[("same", "ndcg"), "low"]
    assert table.loc[("same", "ndcg"), "high"] > 0
    # The interval is the one of the paired differences, not of two independent means, which is far wider here.
    width = table.loc[("better", "ndcg"), ["low", "high"]].diff().iloc[-1]
    assert width == pytest.approx(2 * 1.96 * noise.std() / 20, rel=0.08)
    relative = 100 * table.loc[("better", "ndcg"), "difference"] / base.summary["ndcg"]
    assert table.loc[("better", "ndcg"), "relative_percent"] == pytest.approx(relative)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        interval = confidence_interval(rng.normal(1.0, 1.0, size=80), n_bootstrap=300, confidence=0.9, rng=seed)
        covered += interval.low <= 1.0 <= interval.high
    assert 0.83 <= covered / 200 <= 0.96


def test_users_with_nan_in_either_report_are_left_out_of_that_pair():
    base = report_of(seed=1)
    ndcg = base.per_user["ndcg"] + 0.5
    ndcg.iloc[:10] = np.nan
    table = compare({"base": base, "b": changed(base, ndcg=ndcg), "c": base}, "base", ["ndcg"], n_bootstrap=100)
    row = table.loc[("b", "ndcg")]
    assert row["n_users"] == 30 and table.loc[("c", "ndcg"), "n_users"] == 40
    np.testing.assert_allclose(row[["difference", "low", "high"]].to_numpy(float), 0.5)
    assert row["value"] == pytest.approx(ndcg.mean())
    assert row["relative_percent"] == pytest.approx(50 / base.per_user["ndcg"].iloc[10:].mean())
    nowhere = changed(base, ndcg=np.full(40, np.nan))
    table = compare({"base": base, "b": nowhere}, "base", ["ndcg"], n_bootstrap=100)
    assert table.loc[("b", "ndcg"), ["value", "difference", "low", "high"]].isna().all()


def test_catalogue_metrics_have_a_difference_but_no_interval():
    table = compare({"a": report_of(), "b": report_of(coverage=0.3)}, "a", n_bootstrap=50)
    row = table.loc[("b", "coverage")]
    assert row["difference"] == pytest.approx(0.1) and row["relative_percent"] == pytest.approx(50)
    assert np.isnan(row["low"]) and np.isnan(row["high"])
    assert ("b", "n_users") not in table.index


def test_all_models_share_the_resamples_and_a_seed_gives_the_same_table(monkeypatch):
    reports = {"a": report_of(seed=1), "b": report_of(seed=2), "c": report_of(seed=3)}
    table = compare(reports, "a", n_bootstrap=100)
    pd.testing.assert_frame_equal(table, compare(reports, "a", n_bootstrap=100))
    alone = compare({"a": reports["a"], "c": reports["c"]}, "a", n_bootstrap=100)
    pd.testing.assert_frame_equal(table.loc[["c"]], alone.loc[["c"]])
    assert not table["low"].equals(compare(reports, "a", n_bootstrap=100, rng=1)["low"])
    monkeypatch.setattr(evaluation.intervals, "BLOCK_CELLS", 300)  # blocks of 7 resamples
    blocks = [block for block in resamples(40, 100, 0)]
    assert [len(block) for block in blocks] == [7] * 14 + [2]
    assert all((block.sum(axis=1) == 40).all() for block in blocks)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: compare({"a": report_of()}, "b"), "baseline 'b' is not among"),
        (lambda: compare({"a": report_of(), "b": report_of(n_users=39)}, "a"), "report 'b' has other users"),
        (lambda: compare({"a": report_of(), "b": report_of(k=5)}, "a"), "report 'b' has k=5"),
        (lambda: compare({"a": report_of(), "b": 3}, "a"), "must be a Report, not int"),
        (lambda: compare({"a": report_of()}, "a", ["mrr"]), "not every report has the metric 'mrr'"),
        (lambda: compare({"a": report_of()}, "a", confidence=95), "confidence must lie between"),
        (lambda: compare({"a": report_of()}, "a", n_bootstrap=0), "n_bootstrap must be at least 1"),
        (lambda: confidence_interval([np.nan]), "at least one number"),
        (lambda: confidence_interval(np.ones((6, 2))), r"one number a user, not a table of shape \(6, 2\)"),
        (lambda: confidence_interval([0.1, 0.2], confidence=95), "confidence must lie between 0 and 1, not 95"),
        (lambda: evaluation.splits_interval([0.1, 0.2], test_share=0.2, confidence=95), "confidence must lie between"),
    ],
)
def test_bad_comparisons_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_splits_interval_is_wider_than_that_of_independent_values():
    values = np.random.default_rng(0).normal(size=8)
    found = evaluation.splits_interval(values, test_share=0.2)
    naive = 2.365 * values.std(ddof=1) / np.sqrt(8)
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.value == pytest.approx(naive * np.sqrt(1 + 8 / 4), rel=1e-3)
    for bad in ([0.1], [0.1, np.nan], [[0.1, 0.2]]):
        with pytest.raises(ValueError, match="one finite number a split"):
            evaluation.splits_interval(bad, test_share=0.2)
    with pytest.raises(ValueError, match="test_share"):
        evaluation.splits_interval(values, test_share=20)
