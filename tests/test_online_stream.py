"""Stream and prequential evaluation: blocks, indices, one clear error; and nothing is learned before it is judged."""

import numpy as np
import pandas as pd
import pytest

from recsys_lib import models
from recsys_lib.interactions import Interactions
from recsys_lib.online import FadingPopularity, IncrementalEASE, LiveProfile, Prequential, Stream, prequential
from recsys_lib.topk import TopK


def frame(**changes):
    table = pd.DataFrame(
        {
            "user_id": ["a", "b", "a", "c", "b", "a"],
            "item_id": [10, 11, 12, 10, 10, 13],
            "timestamp": [0.0, 1.0, 5.0, 5.0, 9.0, 30.0],
            "rating": [5.0, 3.0, 4.0, 4.0, 2.0, 5.0],
        }
    )
    return table.assign(**changes)


def test_blocks_by_count():
    stream = Stream(frame(), ["b"], [12], size=4)
    blocks = list(stream)
    assert [len(block) for block in blocks] == [4, 2] and [block.number for block in blocks] == [0, 1]
    assert blocks[0].users.tolist() == [1, 0, 1, 2] and blocks[0].items.tolist() == [1, 2, 0, 1]
    assert blocks[1].ratings.tolist() == [2, 5]
    assert stream.user_ids.tolist() == ["b", "a", "c"] and stream.item_ids.tolist() == [12, 10, 11, 13]


def test_blocks_by_time_skip_empty_ones():
    blocks = list(Stream(frame(), seconds=5))
    assert [(block.number, block.times.tolist()) for block in blocks] == [(0, [0, 1]), (1, [5, 5, 9]), (6, [30])]
    assert [block.number for block in Stream(frame(), seconds=5, start=-5)] == [1, 2, 7]


def test_a_frame_is_read_again_and_a_generator_is_not():
    stream = Stream(frame(), size=4)
    first, again = list(stream), list(stream)
    assert [each.items.tolist() for each in first] == [each.items.tolist() for each in again]
    live = Stream((event for event in [("x", 1, 2.5)]), size=1)
    assert len(list(live)) == 1
    with pytest.raises(ValueError, match="was read already"):
        list(live)


def test_a_live_source_is_read_only_as_far_as_asked():
    read = []

    def source():
        for number in range(10**9):
            read.append(number)
            yield {"user_id": number % 3, "item_id": number, "timestamp": number}

    blocks = iter(Stream(source(), size=4))
    first = next(blocks)
    assert read == [0, 1, 2, 3] and first.users.tolist() == [0, 1, 2, 0] and first.ratings is None
    assert next(blocks).items.tolist() == [4, 5, 6, 7]


def test_tuples_do_too():
    assert next(iter(Stream([("x", 1, 2.5)], size=1))).times.tolist() == [2.5]


@pytest.mark.parametrize(
    "source, message",
    [
        (frame(timestamp=[0, 1, 5, 4, 9, 30]), "row 3 is at 4.0, after one at 5.0"),
        (frame(timestamp=[0, 1, np.nan, 4, 9, 30]), "'timestamp' has 1 missing values, first in row 2"),
        (frame(timestamp=[0, 1, 2, 4, 9, np.inf]), "'timestamp' must be finite; row 5"),
        (frame(timestamp=list("abcdef")), "seconds as numbers"),
        (frame(user_id=["a", None, "a", "b", "b", "c"]), "'user_id' has 1 missing"),
        (frame(quantity=1), "unknown column 'quantity'"),
        (frame().drop(columns="item_id"), "lacks 'item_id'"),
        ([{"user_id": 1, "item_id": 2}], "event 0 lacks 'timestamp'"),
        ([{"user_id": 1, "item_id": 2, "timestamp": 3, "price": 1}], "event 0 has the unknown column 'price'"),
        ([(1, 2, 5.0), (1, 2, 4.0)], "event 1 is at 4.0, after one at 5.0"),
        ([(1, 2, float("nan"))], "event 0 has the timestamp nan"),
        ([(1, None, 1.0)], "lacks its user_id or item_id"),
        ([(1, 2)], "event 0 must be a dict or a tuple"),
        (["no event"], "event 0 must be a dict or a tuple"),
    ],
)
def test_bad_input_is_one_clear_error(source, message):
    with pytest.raises(ValueError, match=message):
        list(Stream(source, size=2))


def test_a_bad_frame_is_refused_before_the_first_block():
    with pytest.raises(ValueError, match="order of time"):
        Stream(frame(timestamp=[0, 1, 5, 6, 9, 8]), size=1)


@pytest.mark.parametrize("settings", [{}, {"size": 2, "seconds": 3}, {"size": 0}, {"size": 1.5}, {"seconds": -1}])
def test_a_block_has_one_size(settings):
    with pytest.raises(ValueError):
        Stream(frame(), **settings)


