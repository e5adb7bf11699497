"""FeatureIALS, LambdaBetaRecommender and the losses of whole lists: against brute force, and on a planted toy."""

from itertools import combinations

import numpy as np
import pytest
import torch
from content_case import COLD, all_scores, dense, without

from recsys_lib import metrics, models
from recsys_lib.models import list_losses
from recsys_lib.models.lambda_beta import related_items


@pytest.fixture(scope="module")
def train(tiny_train):
    return without(tiny_train, COLD)


@pytest.fixture(scope="module")
def vectors(tiny_train):
    return np.random.default_rng(5).normal(size=(tiny_train.n_items, 6)).astype(np.float32)


# --- FeatureIALS -------------------------------------------------------------------------------------------------

SETTINGS = {"n_factors": 3, "regularisation": 2.0, "frequency": 0.5, "alpha": 4.0, "map_l2": 0.7}


def ials_loss(model, train, vectors):
    """The objective of the docstring, cell by cell."""
    seen = dense(train) > 0
    counts = [seen.sum(axis=1), seen.sum(axis=0)]
    profiles = seen @ vectors / np.maximum(counts[0], 1)[:, None]
    fit = ((1 + 4.0 * seen) * (seen - model.user_factors_ @ model.item_factors_.T) ** 2).sum()
    sides = (
        (model.user_factors_, profiles @ model.user_map_, counts[0]),
        (model.item_factors_, vectors @ model.item_map_, counts[1]),
    )
    pull = sum((2.0 * (n + 1) ** 0.5 * ((f - prior) ** 2).sum(axis=1)).sum() for f, prior, n in sides)
    return fit + pull + 0.7 * ((model.user_map_**2).sum() + (model.item_map_**2).sum())


def test_ials_goes_down_and_its_last_blocks_are_minima(train, vectors):
    few, many = (models.FeatureIALS(**SETTINGS, n_iterations=n).fit(train, vectors) for n in (2, 40))
    lowest = ials_loss(many, train, vectors)
    assert lowest < ials_loss(few, train, vectors)
    rng = np.random.default_rng(0)
    for name in ("item_factors_", "item_map_"):  # solved last, one after the other
        kept = getattr(many, name)
        moved = kept + 0.01 * rng.standard_normal(kept.shape)
        setattr(many, name, moved)
        assert ials_loss(many, train, vectors) > lowest - (1e-6 if name == "item_map_" else 1e-2)
        setattr(many, name, kept)


def test_ials_converges_to_a_stationary_point(train, vectors):
    model = models.FeatureIALS(**SETTINGS, n_iterations=400).fit(train, vectors)
    start = ials_loss(model, train, vectors)
    rng = np.random.default_rng(1)
    for name in ("user_factors_", "item_factors_", "user_map_", "item_map_"):
        kept = getattr(model, name)
        for _ in range(5):
            setattr(model, name, kept + 1e-3 * rng.standard_normal(kept.shape))
            assert ials_loss(model, train, vectors) > start
        setattr(model, name, kept)


def test_ials_scores_a_cold_item_through_its_content(train, vectors):
    model = models.FeatureIALS(**SETTINGS, n_iterations=400).fit(train, vectors)
    prior = vectors[COLD] @ model.item_map_
    gram = model.user_factors_.T @ model.user_factors_ + 2.0 * np.eye(3)
    again = np.linalg.solve(gram, 2.0 * prior.T).T
    assert model.item_factors_[COLD] == pytest.approx(again, abs=1e-6)
    without_text = models.FeatureIALS(**SETTINGS).fit(train)
    assert np.abs(without_text.item_factors_[COLD]).max() < 1e-9


def test_ials_does_not_depend_on_the_run(train, vectors):
    one, two = (models.FeatureIALS(rng=3).fit(train, vectors) for _ in range(2))
    assert np.array_equal(all_scores(one), all_scores(two))


# --- losses of lists ---------------------------------------------------------------------------------------------


