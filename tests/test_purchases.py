"""Complete Journey: lines of receipts as a data set, and categories as its items."""

import numpy as np
import pandas as pd
import pytest

from recsys_lib import datasets


def test_grouped_events_go_to_the_group_and_the_rest_is_left_out(tiny):
    items = tiny.items.assign(shelf=np.where(tiny.items.index <= 10, "low", "high"))
    items.loc[40, "shelf"] = None
    given = datasets.Dataset("toy", tiny.interactions, items, tiny.users, "")
    found = given.grouped("shelf")
    rest = tiny.interactions[tiny.interactions["item_id"] != 40]
    assert found.interactions["item_id"].tolist() == np.where(rest["item_id"] <= 10, "low", "high").tolist()
    assert found.interactions["timestamp"].tolist() == rest["timestamp"].tolist()
    assert found.items.index.tolist() == ["high", "low"] and found.items["title"].tolist() == ["high", "low"]
    assert set(found.items.loc["low", "genres"]) == {"Comedy", "Drama", "Horror"}
    assert found.items.loc["low", "text"].startswith("low. ")
    assert found.genre_vectors.shape == (2, 3)


@pytest.mark.data
def test_the_complete_journey():
    dataset = datasets.load("complete-journey")
    events = dataset.interactions
    assert (len(events), len(dataset.users), events["item_id"].nunique()) == (1_469_307, 2_469, 68_509)
    assert events["week"].agg(["min", "max"]).tolist() == [1, 53] and not events.isna().any().any()
    first, last = pd.to_datetime(events["timestamp"].agg(["min", "max"]), unit="s")
    assert first == pd.Timestamp("2017-01-01 11:53:26") and last == pd.Timestamp("2018-01-01 04:01:20")
    assert events["item_id"].isin(dataset.items.index).all() and dataset.items.index.is_unique
    assert dataset.users["age"].notna().sum() == 801
    by_category = dataset.grouped("category")
    assert len(by_category.items) == 302 and len(events) - len(by_category.interactions) == 7_045
    assert by_category.items["genres"].str.len().min() == 1
