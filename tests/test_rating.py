"""BERTRecommender on a tiny BERT with random weights: shapes, heads, losses by hand, freezing, LoRA, the user side."""

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.special import expit

from recsys_lib import adversarial, results
from recsys_lib.experiments import fine_tuning
from recsys_lib.models import rating
from recsys_lib.models.rating import HEADS, BERTRecommender, add_lora, load_tokenizer, pooled_history
from recsys_lib.tokens import tokenise
from recsys_lib.training import predict

TEXTS = ["lovely dress", "bad", "", "太小了 👗", "too long " * 200]
STARS = [5, 1, 3, 2, 4]


@pytest.fixture(scope="module")
def examples(tiny_bert):
    return tokenise(load_tokenizer(tiny_bert), TEXTS, STARS, max_length=32)


def model_of(tiny_bert, **options):
    return BERTRecommender(tiny_bert, **options).eval()


@pytest.mark.parametrize("head, n_outputs", [("softmax", 5), ("regression", 1), ("ordinal", 4)])
def test_a_batch_of_every_kind_of_text_through_every_head(tiny_bert, examples, head, n_outputs):
    model = model_of(tiny_bert, head=head)
    output = model(**examples.batch(range(5)))
    assert output.logits.shape == (5, n_outputs)
    assert output.loss.ndim == 0 and torch.isfinite(output.loss)
    output.loss.backward()
    assert all(p.grad is not None for p in model.parameters()), "a parameter that no gradient reaches is dead weight"
    expected, stars = model.expected_rating(output.logits.detach()), model.predicted_stars(output.logits.detach())
    assert expected.shape == stars.shape == (5,)
    assert ((1 <= expected) & (expected <= 5)).all() and set(stars) <= {1, 2, 3, 4, 5}
    if head != "regression":
        shares = model.probabilities(output.logits.detach())
        assert shares.shape == (5, 5) and (shares >= 0).all()
        assert shares.sum(axis=1) == pytest.approx(1, abs=1e-5)
        assert expected == pytest.approx(shares @ np.arange(1, 6), abs=1e-5)


def test_a_batch_of_one_gives_what_the_text_gets_in_company(tiny_bert, examples):
    model = model_of(tiny_bert)
    together = predict(model, examples)
    for row in range(5):
        alone = model(**examples.batch([row])).logits.detach().numpy()
        assert alone[0] == pytest.approx(together[row], abs=1e-5)


def test_pooling_leaves_padding_out(tiny_bert, examples):
    model = model_of(tiny_bert)
    batch = examples.batch([0])
    padded = {name: torch.nn.functional.pad(batch[name], (0, 7)) for name in ("input_ids", "attention_mask")}
    plain = model.encode(batch["input_ids"], batch["attention_mask"])
    assert torch.allclose(model.encode(**padded), plain, atol=1e-6)
    states = model.encoder(**{name: batch[name] for name in padded}).last_hidden_state
    assert torch.allclose(plain, states.mean(dim=1), atol=1e-6)


def test_dropout_is_used_in_training_only(tiny_bert, examples):
    model = model_of(tiny_bert, trainable_layers=0)
    model.encoder.eval()
    batch = examples.batch(range(5))
    assert torch.equal(model(**batch).logits, model(**batch).logits)
    model.dropout.train()
    assert not torch.equal(model(**batch).logits, model(**batch).logits)


def test_the_losses_by_hand(tiny_bert):
    labels = torch.tensor([0, 4])
    logits = torch.tensor([[2.0, 0, 0, 0, 0], [0, 0, 0, 0, 0]])
    by_hand = (-np.log(np.exp(2) / (np.exp(2) + 4)) + np.log(5)) / 2
    assert model_of(tiny_bert).loss(logits, labels).item() == pytest.approx(by_hand)
    assert model_of(tiny_bert, head="regression").loss(torch.tensor([[1.0], [3.0]]), labels).item() == 1.0
    # CORAL: four questions "more than k stars?"; the answers are no, no, no, no and yes, yes, yes, yes
    ordinal = torch.tensor([[-1.0, -2, -3, -4], [0, 0, 0, 0]])
    by_hand = (np.log1p(np.exp([-1.0, -2, -3, -4])).sum() + 4 * np.log(2)) / 2
    assert model_of(tiny_bert, head="ordinal").loss(ordinal, labels).item() == pytest.approx(by_hand)