# --- prequential -----------------------------------------------------------------------------------------------


def a_case(tiny, model=None, **settings):
    """(model fitted on the first 300 events of the tiny set, the rest as a stream)."""
    events = tiny.interactions.sort_values(["timestamp", "user_id"], kind="stable", ignore_index=True)
    train = Interactions.from_frame(events[:300], item_ids=tiny.items.index)
    stream = Stream(events[300:], train.user_ids, train.item_ids, **(settings or {"size": 50}))
    return (model or IncrementalEASE(l2=20.0)).fit(train), stream


def test_each_block_is_judged_by_what_was_known_before_it(tiny):
    model, stream = a_case(tiny)
    found = prequential(model, stream, item_vectors={"genre": tiny.genre_vectors})
    other, again = a_case(tiny)
    for block in again:
        users = np.setdiff1d(np.unique(block.users), np.arange(other.history_.n_users, 99))
        had = other.history_.to_csr().toarray() > 0
        scores = np.where(had[users], -np.inf, other.score(users))
        for user, row in zip(users, scores, strict=True):
            new = {int(i) for u, i in zip(block.users, block.items, strict=True) if u == user} - set(
                np.flatnonzero(had[user])
            )
            top = [int(i) for i in np.lexsort((np.arange(40), -row))[:10] if row[i] > -np.inf]
            gain = sum(1 / np.log2(rank + 2) for rank, item in enumerate(top) if item in new)
            ideal = sum(1 / np.log2(rank + 2) for rank in range(min(10, len(new))))
            mine = found.per_list.query("block == @block.number and user == @user")["ndcg"]
            assert (mine.item() == pytest.approx(gain / ideal)) if new else mine.empty
        other.learn(block.users, block.items)
    assert found.periods["n_events"].sum() == len(tiny.interactions) - 300
    assert {"ndcg", "ild_genre", "coverage", "gini", "n_new"} <= set(found.periods)


def test_periods_pool_blocks_and_bands_surround_their_means(tiny):
    one, stream = a_case(tiny, size=10)
    fine = prequential(one, stream)
    two, stream = a_case(tiny, size=10)
    coarse = prequential(two, stream, every=5)
    assert len(fine.periods) > 4 * len(coarse.periods)
    assert (fine.per_list["ndcg"] == coarse.per_list["ndcg"]).all()
    bands = coarse.bands("ndcg")
    assert (bands["low"] <= bands["value"]).all() and (bands["value"] <= bands["high"]).all()


def test_differences_are_paired_and_draw_whole_users(tiny):
    fine = prequential(*a_case(tiny, size=10))
    frozen = prequential(*a_case(tiny, LiveProfile(models.EASE(l2=20.0), live=False), size=10))
    value, low, high = fine.difference(frozen)
    assert value == pytest.approx((fine.per_list["ndcg"] - frozen.per_list["ndcg"]).mean())
    assert low < value < high
    # Each list three times, by the same user: no more is known, and the interval must not become narrower.
    thrice = [Prequential(each.periods, pd.concat([each.per_list] * 3, ignore_index=True)) for each in (fine, frozen)]
    assert thrice[0].difference(thrice[1]) == pytest.approx((value, low, high))
    assert fine.difference(fine) == (0, 0, 0)
    with pytest.raises(ValueError, match="same lists"):
        fine.difference(prequential(*a_case(tiny, size=50)))


def test_first_time_users_are_learned_and_not_judged():
    train = Interactions.from_frame(frame()[:2], item_ids=[10, 11, 12, 13])
    model = IncrementalEASE().fit(train)
    stream = Stream(frame()[2:], train.user_ids, train.item_ids, size=2)
    found = prequential(model, stream, k=2)
    assert found.periods["n_new"].tolist() == [1, 0] and found.per_list["user"].tolist() == [0, 0, 1]
    assert model.history_.n_users == 3


def test_repeats_count_only_when_they_are_asked_for():
    train = Interactions.from_frame(frame()[:1], item_ids=[10, 11])
    events = pd.DataFrame({"user_id": ["a", "a"], "item_id": [10, 11], "timestamp": [1.0, 2.0]})

    def judged(**settings):
        stream = Stream(events, train.user_ids, train.item_ids, size=1)
        return prequential(FadingPopularity().fit(train), stream, k=1, **settings).per_list["ndcg"].tolist()

    assert judged() == [1.0]  # only 11 is new, and nothing else is left to list
    assert judged(repeats=True) == [1.0, 0.0]


