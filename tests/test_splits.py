"""Splits: sizes, no leak, independence of the row order, and what each named protocol promises."""

import warnings

import numpy as np
import pandas as pd
import pytest

from recsys_lib import splits


def pairs(frame):
    return set(zip(frame["user_id"], frame["item_id"], strict=True))


ALL = {
    "random_per_user": lambda frame: splits.random_per_user(frame, rng=3),
    "temporal_per_user": splits.temporal_per_user,
    "leave_last_out": splits.leave_last_out,
    "temporal_global": splits.temporal_global,
    "cold_items": lambda frame: splits.cold_items(frame, rng=3),
    "A": lambda frame: splits.protocol("A", frame, 1),
    "Bu": lambda frame: splits.protocol("Bu", frame),
    "ML1M-R": lambda frame: splits.protocol("ML1M-R", frame, 1),
}


@pytest.fixture
def frame(tiny):
    return tiny.interactions


@pytest.mark.parametrize("name", ALL)
def test_no_pair_is_on_both_sides_and_none_is_invented(frame, name):
    split = ALL[name](frame)
    assert not pairs(split.train) & pairs(split.test)
    assert not pairs(split.seen) & pairs(split.test)
    assert pairs(split.train) <= pairs(split.seen)
    assert pairs(split.train) | pairs(split.test) <= pairs(frame)


@pytest.mark.parametrize("name", ALL)
def test_the_order_of_the_rows_does_not_matter(frame, name):
    shuffled = frame.sample(frac=1, random_state=5)
    one, other = ALL[name](frame), ALL[name](shuffled)
    assert pairs(one.train) == pairs(other.train) and pairs(one.test) == pairs(other.test)


@pytest.mark.parametrize(("rounding", "expected"), [("ceil", 4), ("floor", 3), ("round", 4)])
def test_rounding(rounding, expected):
    frame = pd.DataFrame({"user_id": 1, "item_id": range(14), "rating": 3.0})
    split = splits.random_per_user(frame, test_share=0.25, rounding=rounding)  # 14 / 4 = 3.5
    assert len(split.test) == expected


def test_ceil_does_not_round_up_float_noise():
    frame = pd.DataFrame({"user_id": 1, "item_id": range(35), "timestamp": range(35)})
    assert len(splits.temporal_per_user(frame, test_share=0.2).test) == 7  # .2 * 35 = 7.000000000000001 in floats


def test_temporal_per_user_is_past_before_future(frame):
    split = splits.temporal_per_user(frame)
    last = split.train.groupby("user_id")["timestamp"].max()
    first = split.test.groupby("user_id")["timestamp"].min()
    assert (last.loc[first.index] <= first).all()


def test_ties_are_broken_as_asked():
    frame = pd.DataFrame({"user_id": 1, "item_id": [3, 1, 2, 4, 5], "timestamp": 7})
    assert splits.temporal_per_user(frame).test["item_id"].tolist() == [5]
    assert splits.temporal_per_user(frame, ties="reversed_item_id").test["item_id"].tolist() == [1]


def test_temporal_global_has_one_cut_and_known_users(frame):
    frame = frame.assign(timestamp=frame["timestamp"] + frame["user_id"] * 10)
    split = splits.temporal_global(frame)
    assert split.train["timestamp"].max() < split.test["timestamp"].min()
    assert set(split.test["user_id"]) <= set(split.train["user_id"])


def test_temporal_global_does_not_cut_at_float_noise():
    frame = pd.DataFrame({"user_id": 1, "item_id": range(1000), "timestamp": range(1000)})
    assert len(splits.temporal_global(frame, test_share=0.8).test) == 800  # 1000 * (1 - .8) = 199.99999999999997
    assert len(splits.temporal_global(frame.head(10), test_share=0.9).test) == 9


def test_temporal_global_warns_with_the_number_of_users():
    rows = [(user, item, user * 100 + item) for user in range(20) for item in range(5)]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    with pytest.warns(UserWarning, match="only 0 of 20 users"):
        splits.temporal_global(frame)


def test_no_warning_when_enough_users_remain(frame):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        splits.temporal_global(frame)


def test_cold_items_have_no_interaction_in_train(frame):
    split = splits.cold_items(frame, share=0.3, min_interactions=3, rng=1)
    assert not set(split.train["item_id"]) & set(split.test["item_id"])
    counts = frame["item_id"].value_counts()
    assert counts[split.test["item_id"].unique()].min() >= 3


def test_protocol_a(frame):
    split = splits.protocol("A", frame, seed=0)
    n = frame.groupby("user_id").size()
    expected = np.ceil(0.25 * n)
    assert (split.test.groupby("user_id").size() == expected).all()
    assert pairs(splits.protocol("A", frame, 1).test) != pairs(split.test)


def test_protocol_bu_cuts_before_it_filters(frame):
    split = splits.protocol("Bu", frame)
    assert split.train["rating"].min() >= 4 and split.test["rating"].min() >= 4
    assert (split.seen["rating"] < 4).any()
    one = frame[frame["user_id"] == 1].sort_values(["timestamp", "item_id"])
    last = one.tail(int(np.ceil(0.2 * len(one))))
    expected = set(last.loc[last["rating"] >= 4, "item_id"])
    assert set(split.test.loc[split.test["user_id"] == 1, "item_id"]) == expected


def test_validation_never_sees_the_test(frame):
    for name in splits.PROTOCOLS:
        split = splits.protocol(name, frame)
        inner = splits.validation(name, split)
        assert not (pairs(inner.train) | pairs(inner.test)) & pairs(split.test)
        assert pairs(inner.train) | pairs(inner.test) <= pairs(split.seen)