def test_ordinal_probabilities_by_hand(tiny_bert):
    model = model_of(tiny_bert, head="ordinal")
    above = np.array([0.9, 0.7, 0.4, 0.1])
    shares = model.probabilities(np.log(above / (1 - above))[None])
    assert shares[0] == pytest.approx([0.1, 0.2, 0.3, 0.3, 0.1], abs=1e-6)
    assert model.expected_rating(np.log(above / (1 - above))[None])[0] == pytest.approx(1 + above.sum(), abs=1e-5)
    assert model.predicted_stars(np.log(above / (1 - above))[None])[0] == 3, "two thresholds passed: the median"
    crossed = model.probabilities([[1.0, 2.0, -1.0, -2.0]])  # thresholds out of order: no negative share
    assert (crossed >= 0).all() and crossed.sum() == pytest.approx(1)


def test_coral_shares_one_weight_vector(tiny_bert, examples):
    logits = model_of(tiny_bert, head="ordinal")(**examples.batch(range(5))).logits
    gaps = (logits[:, 1:] - logits[:, :-1]).detach()
    assert torch.allclose(gaps, gaps[:1].expand_as(gaps), atol=1e-5), "only the biases may differ between thresholds"


@pytest.mark.parametrize("head", HEADS)
def test_the_first_prediction_is_the_average_rating(tiny_bert, head):
    model = model_of(tiny_bert, head=head)
    labels = np.repeat([0, 2, 4], [100, 200, 700])
    with torch.no_grad():
        model.output.weight.zero_()
        model.start_at_prior(labels)
        logits = model.score(torch.zeros(1, 16))
    assert model.expected_rating(logits)[0] == pytest.approx(1 + labels.mean(), abs=0.02)


@pytest.mark.parametrize("layers, trainable", [(0, 0), (1, 1), (2, 2)])
def test_freezing_leaves_the_last_layers(tiny_bert, examples, layers, trainable):
    model = model_of(tiny_bert, trainable_layers=layers)
    model(**examples.batch(range(5))).loss.backward()
    learning = {name.split(".")[3] for name, p in model.named_parameters() if ".layer." in name and p.grad is not None}
    assert learning == {str(place) for place in range(2 - trainable, 2)}
    assert model.encoder.get_input_embeddings().weight.grad is None
    everything = model_of(tiny_bert)
    assert model.n_trainable < everything.n_trainable == sum(p.numel() for p in everything.parameters())


def test_lora_trains_little_and_starts_at_the_pretrained_model(tiny_bert, examples):
    pytest.importorskip("peft")
    plain, model = model_of(tiny_bert), add_lora(model_of(tiny_bert), rank=2).eval()
    batch = examples.batch(range(5))
    assert torch.allclose(model(**batch).logits, plain(**batch).logits, atol=1e-6)
    model(**batch).loss.backward()
    learning = [name for name, p in model.named_parameters() if p.requires_grad and "encoder" in name]
    assert learning and all("lora_" in name for name in learning)
    assert model.n_trainable < 0.3 * plain.n_trainable


def test_the_user_side_tells_people_apart(tiny_bert, examples):
    batch = {name: value[:1].repeat(2, 1) for name, value in examples.batch([0, 1]).items() if name != "labels"}
    people = torch.tensor([[1.0, 0, 0], [0, 2.0, 0]])
    logits = model_of(tiny_bert, user_size=3)(**batch, users=people).logits
    assert not torch.allclose(logits[0], logits[1]), "one text, two people, two scores"
    same = model_of(tiny_bert, user_size=3)(**batch, users=torch.zeros(2, 3)).logits
    assert torch.allclose(same[0], same[1])
    alone = model_of(tiny_bert)(**batch).logits
    assert torch.allclose(alone[0], alone[1]), "without a user side nothing is personal"


def test_users_must_be_given_where_there_is_a_user_side_and_only_there(tiny_bert, examples):
    batch = examples.batch(range(5))
    with pytest.raises(ValueError, match="has a user side: pass users"):
        model_of(tiny_bert, user_size=3)(**batch)
    with pytest.raises(ValueError, match="no user side: build it with user_size"):
        model_of(tiny_bert)(**batch, users=torch.zeros(5, 3))


def test_pooled_history_by_hand():
    vectors = np.array([[1.0, 0], [0, 1.0], [1.0, 1.0]])
    ratings = sparse.csr_matrix([[5, 1, 0], [0, 0, 0], [4, 4, 4]])
    found = pooled_history(vectors, ratings)
    assert found == pytest.approx(np.array([[0.5, -0.5], [0, 0], [0, 0]]))
    assert found.dtype == np.float32
    assert pooled_history(vectors, sparse.csr_array(ratings)) == pytest.approx(found)


def test_the_head_is_drawn_from_rng_and_torch_is_left_alone(tiny_bert):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first, again, other = (model_of(tiny_bert, rng=rng).hidden.weight for rng in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"head": "sigmoid"}, "there is no head 'sigmoid'"),
        ({"n_levels": 1}, "n_levels must be at least 2"),
        ({"trainable_layers": 3}, "must lie between 0 and 2"),
    ],
)
def test_bad_options_are_named(tiny_bert, options, message):
    with pytest.raises(ValueError, match=message):
        BERTRecommender(tiny_bert, **options)