def test_a_slice_is_ranked_and_looked_for_alone(tiny):
    asked = []

    def rare(had):
        asked.append(had.matrix.to_csr().nnz)
        return had.item_counts < 6

    model, stream = a_case(tiny, size=100)
    found = prequential(model, stream, only=rare)
    assert asked[0] == 300 and asked == sorted(asked)  # what was known before each block
    other, stream = a_case(tiny, size=100)
    users, lists = [], []
    for block in stream:
        scores = other.score(np.unique(block.users[block.users < other.history_.n_users]))
        lists.append(scores.shape)
        in_slice = other.history_.item_counts < 6
        users += [
            user
            for user in np.unique(block.users)
            if user < other.history_.n_users
            and len(other.history_.rows[user][0])
            and np.setdiff1d(block.items[(block.users == user)], other.history_.rows[user][0]).size
            and in_slice[np.setdiff1d(block.items[(block.users == user)], other.history_.rows[user][0])].any()
        ]
        other.learn(block.users, block.items)
    assert found.per_list["user"].tolist() == users


def test_a_reranker_gets_the_best_hundred_and_makes_the_lists(tiny):
    model, stream = a_case(tiny)
    seen = []

    def backwards(found):
        seen.append((found.items.shape[1], found.scale))
        return TopK(found.items[:, :10][:, ::-1], found.scores[:, :10])

    turned = prequential(model, stream, rerank=backwards)
    plain = prequential(*a_case(tiny))
    assert set(seen) == {(100, model.scale_)}
    assert (turned.per_list["recall"] == plain.per_list["recall"]).all()
    assert (turned.per_list["ndcg"] != plain.per_list["ndcg"]).any()


def test_low_ratings_are_learned_but_no_answers(tiny):
    model, stream = a_case(tiny)
    found = prequential(model, stream, min_rating=4)
    assert 0 < len(found.per_list) < len(prequential(*a_case(tiny)).per_list)
    assert model.history_.matrix.to_csr().nnz == len(tiny.interactions)


def test_a_model_that_does_not_learn_is_judged_as_it_is(tiny):
    frozen = prequential(*a_case(tiny, models.EASE(l2=20.0)))
    same = prequential(*a_case(tiny, LiveProfile(models.EASE(l2=20.0), live=False)))
    assert frozen.per_list["ndcg"].tolist() == same.per_list["ndcg"].tolist()


def test_who_is_unknown_to_the_model_gets_no_list_and_counts_as_a_miss():
    train = Interactions.from_frame(frame()[:2], item_ids=[10, 11, 12, 13])
    events = pd.DataFrame({"user_id": ["z"] * 3, "item_id": [10, 11, 12], "timestamp": [1.0, 2.0, 3.0]})
    stream = Stream(events, train.user_ids, train.item_ids, size=1)
    found = prequential(models.EASE().fit(train), stream, item_vectors={"one": np.eye(4)})
    assert found.per_list["ndcg"].tolist() == [0, 0] and found.per_list["ild_one"].isna().all()
    assert found.periods["n_new"].tolist() == [1, 0, 0]


def test_listeners_hear_each_block_before_it_is_learned(tiny):
    model, stream = a_case(tiny)
    heard = []
    found = prequential(
        model, stream, on_block=lambda block, judged: heard.append((len(judged), model.history_.n_users))
    )
    assert sum(n for n, _ in heard) == len(found.per_list) and heard[0][1] == 60


def test_an_empty_stream_is_an_error(tiny):
    model, _ = a_case(tiny)
    with pytest.raises(ValueError, match="empty"):
        prequential(model, Stream([], model.train_.user_ids, model.train_.item_ids, size=1))


def test_a_stream_with_other_ids_than_the_models_is_refused(tiny):
    model, stream = a_case(tiny)
    users, items = model.train_.user_ids, model.train_.item_ids
    for ids, what in (((), "user_ids"), ((users[::-1], items), "user_ids"), ((users, items[:-1]), "item_ids")):
        with pytest.raises(ValueError, match=f"the stream's {what} do not begin with the model's"):
            prequential(model, Stream(frame(), *ids, size=2))


def test_one_stream_serves_two_models_and_a_model_two_streams(tiny):
    events = tiny.interactions.sort_values(["timestamp", "user_id"], kind="stable", ignore_index=True)
    train = Interactions.from_frame(events[:20])  # most come later
    stream = Stream(events[20:300], train.user_ids, train.item_ids, size=50)
    one, two = (IncrementalEASE(l2=20.0).fit(train) for _ in range(2))
    pd.testing.assert_frame_equal(prequential(one, stream).per_list, prequential(two, stream).per_list)
    assert "new-" in str(one.train_.user_ids[train.n_users])
    prequential(one, Stream(events[300:], stream.user_ids, stream.item_ids, size=50))
