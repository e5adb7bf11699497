"""Steering: what a request does to lists, on a constructed catalogue."""

import numpy as np
import pandas as pd
import pytest

from recsys_lib.intent import Intent, steering
from recsys_lib.metrics.intra_list import ild
from recsys_lib.topk import TopK

NAMES = ["Comedy", "Horror", "War", "1950s", "1980s", "cheerful"]
ITEMS = pd.DataFrame(
    {
        "genres": [
            ("Comedy",),
            ("Comedy", "War"),
            ("Horror",),
            ("War",),
            ("Comedy",),
            ("Horror", "Comedy"),
            (),
            ("Drama",),
        ],
        "year": [1955, 1984, 1981, 1950, 1989, 1958, np.nan, 1999],
    }
)
FACETS = steering.item_facets(ITEMS, NAMES)
N = len(ITEMS)


def asked(*avoid, **wanted):
    """An Intent: 1980s is written y1980s; what is refused has probability 0."""
    facets = {name: wanted.get(name, wanted.get(f"y{name}", 0.0)) for name in NAMES}
    return Intent({name: 0.0 if name in avoid else value for name, value in facets.items()}, avoid=avoid)


def ranked(n_lists=1, scale=0.7):
    """All items, the comedies last: scores fall by 0.1."""
    order = [7, 6, 3, 2, 5, 1, 0, 4]
    scores = np.float32([4 - 0.1 * place for place in range(N)])
    return TopK(np.tile(order, (n_lists, 1)), np.tile(scores, (n_lists, 1)), scale)


def test_item_facets():
    assert FACETS.dtype == np.float32 and FACETS.shape == (N, len(NAMES))
    expected = {0: "Comedy 1950s", 1: "Comedy War 1980s", 2: "Horror 1980s", 3: "War 1950s", 4: "Comedy 1980s"}
    expected |= {5: "Comedy Horror 1950s", 6: "", 7: ""}
    for row, names in expected.items():
        assert [name for name, has in zip(NAMES, FACETS[row], strict=True) if has] == [
            n for n in NAMES if n in names.split()
        ]
    assert not FACETS[:, NAMES.index("cheerful")].any()


def test_fit_by_hand():
    one = steering.fit(asked(Comedy=0.9), FACETS, NAMES)
    assert one.tolist() == [1, 1, 0, 0, 1, 1, 0, 0]
    # two genres, weighted by their probabilities: 0.9 of 1.5 and 0.6 of 1.5
    two = steering.fit(asked(Comedy=0.9, War=0.6), FACETS, NAMES)
    assert two == pytest.approx([0.6, 1, 0, 0.4, 0.6, 0.6, 0, 0])
    # of two decades one is enough
    eras = steering.fit(asked(y1950s=1.0, y1980s=1.0), FACETS, NAMES)
    assert eras.tolist() == [1, 1, 1, 1, 1, 1, 0, 0]
    both = steering.fit(asked(Comedy=1.0, War=1.0, y1980s=0.9), FACETS, NAMES)
    assert both.tolist() == [0, 1, 0, 0, 0.5, 0, 0, 0]
    # a mood or a decade that no film has takes nothing away
    assert steering.fit(asked(Comedy=0.9, cheerful=0.9), FACETS, NAMES).tolist() == one.tolist()
    empty = Intent({"Comedy": 0.9, "1970s": 1.0})
    assert steering.fit(empty, np.c_[FACETS, np.zeros(N)], [*NAMES, "1970s"]).tolist() == one.tolist()
    refused = steering.fit(asked("Horror", "1980s", Comedy=1.0), FACETS, NAMES)
    assert refused.tolist() == [1, -np.inf, -np.inf, 0, -np.inf, -np.inf, 0, 0]


@pytest.mark.parametrize("intent", [asked(), asked(Comedy=0.49), asked(cheerful=1.0)])
def test_fit_is_zero_where_the_catalogue_has_no_label_for_what_is_asked(intent):
    assert steering.fit(intent, FACETS, NAMES).tolist() == [0] * N


