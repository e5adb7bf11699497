"""llm-reranking without the model: what is asked, how answers are read, the table; and the generator on a tiny one."""

import numpy as np
import pandas as pd
import pytest

from recsys_lib import results
from recsys_lib.encoders.generator import Generator
from recsys_lib.experiments import llm_reranking
from recsys_lib.experiments.llm_prompts import parse, prompt, relation_prompt, spoken

FILMS = [
    "Star Wars (1977). Action",
    "The Rock (1996). Action",
    "12 Angry Men (1957). Drama",
    "Alien (1979). Horror",
    "Alien 3 (1992). Horror",
    "Seven (Se7en) (1995). Crime, Thriller",
    "unknown. unknown",
]
NAMED = [
    ("1. Star Wars (1977). Action, War\n2. The Rock (1996)\n3. Rock", ([0, 1], 1, 0)),
    ("3, 2 and 9", ([2, 1], 1, 0)),
    ("1. 2.\n2. 2.", ([0, 1], 0, 2)),  # a number that stands before nothing is a choice too
    ("The 3 films are: 1, 2 and 4", ([0, 1, 3], 0, 0)),
    ("Here they are:\n- the rock\n\n- Star Wars", ([1, 0], 0, 0)),
    ("1. 12 Angry Men", ([2], 0, 0)),
    ("12 Angry Men (1957)", ([2], 0, 0)),
    ("5. Alien 3 (1992)\n6. Alien (1979)\n7. Aliens (1986)\n8. Alien: Resurrection (1997)", ([4, 3], 2, 0)),
    ("Star Wars (1977), The Matrix (1999), The Rock (1996), the rock (1996)", ([0, 1], 1, 1)),
    ("Seven (Se7en) (1995); The Rock (1996)", ([5, 1], 0, 0)),
    ("1. 1997. Dancing (1997)", ([], 1, 0)),
    ("I cannot do that.", ([], 1, 0)),
    ("", ([], 0, 0)),
]


@pytest.mark.parametrize("answer, expected", NAMED)
def test_answers_are_read(answer, expected):
    assert parse(answer, FILMS) == expected


def test_nothing_is_read_after_the_last_place():
    assert parse("1, 2, 2, 3, 3, 99", FILMS, k=3) == ([0, 1, 2], 0, 1)


def test_titles_are_written_as_people_speak():
    assert spoken("Usual Suspects, The (1995). Crime") == "The Usual Suspects (1995). Crime"
    assert spoken("Fish Called Wanda, A (1988). Comedy") == "A Fish Called Wanda (1988). Comedy"
    assert spoken("Theodore, Andre (1990). Comedy, Drama") == "Theodore, Andre (1990). Comedy, Drama"
    assert spoken("unknown. unknown") == "unknown. unknown"


def test_the_prompt_numbers_the_films_and_says_what_is_wanted():
    lines = prompt(["Heat (1995). Action"], FILMS, "varied").splitlines()
    assert (
        "- Heat (1995). Action" in lines and "1. Star Wars (1977). Action" in lines and "7. unknown. unknown" in lines
    )
    assert "varied list" in lines[-1] and "varied list" not in prompt([], FILMS, "relevant")
    assert relation_prompt(FILMS[:1], "different from").endswith(
        "different from these films:\n- Star Wars (1977). Action"
    )


class Counting:
    """In place of the model: the higher the last number of a text, the likelier it is."""

    def log_likelihood(self, question, texts):
        self.asked = texts
        return np.array([int(text.rstrip(",").split(", ")[-1]) for text in texts])


def test_a_forced_answer_is_valid(monkeypatch):
    model = Counting()
    monkeypatch.setattr(llm_reranking, "generator", lambda: model)
    answer = llm_reranking.forced("?")
    assert answer == "20, 19, 18, 17, 16, 15, 14, 13, 12, 11"
    assert model.asked[-1] == "20, 19, 18, 17, 16, 15, 14, 13, 12, 11,"