def test_dispersion_is_the_expected_cosine_of_two_draws():
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(6), size=3)
    vectors = rng.normal(size=(6, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors @ vectors.T
    expected = [sum(p[i] * p[j] * cosines[i, j] for i in range(6) for j in range(6)) for p in shares]
    assert list_losses.dispersion(torch.tensor(shares), torch.tensor(vectors)).numpy() == pytest.approx(expected)


def test_elementary_symmetric_sums_over_subsets():
    values = np.random.default_rng(1).uniform(0, 2, (2, 5))
    for order in range(6):
        expected = [sum(np.prod(subset) for subset in combinations(row, order)) for row in values]
        assert list_losses.elementary_symmetric(torch.tensor(values), order).numpy() == pytest.approx(expected)


def test_kdpp_loss_is_a_likelihood_over_all_sets():
    rng = np.random.default_rng(2)
    relevance = rng.normal(size=5)
    vectors = rng.normal(size=(5, 3))
    kernel = vectors @ vectors.T + 0.1 * np.eye(5)
    total = 0.0
    for subset in combinations(range(5), 2):
        order = [*subset, *(i for i in range(5) if i not in subset)]
        permuted = torch.tensor(kernel[np.ix_(order, order)])[None]
        total += torch.exp(-list_losses.kdpp_loss(torch.tensor(relevance[order])[None], permuted, 2)).item()
        quality = np.exp(relevance / 2)
        ensemble = quality[:, None] * kernel * quality
        det = np.linalg.det(ensemble[np.ix_(subset, subset)])
        all_dets = sum(np.linalg.det(ensemble[np.ix_(s, s)]) for s in combinations(range(5), 2))
        ours = list_losses.kdpp_loss(torch.tensor(relevance[order])[None], permuted, 2).item()
        assert ours == pytest.approx(-np.log(det / all_dets))
    assert total == pytest.approx(1)


def test_soft_alpha_dcg_hardens_into_alpha_dcg():
    rng = np.random.default_rng(4)
    m, n_facets = 6, 3
    scores, relevant = rng.permutation(m).astype(float), (rng.random(m) < 0.6).astype(float)
    facets = (rng.random((m, n_facets)) < 0.5).astype(float)
    order = np.argsort(-scores)
    seen, total = np.zeros(n_facets), 0.0
    for rank, i in enumerate(order, start=1):
        if relevant[i]:
            total += (facets[i] * 0.5**seen).sum() / np.log2(rank + 1)
            seen += facets[i]
    expected = total / (facets[relevant > 0].max(axis=0).sum())
    arguments = [torch.tensor(array, dtype=torch.float32)[None] for array in (scores, relevant, facets)]
    assert list_losses.soft_alpha_dcg(*arguments, temperature=1e-3).item() == pytest.approx(expected, abs=1e-5)


def test_soft_alpha_dcg_prefers_a_new_facet():
    scores, relevant = torch.tensor([[3.0, 2.0, 1.0]]), torch.ones(1, 3)
    same = torch.tensor([[[1.0, 0], [1, 0], [0, 1]]])
    mixed = torch.tensor([[[1.0, 0], [0, 1], [1, 0]]])
    ours = [list_losses.soft_alpha_dcg(scores, relevant, f, temperature=0.1).item() for f in (same, mixed)]
    assert ours[1] > ours[0]


# --- LambdaBetaRecommender ---------------------------------------------------------------------------------------

SMALL = {"n_factors": 8, "epochs": 6, "batch_size": 32, "neighbours": 4}


@pytest.mark.parametrize("loss", ["softmax", "pairwise", "squared"])
def test_it_learns_and_beats_random(tiny_train, tiny_test, vectors, loss):
    settings = SMALL | {"epochs": 60, "learning_rate": 1e-2, "temperature": 1.0 if loss == "squared" else 0.1}
    model = models.LambdaBetaRecommender(loss=loss, **settings).fit(tiny_train, vectors)
    assert model.losses_[-1] < model.losses_[0]
    ours, chance = (
        np.nanmean(metrics.accuracy.ndcg(m.recommend(k=10).items, tiny_test.matrix))
        for m in (model, models.Random(rng=0).fit(tiny_train))
    )
    assert ours > 1.3 * chance


def test_score_is_the_sum_of_the_terms_and_the_bias(train, vectors):
    model = models.LambdaBetaRecommender(**SMALL).fit(train, vectors)
    users = np.arange(5)
    assert model.score(users) == pytest.approx(model.terms(users).sum(axis=0) + model.bias_, abs=1e-5)
    for table in (model.user_vectors_, *model.parts_):
        length = np.linalg.norm(table, axis=1)
        assert length[length > 0] == pytest.approx(np.ones((length > 0).sum()), abs=1e-5)
    assert model.weights_.sum() == pytest.approx(1)
    assert model.lambda_ == pytest.approx(model.weights_[1] / model.weights_[0])


def test_given_weights_stay(train, vectors):
    model = models.LambdaBetaRecommender(user_weight=2.0, related_weight=0.5, **SMALL).fit(train, vectors)
    assert model.weights_ == pytest.approx([1 / 3.5, 2 / 3.5, 0.5 / 3.5])
    assert (model.lambda_, model.beta_) == pytest.approx((2, 0.5))


def test_a_term_without_weight_has_no_say(train, vectors):
    model = models.LambdaBetaRecommender(user_weight=0.0, related_weight=0.0, **SMALL).fit(train, vectors)
    assert model.contributions()[1:] == pytest.approx([0, 0])


@pytest.mark.parametrize("diversity", ["dispersion", "dpp", "facets"])
def test_diversity_terms_change_the_model_and_no_weight_does_not(train, vectors, diversity):
    table = {"content": vectors, "genre": (vectors > 0).astype(np.float32)}
    plain, none, some = (
        all_scores(models.LambdaBetaRecommender(**SMALL, **extra).fit(train, table))
        for extra in ({}, {"diversity": diversity, "diversity_weight": 0.0}, {"diversity": diversity})
    )
    assert np.array_equal(plain, none)
    assert np.isfinite(some).all() and not np.allclose(plain, some)


def test_dispersion_spreads_the_lists(tiny_train, vectors):
    settings = SMALL | {"epochs": 60, "learning_rate": 1e-2}
    plain, spread = (
        models.LambdaBetaRecommender(**settings, **extra).fit(tiny_train, vectors)
        for extra in ({}, {"diversity": "dispersion", "diversity_weight": 5.0})
    )
    ild = [np.nanmean(metrics.intra_list.ild(m.recommend(k=10).items, vectors)) for m in (plain, spread)]
    assert ild[1] > ild[0]


def test_the_run_is_repeatable_and_leaves_the_random_state(train, vectors):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    one, two = (models.LambdaBetaRecommender(rng=1, **SMALL).fit(train, vectors) for _ in range(2))
    assert np.array_equal(all_scores(one), all_scores(two))
    assert torch.equal(before, torch.get_rng_state())


def test_after_epoch_sees_a_model_that_scores(train, vectors):
    seen = []
    models.LambdaBetaRecommender(**SMALL, after_epoch=lambda m: seen.append(m.score([0]).shape)).fit(train, vectors)
    assert seen == [(1, train.n_items)] * SMALL["epochs"]


def test_a_cold_item_takes_its_nearest_whatever_the_lengths(train):
    content = np.tile(np.float32([0, 1]), (train.n_items, 1))
    warm = np.setdiff1d(np.arange(train.n_items), COLD)
    content[COLD[0]], content[warm[0]], content[warm[1]], content[warm[2]] = [2, 0], [3, 0], [50, 50], 0
    relation = related_items(train, content, n=1)
    assert np.isfinite(relation).all() and relation[COLD[0], warm[0]] == 1


def test_related_items_by_hand(train):
    content = np.ones((train.n_items, 2), np.float32)
    content[COLD] = [3, 1]  # cold items are nearest to each other
    relation = related_items(train, content, n=3)
    seen = dense(train) > 0
    assert relation.sum(axis=1) == pytest.approx(np.ones(len(relation)), abs=1e-6)
    assert (np.diag(relation) == 0).all() and ((relation > 0).sum(axis=1) <= 3).all()
    warm = int(np.setdiff1d(np.arange(train.n_items), COLD)[0])
    cosine = [
        0 if j == warm or not seen[:, j].any() else (seen[:, warm] & seen[:, j]).sum() / np.sqrt(seen[:, j].sum())
        for j in range(train.n_items)
    ]
    assert np.argmax(relation[warm]) == np.argmax(cosine)
    assert not relation[:, COLD].any()  # a cold item is nobody's relation


BAD = {
    "no content": (lambda t, v: models.LambdaBetaRecommender().fit(t), "reads content"),
    "a dict without content": (lambda t, v: models.LambdaBetaRecommender().fit(t, {"text": v}), "'content'.*'text'"),
    "one weight": (lambda t, v: models.LambdaBetaRecommender(user_weight=1.0).fit(t, v), "both, or neither"),
    "negative weight": (
        lambda t, v: models.LambdaBetaRecommender(user_weight=-1.0, related_weight=1.0).fit(t, v),
        "must not be negative",
    ),
    "loss": (lambda t, v: models.LambdaBetaRecommender(loss="bpr").fit(t, v), "'bpr'.*'pairwise'"),
    "diversity": (lambda t, v: models.LambdaBetaRecommender(diversity="mmr").fit(t, v), "'mmr'.*'dispersion'"),
    "epochs": (lambda t, v: models.LambdaBetaRecommender(epochs=0).fit(t, v), "epochs.*at least 1"),
    "dropout": (lambda t, v: models.LambdaBetaRecommender(dropout=1.0).fit(t, v), "dropout.*between 0 and 1"),
    "a dict for iALS": (lambda t, v: models.FeatureIALS().fit(t, {"text": v}), "reads one array"),
    "iALS without ridge": (lambda t, v: models.FeatureIALS(map_l2=0.0).fit(t, v), "map_l2 > 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(train, vectors, name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call(train, vectors)
