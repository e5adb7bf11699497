"""The training loop: tokenising, batches, groups, best epoch, early stop, resume to the bit, logs, bad input."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from recsys_lib import datasets
from recsys_lib.models.rating import BERTRecommender, add_lora, load_tokenizer
from recsys_lib.tokens import tokenise
from recsys_lib.training import CHECKPOINT, Settings, evaluate, parameter_groups, predict, rating_figures, train

WORDS = {1: "awful", 2: "poor", 3: "okay", 4: "nice", 5: "lovely"}
QUICK = Settings(epochs=2, batch_size=4, learning_rate=1e-3, head_learning_rate=1e-2)


@pytest.fixture(scope="module")
def data(tiny_bert):
    tokenizer = load_tokenizer(tiny_bert)
    assert tokenizer.unk_token_id not in tokenizer("lovely")["input_ids"], "the tiny tokenizer can spell"
    rng = np.random.default_rng(0)
    stars = rng.integers(1, 6, 40)
    texts = [" ".join([WORDS[star]] * int(rng.integers(1, 6))) for star in stars]
    examples = tokenise(tokenizer, texts, stars, max_length=24)
    return part(examples, slice(0, 30)), part(examples, slice(30, 40))


def part(examples, rows):
    return dataclasses.replace(examples, token_ids=examples.token_ids[rows], labels=examples.labels[rows])


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("head", ["softmax", "regression", "ordinal"])
def test_the_loss_falls_and_the_texts_are_learned(tiny_bert, data, head):
    model = BERTRecommender(tiny_bert, head=head)
    settings = dataclasses.replace(QUICK, epochs=12)
    history = train(model, *data, settings)
    assert history["loss"].iloc[-1] < 0.8 * history["loss"].iloc[0]
    assert len(history.attrs["losses"]) == 12 * 8
    assert evaluate(model, data[1])["mse"] == pytest.approx(history["validation_mse"].min(), rel=1e-5)
    assert not model.training


def test_one_seed_one_result(tiny_bert, data):
    runs = []
    for seed in (0, 0, 1):
        model = BERTRecommender(tiny_bert)
        torch.manual_seed(len(runs))  # what happened before must not matter
        train(model, *data, dataclasses.replace(QUICK, seed=seed))
        runs.append(weights(model))
    assert torch.equal(runs[0], runs[1]) and not torch.equal(runs[0], runs[2])


@pytest.mark.parametrize("stop_at", [1, 5, 8, 9, 14, 16])
@pytest.mark.parametrize("kind", [None, "fgm", "noise"])
def test_an_interrupted_training_ends_with_the_same_bits(tiny_bert, data, tmp_path, stop_at, kind):
    settings = dataclasses.replace(QUICK, adversarial=kind)
    whole = BERTRecommender(tiny_bert)
    expected = train(whole, *data, settings)

    done = 0

    def interrupt(batches):
        nonlocal done
        for batch in batches:
            done += 1
            if done == stop_at:
                raise KeyboardInterrupt
            yield batch

    with pytest.raises(KeyboardInterrupt):
        train(BERTRecommender(tiny_bert), *data, settings, folder=tmp_path, checkpoint_every=3, progress=interrupt)
    resumed = BERTRecommender(tiny_bert, rng=9)  # other first weights: they must come from the checkpoint
    history = train(resumed, *data, settings, folder=tmp_path, checkpoint_every=3) if stop_at > 3 else None
    if history is None:  # interrupted before the first checkpoint: it starts anew
        assert not (tmp_path / CHECKPOINT).exists()
        return
    assert torch.equal(weights(resumed), weights(whole))
    pd.testing.assert_frame_equal(history, expected, check_exact=True)
    assert history.attrs["losses"] == expected.attrs["losses"]
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


def test_a_finished_training_is_not_done_again(tiny_bert, data, tmp_path):
    first = BERTRecommender(tiny_bert)
    train(first, *data, QUICK, folder=tmp_path)
    again = BERTRecommender(tiny_bert, rng=9)
    train(again, *data, QUICK, folder=tmp_path, progress=lambda batches: pytest.fail("it trained again"))
    assert torch.equal(weights(first), weights(again))


def test_a_checkpoint_of_something_else_is_refused(tiny_bert, data, tmp_path):
    train(BERTRecommender(tiny_bert), *data, QUICK, folder=tmp_path)
    for model, examples, settings in (
        (BERTRecommender(tiny_bert), data[0], dataclasses.replace(QUICK, seed=1)),
        (BERTRecommender(tiny_bert), part(data[0], slice(0, 29)), QUICK),
        (BERTRecommender(tiny_bert, trainable_layers=1), data[0], QUICK),
        (BERTRecommender(tiny_bert, dropout=0.5), data[0], QUICK),
    ):
        with pytest.raises(ValueError, match="belongs to other data, settings or model"):
            train(model, examples, data[1], settings, folder=tmp_path)


def test_a_checkpoint_over_other_frozen_weights_is_refused(tiny_bert, data, tmp_path):
    train(BERTRecommender(tiny_bert, trainable_layers=1), *data, QUICK, folder=tmp_path)
    train(BERTRecommender(tiny_bert, trainable_layers=1, rng=9), *data, QUICK, folder=tmp_path)
    other = BERTRecommender(tiny_bert, trainable_layers=1)
    with torch.no_grad():
        next(p for p in other.parameters() if not p.requires_grad)[0, 0] += 1
    with pytest.raises(ValueError, match="belongs to other data, settings or model"):
        train(other, *data, QUICK, folder=tmp_path)


def test_a_checkpoint_of_another_lora_is_refused(tiny_bert, data, tmp_path):
    pytest.importorskip("peft")
    train(add_lora(BERTRecommender(tiny_bert), rank=2), *data, QUICK, folder=tmp_path)
    for options in ({"alpha": 8}, {"dropout": 0.2}):
        with pytest.raises(ValueError, match="belongs to other data, settings or model"):
            train(add_lora(BERTRecommender(tiny_bert), rank=2, **options), *data, QUICK, folder=tmp_path)


def test_the_best_epoch_is_kept_and_patience_stops(tiny_bert, data):
    wild = Settings(epochs=20, batch_size=4, learning_rate=0.05, head_learning_rate=0.05, patience=2, clip=100.0)
    model = BERTRecommender(tiny_bert)
    history = train(model, *data, wild)
    best = int(history["validation_mse"].idxmin())
    assert len(history) < 20 and len(history) - 1 - best == 2
    assert evaluate(model, data[1])["mse"] == pytest.approx(history["validation_mse"][best], rel=1e-5)


def test_frozen_parts_do_not_move(tiny_bert, data):
    model = BERTRecommender(tiny_bert, trainable_layers=1)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    train(model, *data, QUICK)
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {name for name, p in model.named_parameters() if p.requires_grad}


def test_lora_trains_in_the_same_loop(tiny_bert, data):
    pytest.importorskip("peft")
    model = add_lora(BERTRecommender(tiny_bert), rank=2)
    base = {name: p.detach().clone() for name, p in model.named_parameters() if not p.requires_grad}
    history = train(model, *data, dataclasses.replace(QUICK, epochs=4, adversarial="fgm"))
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    assert all(torch.equal(p, base[name]) for name, p in model.named_parameters() if name in base)


def test_the_user_side_trains_in_the_same_loop(tiny_bert):
    people = np.repeat(np.eye(2), 20, axis=0)  # one text; one person loves it, the other does not
    examples = tokenise(load_tokenizer(tiny_bert), ["dress"] * 40, np.repeat([5, 1], 20), users=people)
    model = BERTRecommender(tiny_bert, user_size=2)
    train(model, examples, examples, dataclasses.replace(QUICK, epochs=6))
    assert evaluate(model, examples)["mse"] < 0.5, "without the user side the error cannot be below 4"


def test_groups_rate_and_decay(tiny_bert):
    model = BERTRecommender(tiny_bert)
    groups = parameter_groups(model, Settings(learning_rate=1.0, layer_decay=0.5, head_learning_rate=7.0))
    of = {id(p): group for group in groups for p in group["params"]}
    assert len(of) == len(list(model.parameters()))
    named = {name: of[id(p)] for name, p in model.named_parameters()}
    assert named["encoder.encoder.layer.1.attention.self.query.weight"]["lr"] == 1.0
    assert named["encoder.encoder.layer.0.attention.self.query.weight"]["lr"] == 0.5
    assert named["encoder.embeddings.word_embeddings.weight"]["lr"] == 0.25
    assert named["hidden.weight"]["lr"] == named["output.bias"]["lr"] == 7.0
    for name, group in named.items():
        assert (group["weight_decay"] == 0) == (name.endswith("bias") or "LayerNorm" in name), name


def test_the_thresholds_have_a_rate_of_their_own(tiny_bert):
    settings = Settings(learning_rate=1.0, layer_decay=0.5, head_learning_rate=7.0, threshold_learning_rate=9.0)
    model = BERTRecommender(tiny_bert, head="ordinal")
    groups = parameter_groups(model, settings)
    (own,) = (group for group in groups if group["lr"] == 9.0)
    assert [p is model.thresholds for p in own["params"]] == [True] and own["weight_decay"] == 0
    placed = [id(p) for group in groups for p in group["params"]]
    assert sorted(placed) == sorted(id(p) for p in model.parameters()), "each parameter in exactly one group"


def test_no_other_head_has_thresholds(tiny_bert):
    for head in ("softmax", "regression"):
        rates = [
            [
                group["lr"]
                for group in parameter_groups(
                    BERTRecommender(tiny_bert, head=head), Settings(threshold_learning_rate=rate)
                )
            ]
            for rate in (1.0, 2.0)
        ]
        assert rates[0] == rates[1]


def test_the_rate_warms_up_and_falls(tiny_bert, data, monkeypatch):
    rates = []
    step = torch.optim.AdamW.step
    monkeypatch.setattr(
        torch.optim.AdamW, "step", lambda self, *a, **k: (rates.append(self.param_groups[-1]["lr"]), step(self))[1]
    )
    train(BERTRecommender(tiny_bert), *data, dataclasses.replace(QUICK, warm_up=0.25))
    assert len(rates) == 16 and np.argmax(rates) == 3
    assert (np.diff(rates[:4]) > 0).all() and (np.diff(rates[4:]) < 0).all() and 0 < rates[-1] < 0.1 * max(rates)


def test_the_gradient_is_clipped(tiny_bert, data, monkeypatch):
    norms = []
    clip = torch.nn.utils.clip_grad_norm_

    def spy(parameters, limit):
        parameters = list(parameters)
        clip(parameters, limit)
        norms.append(torch.stack([p.grad.norm() for p in parameters if p.grad is not None]).norm().item())

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", spy)
    train(BERTRecommender(tiny_bert), *data, dataclasses.replace(QUICK, epochs=1, clip=0.01))
    assert max(norms) == pytest.approx(0.01, rel=1e-2)


def test_a_loss_that_is_not_finite_stops_the_run(tiny_bert, data):
    with pytest.raises(ValueError, match="the loss is (nan|inf).*Lower the learning rates"):
        train(BERTRecommender(tiny_bert), *data, Settings(epochs=20, learning_rate=1e30, head_learning_rate=1e30))


def test_batches_hold_every_row_once_and_texts_of_a_length(data):
    examples = data[0]
    for rng in (None, np.random.default_rng(0)):
        batches = list(examples.batches(4, rng))
        assert sorted(np.concatenate(batches)) == list(range(30))
        padding = sum((examples.batch(rows)["attention_mask"] == 0).sum().item() for rows in batches)
        lengths = [len(text) for text in examples.token_ids]
        unsorted = sum(max(lengths[s : s + 4]) * len(lengths[s : s + 4]) for s in range(0, 30, 4)) - sum(lengths)
        assert padding < unsorted / 2
    one, two = ([list(rows) for rows in examples.batches(4, np.random.default_rng(seed))] for seed in (0, 1))
    assert one != two


def test_predictions_come_in_the_order_of_the_texts(tiny_bert, data):
    model = BERTRecommender(tiny_bert)
    whole = predict(model, data[0], batch_size=7)
    for row in (0, 13, 29):
        assert predict(model, part(data[0], slice(row, row + 1)))[0] == pytest.approx(whole[row], abs=1e-5)


def test_figures_by_hand():
    figures = rating_figures(np.array([1, 5, 5, 5]), [2.0, 5.0, 4.0, 5.0], [1, 5, 4, 5])
    assert figures["mse"] == 0.5 and figures["accuracy"] == 0.75
    assert figures["macro_f1"] == pytest.approx((1 + 0.8) / 2)


def test_tensorboard_logs_without_a_network(tiny_bert, data, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    history = train(BERTRecommender(tiny_bert), *data, QUICK, log_dir=tmp_path)
    log = EventAccumulator(str(tmp_path))
    log.Reload()
    assert [event.value for event in log.Scalars("loss")] == pytest.approx(history.attrs["losses"])
    assert [event.value for event in log.Scalars("validation mse")] == pytest.approx(history["validation_mse"].tolist())


@pytest.mark.parametrize("stars", [0, 6, 2.5, float("nan")])
def test_ratings_that_are_no_stars(tiny_bert, stars):
    with pytest.raises(ValueError, match="rating 1 is .*whole numbers from 1 to 5"):
        tokenise(load_tokenizer(tiny_bert), ["a", "b"], [5, stars])


@pytest.mark.parametrize("text", [float("nan"), None, 3])
def test_texts_that_are_none(tiny_bert, text):
    with pytest.raises(ValueError, match="text 1 is .*Use '' where there is no text"):
        tokenise(load_tokenizer(tiny_bert), ["a", text], [5, 4])


def test_other_bad_input(tiny_bert, data):
    tokenizer = load_tokenizer(tiny_bert)
    with pytest.raises(ValueError, match="there are no texts"):
        tokenise(tokenizer, [])
    with pytest.raises(ValueError, match="2 texts, but ratings of the shape"):
        tokenise(tokenizer, ["a", "b"], [5])
    with pytest.raises(ValueError, match=r"finite \(2, user_size\) array"):
        tokenise(tokenizer, ["a", "b"], [5, 4], users=[[np.nan], [1.0]])
    with pytest.raises(ValueError, match="adversarial must be None or one of"):
        Settings(adversarial="pgd")
    with pytest.raises(ValueError, match="epochs must be at least 1"):
        Settings(epochs=0)
    with pytest.raises(ValueError, match="training takes ratings"):
        train(BERTRecommender(tiny_bert), tokenise(tokenizer, ["a"]), data[1])


def test_long_and_empty_texts_are_cut_and_kept(tiny_bert):
    examples = tokenise(load_tokenizer(tiny_bert), ["word " * 10_000, "", "👗 很好"], max_length=16)
    assert [len(text) for text in examples.token_ids][:2] == [16, 2]
    assert np.isfinite(predict(BERTRecommender(tiny_bert), examples)).all()


@pytest.mark.data
def test_the_clothing_reviews():
    frame = datasets.reviews("womens-clothing")
    assert list(frame.columns) == ["text", "rating", "item_id", "age", "department"]
    assert len(frame) > 22_000 and frame["rating"].between(1, 5).all()
    assert not frame["text"].duplicated().any() and (frame["text"].str.strip() == frame["text"]).all()
    assert not frame.isna().any().any() and (frame.index == np.arange(len(frame))).all()


def test_reviews_that_there_are_not():
    with pytest.raises(ValueError, match="there are no reviews 'amazon'"):
        datasets.reviews("amazon")