def test_the_summary_pairs_users():
    rows = pd.DataFrame(llm_reranking.EXPERIMENT.units)
    rows["kept"] = rows["n_filled"] = rows["n_unlisted"] = rows["n_repeated"] = rows["mean_number"] = 1.0
    rows["seconds"] = rows["user"]
    for figure in llm_reranking.FIGURES:  # users differ, methods differ by a constant
        rows[figure] = rows["user"] + rows["method"].map(llm_reranking.METHODS.index)
    table = llm_reranking.summary(rows, "random")
    assert table.index.tolist() == list(llm_reranking.METHODS)
    assert table["ndcg_minus"].tolist() == pytest.approx(np.arange(len(table)) - 1.0)
    assert table["ndcg_low"].tolist() == pytest.approx(table["ndcg_high"].tolist())


@pytest.fixture(scope="module")
def tiny_decoder(tmp_path_factory):
    """The folder of a Llama with random weights that reads letters and has a chat template."""
    import torch
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("decoder")
    vocabulary = {token: number for number, token in enumerate(["?", "<eos>", "<user>", "<model>", *"abcdefgh"])}
    reader = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
    reader.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=reader, unk_token="?", eos_token="<eos>")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<user>", "<model>"]})
    tokenizer.chat_template = "{% for message in messages %}<user>{{ message['content'] }}{% endfor %}<model>"
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(vocabulary), eos_token_id=1, initializer_range=0.5, **sizes))
    model.save_pretrained(folder)
    return folder


LETTERS = {letter: number for number, letter in enumerate("abcdefgh", 4)}


def following(folder, tokens) -> np.ndarray:
    """Log-probabilities of the token after each of `tokens`, from the model alone: (n_tokens, n_vocabulary)."""
    import torch
    from transformers import LlamaForCausalLM

    with torch.inference_mode():
        return LlamaForCausalLM.from_pretrained(folder).eval()(torch.tensor([tokens])).logits[0].log_softmax(-1).numpy()


def test_the_log_likelihood_is_that_of_the_whole_text(tiny_decoder):
    generator, texts = Generator(tiny_decoder), ["a", "bcd", "hh"]
    for question in ("abc", "abc", "hg"):  # the second time the prompt is known, the third time it is another
        asked, expected = [2, *map(LETTERS.get, question), 3], []
        for text in texts:
            tokens = asked + [LETTERS[letter] for letter in text]
            odds = following(tiny_decoder, tokens)
            expected.append(sum(odds[n - 1, tokens[n]] for n in range(len(asked), len(tokens))))
        assert generator.log_likelihood(question, texts) == pytest.approx(expected, abs=1e-4)
        assert generator.log_likelihood(question, texts[1:2]) == pytest.approx(expected[1:2], abs=1e-4)


def test_the_answer_is_the_likeliest_token_each_time(tiny_decoder):
    tokens, end = [2, *map(LETTERS.get, "abc"), 3], 1
    while tokens[-1] != end and len(tokens) < 13:
        tokens.append(int(following(tiny_decoder, tokens)[-1].argmax()))
    expected = "".join({number: letter for letter, number in LETTERS.items()}.get(token, "") for token in tokens[5:])
    assert expected  # some letters, between tokens that an answer does not show
    assert Generator(tiny_decoder).complete("abc", 8).replace(" ", "").replace("?", "") == expected


def test_the_generator_says_what_is_wrong(tiny_decoder):
    with pytest.raises(ValueError, match="dtype"):
        Generator(dtype="int8")
    with pytest.raises(ValueError, match="continuation 1 has no token"):
        Generator(tiny_decoder).log_likelihood("a", ["b", ""])


@pytest.mark.data
def test_the_stored_prompts_are_those_of_today():
    rows = results.load("llm-reranking")
    free = rows[rows["method"].isin(llm_reranking.FREE)]
    assert len(free) == llm_reranking.N_USERS * len(llm_reranking.FREE)
    for row in free.to_dict("records"):
        shown = llm_reranking.films(llm_reranking.drawn_users()[row["user"]])
        assert row["prompt"] == prompt(*shown, llm_reranking.FREE[row["method"]])
