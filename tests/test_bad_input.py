"""Bad input: each case has one documented error that names what is wrong and the mend, or one documented result."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from recsys_lib import datasets, models, splits, tuning
from recsys_lib.interactions import Interactions

GOOD = pd.DataFrame(
    {
        "user_id": [1, 1, 1, 2, 2, 3],
        "item_id": ["a", "b", "c", "a", "c", "b"],
        "rating": [5.0, 3.0, 4.0, 4.0, 1.0, 2.0],
        "timestamp": [1, 2, 3, 4, 5, 6],
    }
)
TRAIN = Interactions.from_frame(GOOD)


def changed(**columns):
    return GOOD.assign(**columns)


def vectors(value, row=1):
    table = np.ones((3, 2))
    table[row] = value
    return table


EASE = models.EASE().fit(TRAIN)

CASES = {
    # the frame
    "not a frame": (lambda: Interactions.from_frame([(1, "a")]), "pandas DataFrame"),
    "empty frame": (lambda: Interactions.from_frame(GOOD.iloc[:0]), "empty"),
    "no user column": (lambda: Interactions.from_frame(GOOD.drop(columns="user_id")), "'user_id'"),
    "no item column": (
        lambda: Interactions.from_frame(GOOD.rename(columns={"item_id": "movieId"})),
        "'item_id'.*movieId",
    ),
    "missing user": (lambda: Interactions.from_frame(changed(user_id=[1, 1, np.nan, 2, 2, 3])), "'user_id'.*row 2"),
    "missing item": (
        lambda: Interactions.from_frame(changed(item_id=["a", None, "c", "a", "c", "b"])),
        "'item_id'.*row 1",
    ),
    "NaN rating": (lambda: Interactions.from_frame(changed(rating=[5, 3, 4, np.nan, 1, 2])), "'rating'.*row 3"),
    "infinite rating": (lambda: Interactions.from_frame(changed(rating=[5, np.inf, 4, 4, 1, 2])), "'rating'.*row 1"),
    "negative rating": (lambda: Interactions.from_frame(changed(rating=[5, 3, 4, 4, -1, 2])), "negative.*row 4"),
    "text as rating": (lambda: Interactions.from_frame(changed(rating=list("543412"))), "'rating'.*numbers"),
    "duplicate pair": (
        lambda: Interactions.from_frame(changed(item_id=["a", "a", "c", "a", "c", "b"])),
        "row 1.*drop_duplicates",
    ),
    "string timestamps": (lambda: splits.temporal_per_user(changed(timestamp=list("123456"))), "'timestamp'.*seconds"),
    "datetime timestamps": (
        lambda: splits.leave_last_out(changed(timestamp=pd.date_range("2020", periods=6))),
        "'timestamp'.*seconds",
    ),
    "infinite timestamp": (
        lambda: Interactions.from_frame(changed(timestamp=[1, 2, np.inf, 4, 5, 6])),
        "finite; row 2",
    ),
    "text and numbers as ids": (
        lambda: Interactions.from_frame(changed(item_id=["a", 1, "c", "a", "c", "b"])),
        r"'item_id' mixes.*astype\(str\)",
    ),
    "no timestamps": (lambda: splits.protocol("Bu", GOOD.drop(columns="timestamp")), "'timestamp'"),
    # ids
    "unknown user": (lambda: Interactions.from_frame(GOOD, user_ids=[1, 2]), "user_id.*3"),
    "unknown item": (lambda: Interactions.from_frame(GOOD, item_ids=["a", "b"]), "item_id.*'c'"),
    "an id given twice": (lambda: Interactions.from_frame(GOOD, item_ids=["a", "b", "c", "c"]), "twice"),
    "nothing above min_rating": (lambda: Interactions.from_frame(GOOD, min_rating=6), "6.*Lower"),
    "min_rating without ratings": (
        lambda: Interactions.from_frame(GOOD.drop(columns="rating"), min_rating=4),
        "no column 'rating'",
    ),
    # splits
    "share of 1": (lambda: splits.random_per_user(GOOD, test_share=1.0), "between 0 and 1"),
    "rounding": (lambda: splits.random_per_user(GOOD, rounding="up"), "ceil"),
    "ties": (lambda: splits.temporal_per_user(GOOD, ties="random"), "reversed_item_id"),
    "one row a user": (lambda: splits.random_per_user(GOOD.drop_duplicates("user_id")), "test set would be empty"),
    "no eligible cold item": (lambda: splits.cold_items(GOOD, min_interactions=50), "Lower min_interactions"),
    "one moment": (lambda: splits.temporal_global(changed(timestamp=1)), "do not spread"),
    "Bu without ratings": (lambda: splits.protocol("Bu", GOOD.drop(columns="rating")), "'Bu'.*column 'rating'"),
    "ML1M-R without ratings": (lambda: splits.protocol("ML1M-R", GOOD.drop(columns="rating")), "'ML1M-R'.*'rating'"),
    "Bu without high ratings": (lambda: splits.protocol("Bu", changed(rating=2)), "no rating of 4.*in train"),
    "Bu without a high rating in test": (
        lambda: splits.protocol("Bu", changed(rating=[5, 5, 1, 5, 1, 1])),
        "no rating of 4.*in test",
    ),
    "unknown protocol": (lambda: splits.protocol("B", GOOD), "A, Bu, ML1M-R"),
    "unknown data set": (lambda: datasets.load("movielens"), "ml-100k"),
    # the matrix
    "csc matrix": (lambda: Interactions(TRAIN.matrix.tocsc(), TRAIN.user_ids, TRAIN.item_ids), "csr matrix, not a csc"),
    "dense matrix": (
        lambda: Interactions(np.ones((3, 3)), TRAIN.user_ids, TRAIN.item_ids),
        "csr matrix, not a ndarray",
    ),
    "a cell twice": (
        lambda: Interactions(sparse.csr_matrix((np.ones(2), [1, 1], [0, 2, 2, 2]), (3, 3)), [1, 2, 3], list("abc")),
        "matrix holds a cell more than once",
    ),
    "too few ids": (lambda: Interactions(TRAIN.matrix, TRAIN.user_ids[:2], TRAIN.item_ids), r"\(3, 3\).*2 user_ids"),
    "ratings on other cells": (
        lambda: Interactions(TRAIN.matrix, TRAIN.user_ids, TRAIN.item_ids, TRAIN.ratings[[1, 0, 2]]),
        "ratings has other cells",
    ),
    # fit
    "fit on a frame": (lambda: models.EASE().fit(GOOD), "Interactions.from_frame"),
    "fit on nothing": (
        lambda: models.EASE().fit(Interactions(TRAIN.matrix * 0 > 1, TRAIN.user_ids, TRAIN.item_ids)),
        "empty",
    ),
    "negative matrix": (
        lambda: models.EASE().fit(Interactions(-TRAIN.matrix, TRAIN.user_ids, TRAIN.item_ids)),
        "negative",
    ),
    "short vectors": (lambda: models.EASE().fit(TRAIN, np.ones((2, 4))), r"\(2, 4\).*3 items"),
    "NaN vectors": (lambda: models.EASE().fit(TRAIN, {"text": vectors(np.nan)}), "text.*row 1"),
    "vectors of text": (
        lambda: models.EASE().fit(TRAIN, np.array([["a"], ["b"], ["c"]])),
        "must hold numbers, not <U1",
    ),
    "EASE without l2": (lambda: models.EASE(l2=0).fit(TRAIN), "l2"),
    "SLIM without penalty": (lambda: models.SLIM(l1=0, l2=0).fit(TRAIN), "l1 and l2"),
    "SLIM without sweeps": (lambda: models.SLIM(max_sweeps=0).fit(TRAIN), "max_sweeps.*not 0"),
    "ItemKNN without neighbours": (lambda: models.ItemKNN(k=0).fit(TRAIN), "k must be.*not 0"),
    "ItemKNN with negative neighbours": (lambda: models.ItemKNN(k=-5).fit(TRAIN), "k must be.*not -5"),
    "UserKNN without neighbours": (lambda: models.UserKNN(k=0).fit(TRAIN), "k must be.*not 0"),
    "RP3beta without neighbours": (lambda: models.RP3beta(k=0).fit(TRAIN), "k must be.*not 0"),
    "negative ridge": (lambda: models.BiasedMF(regularisation=-1).fit(TRAIN), "regularisation.*negative.*-1"),
    "iALS without iterations": (lambda: models.FeatureIALS(n_iterations=0).fit(TRAIN), "n_iterations.*not 0"),
    "a blend of bare models": (lambda: models.Blend(members={"EASE": models.EASE()}).fit(TRAIN), "'EASE'.*Member"),
    "ALS without factors": (lambda: models.ALS(n_factors=0).fit(TRAIN), "n_factors"),
    "weighting": (lambda: models.ItemKNN(weighting="idf").fit(TRAIN), "tfidf"),
    "ratings missing": (
        lambda: models.BiasedMF().fit(Interactions.from_frame(GOOD.drop(columns="rating"))),
        "no column 'rating'",
    ),
    "SVD of one user": (lambda: models.PureSVD().fit(Interactions.from_frame(GOOD[GOOD["user_id"] == 1])), "two users"),
    # models that read content
    "profile without vectors": (lambda: models.ContentProfile().fit(TRAIN), r"ContentProfile.*fit\(train, item_vec"),
    "map of a dict": (lambda: models.LinearTextMap().fit(TRAIN, {"text": np.ones((3, 2))}), "LinearTextMap.*one array"),
    "L3AE without vectors": (lambda: models.L3AE().fit(TRAIN), "L3AE reads content"),
    "kernel without vectors": (lambda: models.KernelRidgeContent().fit(TRAIN), "KernelRidgeContent reads content"),
    "cold start without vectors": (
        lambda: models.ColdStart(models.EASE(), models.KernelRidgeContent()).fit(TRAIN),
        "KernelRidgeContent reads content",
    ),
    "short vectors for a map": (lambda: models.LinearTextMap().fit(TRAIN, np.ones((4, 2))), r"\(4, 2\).*3 items"),
    "a vector for a table": (lambda: models.ContentKNN().fit(TRAIN, np.ones(3)), r"\(3,\).*one row an item"),
    "NaN in a map's vectors": (lambda: models.LinearTextMap().fit(TRAIN, vectors(np.nan, 2)), "row 2.*0 for unknown"),
    "infinite field": (lambda: models.KernelRidgeContent().fit(TRAIN, {"plot": vectors(np.inf, 0)}), "plot.*row 0"),
    "no neighbours": (lambda: models.ContentKNN(k=0).fit(TRAIN, np.ones((3, 2))), "k must be at least 1"),
    "map without l2": (lambda: models.LinearTextMap(l2=0).fit(TRAIN, np.ones((3, 2))), "l2.*no unique"),
    "L3AE without text_l2": (lambda: models.L3AE(text_l2=0).fit(TRAIN, np.ones((3, 2))), "text_l2.*500.*150.*0"),
    "L3AE that pushes away": (lambda: models.L3AE(text_weight=-1).fit(TRAIN, np.ones((3, 2))), "text_weight.*-1"),
    "kernel without l2": (lambda: models.KernelRidgeContent(l2=0).fit(TRAIN, np.ones((3, 2))), "l2.*0"),
    "no field": (lambda: models.KernelRidgeContent().fit(TRAIN, {}), "empty dict"),
    "misspelt linear field": (
        lambda: models.KernelRidgeContent(linear_fields=["poeple"]).fit(TRAIN, {"people": np.ones((3, 2))}),
        "'poeple'",
    ),
    "negative cold weight": (
        lambda: models.ColdStart(models.EASE(), models.KernelRidgeContent(), cold_weight=-1).fit(TRAIN, vectors(1)),
        "cold_weight",
    ),
    "a misspelt field": (
        lambda: models.KernelRidgeContent(field_weights={"plots": 1}).fit(TRAIN, {"plot": np.ones((3, 2))}),
        r"same fields.*\['plot', 'plots'\]",
    ),
    "a field without weight": (
        lambda: models.KernelRidgeContent(field_weights={"plot": 1}).fit(
            TRAIN, {"plot": np.ones((3, 2)), "year": np.ones((3, 1))}
        ),
        r"only one has \['year'\]",
    ),
    "weights of 0": (
        lambda: models.KernelRidgeContent(field_weights={"plot": 0}).fit(TRAIN, {"plot": np.ones((3, 2))}),
        "not be negative nor all 0",
    ),
    "a negative weight": (
        lambda: models.KernelRidgeContent(field_weights={"plot": 2, "year": -1}).fit(
            TRAIN, {"plot": np.ones((3, 2)), "year": np.ones((3, 1))}
        ),
        "not be negative",
    ),
    "unknown model": (lambda: tuning.tune("NCF", TRAIN, TRAIN), "'NCF'"),
    # recommend
    "scores before fit": (lambda: models.EASE().score([0]), r"this EASE is not fitted.*fit\(train\) first"),
    "fold in before fit": (lambda: models.ALS().fold_in(TRAIN.matrix), r"this ALS is not fitted"),
    "not fitted": (lambda: models.EASE().recommend(), r"fit\(train\) first"),
    "k of 0": (lambda: EASE.recommend(k=0), "at least 1"),
    "k as float": (lambda: EASE.recommend(k=2.5), "2.5"),
    "user out of range": (lambda: EASE.recommend([0, 3]), "index 3.*only 3"),
    "user ids for rows": (lambda: EASE.recommend(["1"]), "get_indexer"),
    "item out of range": (lambda: EASE.recommend(items=[7]), "index 7"),
    "exclude a matrix": (lambda: EASE.recommend(exclude=TRAIN.matrix), "Interactions"),
    "exclude other ids": (
        lambda: EASE.recommend(exclude=Interactions.from_frame(GOOD, item_ids=list("abcd"))),
        "other",
    ),
    "fold in other items": (lambda: models.ALS().fit(TRAIN).fold_in(np.ones((1, 5))), "5 columns.*3 items"),
}


@pytest.mark.parametrize("name", CASES)
def test_one_clear_error(name):
    call, message = CASES[name]
    with pytest.raises(ValueError, match=f"(?s){message}"):
        call()


@pytest.mark.parametrize(
    "name",
    [
        *("Random", "Popularity", "UserKNN", "ItemKNN", "RP3beta", "ALS", "SLIM", "EASE", "BiasedMF"),
        *("WARPFactorization", "MultVAE", "FadingEASE", "SLIT", "HitProbability", "Blend"),
    ],
)
def test_one_user_is_enough(name):
    train = Interactions.from_frame(GOOD[GOOD["user_id"] == 1], item_ids=list("abcd"))
    model = getattr(models, name)(*([models.EASE()] if name == "HitProbability" else []))
    assert model.fit(train).recommend(k=2).items[0].tolist() == [3, -1]


@pytest.mark.parametrize("name", ["ContentProfile", "ContentKNN", "LinearTextMap", "L3AE", "KernelRidgeContent"])
def test_one_user_is_enough_for_a_model_of_content(name):
    train = Interactions.from_frame(GOOD[GOOD["user_id"] == 1], item_ids=list("abcd"))
    assert getattr(models, name)().fit(train, np.eye(4)).recommend(k=2).items[0].tolist() == [3, -1]


def test_a_user_who_has_seen_everything_gets_an_empty_list():
    lists = EASE.recommend([0], k=3)
    assert lists.items.tolist() == [[-1, -1, -1]] and np.isneginf(lists.scores).all()


def test_k_beyond_the_catalogue_pads():
    assert EASE.recommend([2], k=5).items[0].tolist()[2:] == [-1, -1, -1]


def test_no_users_gives_no_lists():
    assert EASE.recommend([], k=3).items.shape == (0, 3)


def test_a_rating_of_zero_is_kept():
    zero = Interactions.from_frame(changed(rating=[0.0, 3, 4, 4, 1, 2]))
    assert zero.ratings.nnz == 6 and zero.ratings[0, 0] == 0 and zero.matrix[0, 0] == 1


def test_ratings_land_on_their_cells_whatever_the_row_order():
    shuffled = Interactions.from_frame(GOOD.sample(frac=1, random_state=1))
    assert (shuffled.ratings != TRAIN.ratings).nnz == 0
    assert TRAIN.ratings[1, 2] == 1.0


def test_ratings_and_timestamps_have_cells_of_their_own():
    for data in (Interactions.from_frame(changed(rating=[0.0, 3, 4, 4, 1, 2])), TRAIN.at_least(1)):
        before = data.matrix.toarray()
        for cells in (data.ratings, data.timestamps):
            cells.data[0] = 0
            cells.eliminate_zeros()
        assert (data.matrix.toarray() == before).all()


def test_columns_in_any_order_are_one_matrix():
    other = sparse.csr_matrix((TRAIN.matrix.data[::-1], TRAIN.matrix.indices[[2, 1, 0, 4, 3, 5]], TRAIN.matrix.indptr))
    assert not other.has_sorted_indices
    unsorted = Interactions(other, TRAIN.user_ids, TRAIN.item_ids)
    one, two = (models.WARPFactorization(epochs=3).fit(data).score([0, 1, 2]) for data in (TRAIN, unsorted))
    assert (one == two).all()


def test_users_and_items_without_rows_are_allowed():
    wide = Interactions.from_frame(GOOD, user_ids=[1, 2, 3, 4], item_ids=list("abcd"))
    assert wide.matrix.shape == (4, 4)
    assert models.EASE().fit(wide).recommend([3], k=2).items.shape == (1, 2)
