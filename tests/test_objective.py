"""Notebook 05's propositions and closed forms: against finite differences, autograd and brute force.

Central differences and autograd in double precision agree with a right formula to about 1e-8; the bar is 1e-6.
"""

from itertools import islice

import numpy as np
import pytest
import torch
from scipy import sparse

from recsys_lib import models
from recsys_lib.interactions import Interactions
from recsys_lib.models import objective
from recsys_lib.models.objective import ArticleObjective, mean_cosine, sphere

N_USERS, N_ITEMS, SIZE, TAU = 7, 5, 4, 0.3
RNG = np.random.default_rng(3)
RATINGS = RNG.integers(1, 6, (N_USERS, N_ITEMS)) * (RNG.random((N_USERS, N_ITEMS)) < 0.7).astype(float)
RATINGS[0] = [5, 0, 0, 0, 0]
ARTICLE = ArticleObjective(sparse.csr_matrix(RATINGS), user_weight=0.4, related_weight=0.7)
BLOCKS = tuple(RNG.standard_normal((n, SIZE)) for n in (N_USERS, N_ITEMS, N_ITEMS))  # X, E, Y
ON_SPHERE = tuple(block / np.linalg.norm(block, axis=1, keepdims=True) for block in BLOCKS)


def differences(value, array, step=1e-5):
    """Central finite differences of `value` at `array`."""
    gradient = np.empty_like(array)
    for place in np.ndindex(array.shape):
        moved = [array.copy(), array.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        gradient[place] = (value(moved[0]) - value(moved[1])) / (2 * step)
    return gradient


def autograd(value, *arrays):
    tensors = [torch.tensor(array, dtype=torch.float64, requires_grad=True) for array in arrays]
    value(*tensors).backward()
    return [tensor.grad.numpy() for tensor in tensors]


def test_value_is_the_triple_sum():
    users, items, related = BLOCKS
    total = 0.0
    for u in range(N_USERS):
        for i in range(N_ITEMS):
            total += RATINGS[u, i] * (items[i] @ users[u] + 0.4 * users[u] @ users[u]) + 0.7 * related[i] @ users[u]
    assert ARTICLE.value(*BLOCKS) == pytest.approx(total)


def test_gradients_agree_with_differences_and_autograd():
    y = torch.tensor(RATINGS)

    def in_torch(x, e, r):
        return (y * (x @ e.T)).sum() + 0.4 * (y.sum(1) * (x**2).sum(1)).sum() + 0.7 * (x @ r.T).sum()

    for place, (ours, theirs) in enumerate(zip(ARTICLE.gradients(*BLOCKS), autograd(in_torch, *BLOCKS), strict=True)):
        numeric = differences(
            lambda block, place=place: ARTICLE.value(*BLOCKS[:place], block, *BLOCKS[place + 1 :]), BLOCKS[place]
        )
        assert ours == pytest.approx(theirs, abs=1e-6)
        assert ours == pytest.approx(numeric, abs=1e-6)


@pytest.mark.parametrize("t", [2.0, 10.0, 1e3])
def test_proposition_1_homogeneous_of_degree_two(t):
    assert ARTICLE.value(*(t * block for block in BLOCKS)) == pytest.approx(t**2 * ARTICLE.value(*BLOCKS))


def test_proposition_1_unbounded_in_the_users_alone():
    _, items, related = BLOCKS
    mass = RATINGS.sum()
    ray = [ARTICLE.value(t * ON_SPHERE[0], items, related) / t**2 for t in (1e3, 1e6)]
    assert ray[1] == pytest.approx(0.4 * mass, rel=1e-4)
    assert abs(ray[1] - 0.4 * mass) < abs(ray[0] - 0.4 * mass)


def test_proposition_2_lambda_is_a_constant_on_the_sphere():
    without = ArticleObjective(ARTICLE.ratings, user_weight=0.0, related_weight=0.7)
    for rng in range(3):
        blocks = (sphere((N_USERS, SIZE), rng), *ON_SPHERE[1:])
        assert ARTICLE.value(*blocks) - without.value(*blocks) == pytest.approx(0.4 * RATINGS.sum())
    radial = ARTICLE.gradients(*ON_SPHERE)[0] - without.gradients(*ON_SPHERE)[0]
    along = np.sum(radial * ON_SPHERE[0], axis=1, keepdims=True) * ON_SPHERE[0]
    assert radial == pytest.approx(along)  # nothing is left along the sphere


def test_proposition_3_the_bound_holds_and_is_reached_at_collapse():
    one = sphere((1, SIZE), 9)
    collapsed = tuple(np.repeat(one, n, axis=0) for n in (N_USERS, N_ITEMS, N_ITEMS))
    assert ARTICLE.value(*collapsed) == pytest.approx(ARTICLE.bound())
    for rng in range(20):
        anywhere = [sphere((n, SIZE), rng) for n in (N_USERS, N_ITEMS, N_ITEMS)]
        assert ARTICLE.value(*anywhere) < ARTICLE.bound()


def test_proposition_3_ascent_climbs_to_the_bound_and_all_items_meet():
    before = ARTICLE.value(*ON_SPHERE)
    for blocks in islice(ARTICLE.ascend(*ON_SPHERE), 60):
        now = ARTICLE.value(*blocks)
        assert now >= before - 1e-9
        before = now
    assert before == pytest.approx(ARTICLE.bound(), rel=1e-6)
    assert mean_cosine(blocks[1]) == pytest.approx(1, abs=1e-5)
    scores = blocks[0] @ blocks[1].T
    assert scores == pytest.approx(np.ones_like(scores), abs=1e-5)  # everyone is told the same: all items tie


def test_each_block_of_the_ascent_is_the_best_on_the_sphere():
    for place, name in enumerate(("users", "items", "related")):
        blocks = next(ARTICLE.ascend(*ON_SPHERE, free=(name,)))
        best = ARTICLE.value(*blocks)
        for rng in range(30):
            other = list(blocks)
            other[place] = sphere(blocks[place].shape, rng)
            assert ARTICLE.value(*other) <= best
        assert all(np.array_equal(blocks[j], ON_SPHERE[j]) for j in range(3) if j != place)
        uphill = ARTICLE.gradients(*blocks)[place]  # it leaves no way up along the sphere
        assert uphill == pytest.approx(np.sum(uphill * blocks[place], axis=1, keepdims=True) * blocks[place])


def test_proposition_3_with_related_fixed_users_and_items_meet_in_their_sum():
    target = ON_SPHERE[2].sum(axis=0)
    length = np.linalg.norm(target)
    *_, (users, items, related) = islice(ARTICLE.ascend(*ON_SPHERE, free=("items", "users")), 4000)
    assert np.array_equal(related, ON_SPHERE[2])
    assert users @ (target / length) == pytest.approx(np.ones(N_USERS), abs=1e-3)
    assert items @ (target / length) == pytest.approx(np.ones(N_ITEMS), abs=1e-3)
    reached = (1 + 0.4) * RATINGS.sum() + 0.7 * N_USERS * length
    assert ARTICLE.value(users, items, related) == pytest.approx(reached, rel=1e-3)


def test_proposition_3_with_users_fixed_items_stay_apart():
    *_, (users, items, _) = islice(ARTICLE.ascend(*ON_SPHERE, free=("items", "related")), 50)
    assert np.array_equal(users, ON_SPHERE[0])
    assert mean_cosine(items) < 0.9


def test_proposition_3_without_beta_each_component_collapses_by_itself():
    blocks = np.zeros((6, 4))
    blocks[:3, :2] = blocks[3:, 2:] = 1
    apart = ArticleObjective(sparse.csr_matrix(blocks), related_weight=0.0)
    start = (sphere((6, SIZE), 0), sphere((4, SIZE), 1), sphere((4, SIZE), 2))
    *_, (_, items, _) = islice(apart.ascend(*start, free=("items", "users")), 200)
    assert items[0] @ items[1] == pytest.approx(1) and items[2] @ items[3] == pytest.approx(1)
    assert items[0] @ items[2] < 0.99


def test_an_item_without_ratings_stays_where_it_was():
    ratings = RATINGS.copy()
    ratings[:, 2] = 0
    _, items, _ = next(ArticleObjective(sparse.csr_matrix(ratings)).ascend(*ON_SPHERE))
    assert items[2] == pytest.approx(ON_SPHERE[1][2])


def test_proposition_4_the_third_term_sees_two_sums_only():
    users, items, related = BLOCKS
    pull = (
        ARTICLE.gradients(users, items, related)[0]
        - ArticleObjective(ARTICLE.ratings, user_weight=0.4, related_weight=0.0).gradients(users, items, related)[0]
    )
    assert pull == pytest.approx(np.tile(0.7 * related.sum(axis=0), (N_USERS, 1)))
    mixed = related[np.random.default_rng(0).permutation(N_ITEMS)]
    assert ARTICLE.value(users, items, mixed) == pytest.approx(ARTICLE.value(users, items, related))


def test_free_with_a_wrong_name():
    with pytest.raises(ValueError, match="'item'.*users, items and related"):
        next(ARTICLE.ascend(*ON_SPHERE, free=("item",)))


def test_mean_cosine_is_the_mean_over_pairs():
    vectors = sphere((9, 3), 4)
    cosines = vectors @ vectors.T
    assert mean_cosine(vectors) == pytest.approx(cosines[np.triu_indices(9, 1)].mean())


# --- the ladder --------------------------------------------------------------------------------------------------


def test_ridge_users_is_the_maximum():
    _, items, related = BLOCKS
    penalty = np.linspace(0.5, 3, N_USERS)
    users = objective.ridge_users(ARTICLE.ratings, items, related, 0.7, penalty)

    def value(x):
        own = ArticleObjective(ARTICLE.ratings, user_weight=0.0, related_weight=0.7)
        return own.value(x, items, related) - 0.5 * np.sum(penalty[:, None] * x**2)

    assert differences(value, users) == pytest.approx(np.zeros_like(users), abs=1e-6)
    assert value(users) > max(value(users + 0.1 * sphere(users.shape, rng)) for rng in range(10))


def test_ridge_users_without_beta_is_the_content_profile():
    items = BLOCKS[1]
    train = Interactions(
        sparse.csr_matrix(RATINGS > 0, dtype=np.float32), range(N_USERS), range(N_ITEMS), ratings=ARTICLE.ratings
    )
    unit = items / np.linalg.norm(items, axis=1, keepdims=True)
    mean = objective.ridge_users(ARTICLE.ratings, unit, unit, 0.0, RATINGS.sum(axis=1))
    profile = models.ContentProfile().fit(train, items).user_vectors_
    assert mean / np.linalg.norm(mean, axis=1, keepdims=True) == pytest.approx(profile, abs=1e-6)


def test_ridge_users_needs_a_penalty():
    with pytest.raises(ValueError, match="positive for every user"):
        objective.ridge_users(ARTICLE.ratings, BLOCKS[1], BLOCKS[2], 0.7, 0.0)


def test_softmax_gradients_agree_with_differences_and_autograd():
    users, items, _ = BLOCKS
    loss, of_users, of_items = objective.softmax_loss(users, items, RATINGS, TAU)

    def in_torch(x, e):
        cosines = torch.nn.functional.normalize(x, dim=1) @ torch.nn.functional.normalize(e, dim=1).T
        return -(torch.tensor(RATINGS) * torch.log_softmax(cosines / TAU, dim=1)).sum()

    assert loss == pytest.approx(in_torch(*map(torch.tensor, (users, items))).item())
    for ours, theirs in zip((of_users, of_items), autograd(in_torch, users, items), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-6)
    assert of_users == pytest.approx(
        differences(lambda x: objective.softmax_loss(x, items, RATINGS, TAU)[0], users), abs=1e-6
    )
    assert of_items == pytest.approx(
        differences(lambda e: objective.softmax_loss(users, e, RATINGS, TAU)[0], items), abs=1e-6
    )


def test_collapse_costs_log_n_and_is_stationary_for_the_softmax():
    users, items = (np.repeat(sphere((1, SIZE), 9), n, axis=0) for n in (N_USERS, N_ITEMS))
    loss, of_users, of_items = objective.softmax_loss(users, items, RATINGS, TAU)
    assert loss == pytest.approx(RATINGS.sum() * np.log(N_ITEMS))
    assert np.abs(of_users).max() < 1e-9 and np.abs(of_items).max() < 1e-9


def test_the_range_of_the_softmax_on_the_sphere():
    worst, best = (np.log1p((N_ITEMS - 1) * np.exp(sign * 2 / TAU)) for sign in (1, -1))
    one = np.eye(1, SIZE)
    others = np.repeat(-one, N_ITEMS - 1, axis=0)
    hit = np.eye(1, N_ITEMS)
    assert objective.softmax_loss(one, np.vstack([one, others]), hit, TAU)[0] == pytest.approx(best)
    assert objective.softmax_loss(one, np.vstack([-one, -others]), hit, TAU)[0] == pytest.approx(worst)


def test_mixture_gradient_agrees_with_differences_and_autograd():
    terms = np.random.default_rng(1).uniform(-1, 1, (3, N_USERS, N_ITEMS))
    logits = np.array([0.3, -0.2, 0.1])

    def in_torch(omega):
        scores = torch.tensordot(torch.softmax(omega, 0), torch.tensor(terms), dims=1) / TAU
        return -(torch.tensor(RATINGS) * torch.log_softmax(scores, dim=1)).sum()

    ours = objective.mixture_loss(terms, RATINGS, logits, TAU)[1]
    assert ours == pytest.approx(autograd(in_torch, logits)[0], abs=1e-6)
    numeric = differences(lambda omega: objective.mixture_loss(terms, RATINGS, omega, TAU)[0], logits)
    assert ours == pytest.approx(numeric, abs=1e-6)


def test_without_the_partition_all_weight_goes_to_one_term():
    terms = np.random.default_rng(1).uniform(-1, 1, (3, N_USERS, N_ITEMS))
    slope = np.tensordot(terms, RATINGS, axes=([1, 2], [0, 1]))  # what the article maximises, linear in w

    def climb(steps):
        logits = np.zeros(3)
        for _ in range(steps):
            shares = np.exp(objective.log_softmax(logits[None])[0])
            logits = logits + shares * (slope - shares @ slope)
        return np.exp(objective.log_softmax(logits[None])[0])

    assert climb(2000)[np.argmax(slope)] > 0.999


def test_log_det_gradient_agrees_with_differences_and_autograd():
    vectors = BLOCKS[1]
    ours = objective.log_det(vectors, 0.1)[1]
    assert ours == pytest.approx(differences(lambda v: objective.log_det(v, 0.1)[0], vectors), abs=1e-6)
    eye = 0.1 * torch.eye(N_ITEMS, dtype=torch.float64)
    assert ours == pytest.approx(autograd(lambda v: torch.logdet(v @ v.T + eye), vectors)[0], abs=1e-6)