@pytest.mark.parametrize("intent", [asked(), asked(Comedy=0.49), asked(cheerful=1.0)])
def test_a_request_that_names_no_label_leaves_the_list(intent):
    before = ranked()
    after = steering.steer(before, [intent], FACETS, NAMES, k=5)
    assert np.array_equal(after.items, before.items[:, :5]) and np.array_equal(after.scores, before.scores[:, :5])
    assert after.scale == before.scale


def test_what_was_asked_comes_first_in_order_of_fit_then_of_score():
    found = steering.steer(ranked(), [asked(Comedy=0.9, War=0.6)], FACETS, NAMES, k=N)
    assert found.items[0].tolist() == [1, 5, 0, 4, 3, 7, 6, 2]  # fits 1 | .6 .6 .6 | .4 | 0 0 0
    assert np.all(np.diff(found.scores[0]) <= 0)
    # the bonus is MOST relevance units times the fit, from the score 3.5 of item 1
    assert found.scores[0, 0] == pytest.approx(3.5 + steering.MOST * 0.7)


def test_what_is_refused_is_never_listed_and_short_lists_are_padded():
    found = steering.steer(ranked(), [asked("Horror", "1980s")], FACETS, NAMES, k=6)
    assert found.items[0].tolist() == [7, 6, 3, 0, -1, -1]
    assert np.isneginf(found.scores[0, 4:]).all() and np.isfinite(found.scores[0, :4]).all()
    vectors = np.eye(N)
    for surprise in (0.3, 1.0):
        found = steering.steer(ranked(), [asked("Horror", "1980s", Comedy=0.9)], FACETS, NAMES, vectors, 6, surprise)
        assert sorted(found.items[0].tolist()) == [-1, -1, 0, 3, 6, 7]


def test_padding_of_the_candidates_stays_padding():
    items, scores = ranked().items.copy(), ranked().scores.copy()
    items[0, 3:], scores[0, 3:] = -1, -np.inf
    found = steering.steer(TopK(items, scores), [asked(Comedy=1.0)], FACETS, NAMES, k=5)
    assert found.items[0].tolist() == [7, 6, 3, -1, -1]
    found = steering.steer(TopK(items, scores), [asked("War", Comedy=1.0)], FACETS, NAMES, k=5)
    assert found.items[0].tolist() == [7, 6, -1, -1, -1]


def test_each_list_follows_its_own_request():
    intents = [asked(Comedy=1.0), asked(), asked(Horror=1.0, y1980s=1.0), asked("War")]
    found = steering.steer(ranked(4), intents, FACETS, NAMES, k=3)
    assert found.items.tolist() == [[5, 1, 0], [7, 6, 3], [2, 7, 6], [7, 6, 2]]
    for row, intent in enumerate(intents):
        alone = steering.steer(ranked(), [intent], FACETS, NAMES, k=3)
        assert np.array_equal(alone.items[0], found.items[row])


def catalogue(n=400, n_lists=8, seed=0):
    """Random films of one genre each, vectors that lie near their genre's, lists of `n_lists` users."""
    rng = np.random.default_rng(seed)
    genre = rng.integers(0, 5, n)
    facets = np.eye(5, dtype=np.float32)[genre]
    vectors = np.eye(5)[genre] * 2 + rng.normal(size=(n, 5)) * 0.7
    items = np.array([rng.permutation(n) for _ in range(n_lists)])
    scores = -np.sort(-rng.normal(size=(n_lists, n)), axis=1) * 2
    return TopK(items, scores, 1.0), facets, vectors, list("ABCDE")


@pytest.mark.parametrize("seed", range(3))
def test_the_control_trades_fit_for_variety(seed):
    candidates, facets, vectors, names = catalogue(n_lists=40, seed=seed)
    intents = [Intent({name: float(name == "ABCDE"[row % 5]) for name in names}) for row in range(40)]
    fits, ilds = [], []
    for surprise in (0, 0.2, 0.4, 0.6, 1):
        found = steering.steer(candidates, intents, facets, names, vectors, 10, surprise)
        fits.append(np.mean([facets[row, place % 5].mean() for place, row in enumerate(found.items)]))
        ilds.append(ild(found.items, vectors, 10).mean())
    assert fits[0] == 1 and fits[-1] < 0.5
    assert np.all(np.diff(fits) < 0) and np.all(np.diff(ilds) > 0), (fits, ilds)
    assert ilds[-1] > ilds[0] + 0.3