def test_regression_has_no_probabilities(tiny_bert):
    with pytest.raises(ValueError, match="one number, not probabilities"):
        model_of(tiny_bert, head="regression").probabilities([[1.0]])


def test_other_architectures_load(tmp_path):
    from transformers import DistilBertConfig, DistilBertModel

    config = DistilBertConfig(vocab_size=50, dim=16, n_layers=3, n_heads=2, hidden_dim=32)
    DistilBertModel(config).save_pretrained(tmp_path)
    model = BERTRecommender(str(tmp_path), trainable_layers=1)
    assert len(rating.transformer_layers(model.encoder)) == 3
    ids = torch.ones(2, 5, dtype=torch.long)
    assert model(ids, torch.ones_like(ids)).logits.shape == (2, 5)


def test_the_push_has_its_length_and_spares_padding(tiny_bert, examples):
    model, batch = model_of(tiny_bert), examples.batch(range(5))
    embeddings = adversarial.word_embeddings(model, batch["input_ids"])
    rest = {name: value for name, value in batch.items() if name != "input_ids"}
    (gradient,) = torch.autograd.grad(model(inputs_embeds=embeddings, **rest).loss, embeddings)
    mask = batch["attention_mask"].bool()
    for direction in (gradient, None):
        push = adversarial.perturbation(embeddings, batch["attention_mask"], direction, 0.05)
        assert not push.requires_grad and (push[~mask] == 0).all()
        for row in range(5):
            share = push[row].norm() / embeddings[row][mask[row]].norm()
            assert share.item() == pytest.approx(0.05, rel=1e-4)
    along = torch.nn.functional.cosine_similarity(
        adversarial.perturbation(embeddings, batch["attention_mask"], gradient, 0.05).flatten(1), gradient.flatten(1)
    )
    assert along.tolist() == pytest.approx([1] * 5, abs=1e-4)


@pytest.mark.parametrize("layers", [None, 0])
def test_fgm_hurts_more_than_noise(tiny_bert, examples, layers):
    torch.manual_seed(0)
    model, batch = model_of(tiny_bert, trainable_layers=layers), examples.batch(range(5))
    with torch.no_grad():
        embeddings = adversarial.word_embeddings(model, batch["input_ids"])
        noise = adversarial.perturbation(embeddings, batch["attention_mask"], None, 0.1)
        rest = {name: value for name, value in batch.items() if name != "input_ids"}
        shaken = model(inputs_embeds=embeddings + noise, **rest).loss
    attacked = model.loss(adversarial.attacked(model, batch, 0.1), batch["labels"])
    assert attacked > model(**batch).loss and attacked > shaken
    assert all(p.grad is None for p in model.parameters()), "an attack leaves no gradients behind"


@pytest.mark.data
def test_fine_tuning_reaches_its_bars():
    """The stored table's averages over three seeds."""
    rows = results.load("fine-tuning").query("run == 'mean'").set_index("model")
    assert rows.loc["all layers, CE", "mse"] <= 0.46
    assert rows.loc["all layers, MSE", "macro_f1"] >= 0.44


def test_refitted_biases_mend_a_shift_and_only_on_the_other_half():
    rng = np.random.default_rng(0)
    logits = np.sort(rng.normal(0, 2, (4000, 1)) + np.array([[2.0, 0.7, -0.5, -2.0]]), axis=1)[:, ::-1]
    stars = 1 + (rng.random((4000, 1)) < expit(logits)).cumprod(axis=1).sum(axis=1).astype(int)
    wrong = expit(logits + np.array([0.5, 0.5, 0.5, 1.5]))
    shares = -np.diff(np.hstack([np.ones((4000, 1)), np.minimum.accumulate(wrong, axis=1), np.zeros((4000, 1))]))
    for cumulative in (True, False):
        five = fine_tuning.five_stars_refitted(stars, shares, cumulative=cumulative)
        assert shares[:, -1].mean() > (stars == 5).mean() + 0.05
        assert five.mean() == pytest.approx((stars == 5).mean(), abs=0.02)
    changed = np.where(np.arange(4000) % 2 == 0, 6 - stars, stars)  # other stars in the even half
    other = fine_tuning.five_stars_refitted(changed, shares, cumulative=True)
    same = fine_tuning.five_stars_refitted(stars, shares, cumulative=True)
    assert np.array_equal(other[::2], same[::2]) and not np.array_equal(other[1::2], same[1::2])