@pytest.mark.parametrize("surprise", [0, 0.4, 1])
@pytest.mark.parametrize("factor", [0.01, 1000])
def test_lists_do_not_change_with_the_unit_of_the_scores(surprise, factor):
    candidates, facets, vectors, names = catalogue()
    scaled = TopK(candidates.items, candidates.scores * np.float32(factor), candidates.scale * factor)
    intents = [Intent({name: float(name in "AB") for name in names}, avoid=("E",))] * 8
    lists = [steering.steer(each, intents, facets, names, vectors, 10, surprise).items for each in (candidates, scaled)]
    assert np.array_equal(*lists)


def test_surprise_without_a_wish_is_variety_alone():
    candidates, facets, vectors, names = catalogue()
    intents = [Intent(dict.fromkeys(names, 0.0))] * 8
    calm = steering.steer(candidates, intents, facets, names, vectors, 10, 0.0)
    varied = steering.steer(candidates, intents, facets, names, vectors, 10, 1.0)
    assert np.array_equal(calm.items, candidates.items[:, :10])
    wishes = [Intent({name: float(name == "A") for name in names})] * 8
    assert np.array_equal(steering.steer(candidates, wishes, facets, names, vectors, 10, 1.0).items, varied.items)
    found = [ild(each.items, vectors, 10).mean() for each in (calm, varied)]
    assert found[1] > found[0]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"intents": [asked()] * 2}, "there are 1 lists, but 2 intents"),
        ({"surprise": -0.1}, "surprise must lie between 0 and 1, not -0.1"),
        ({"surprise": 1.5}, "surprise must lie between 0 and 1, not 1.5"),
        ({"surprise": float("nan")}, "surprise must lie between 0 and 1, not nan"),
        ({"surprise": 0.5}, "surprise above 0 needs item_vectors"),
    ],
)
def test_errors_of_steer(arguments, message):
    with pytest.raises(ValueError, match=message):
        steering.steer(ranked(), **{"intents": [asked()], "facets": FACETS, "names": NAMES} | arguments)


USERS = np.array([[2.0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]])


def test_mixed_by_hand():
    intents = [asked(Comedy=0.6, y1980s=0.9), asked(Comedy=0.6, y1980s=0.9)]
    found = steering.mixed(USERS, intents, NAMES, 0.5)
    assert found[0] == pytest.approx([0.5 * 0.5 + 0.5 * 0.4, 0.125, 0.125, 0, 0.5 * 0.6, 0])
    assert found[1] == pytest.approx([0.2, 0, 0, 0, 0.3, 0])  # a user without a taste: the request's share alone
    assert steering.mixed(USERS, intents, NAMES, 0)[0] == pytest.approx(USERS[0] / 4)
    assert steering.mixed(USERS, intents, NAMES, 1)[0] == pytest.approx([0.4, 0, 0, 0, 0.6, 0])


def test_mixed_sums_to_one_leaves_who_asks_nothing_and_refuses():
    users = np.random.default_rng(0).gamma(1, size=(4, len(NAMES)))
    intents = [asked(War=0.8), asked(), asked(War=0.3), asked("Comedy", War=0.7)]
    found = steering.mixed(users, intents, NAMES, 0.7)
    assert found[:3].sum(axis=1) == pytest.approx([1, 1, 1])
    shares = users / users.sum(axis=1, keepdims=True)
    assert found[1] == pytest.approx(shares[1]) and found[2] == pytest.approx(shares[2])
    assert found[3, 0] == 0 and found[3, 1:] == pytest.approx((0.3 * shares[3] + 0.7 * np.eye(6)[2])[1:])


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_errors_of_mixed(weight):
    with pytest.raises(ValueError, match="weight must lie between 0 and 1"):
        steering.mixed(USERS, [asked()] * 2, NAMES, weight)
