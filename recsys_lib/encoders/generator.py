"""Generator: a pretrained language model that answers a prompt, or says how likely given answers are."""

from __future__ import annotations

from copy import deepcopy

import numpy as np

from recsys_lib.encoders import pretrained

PACKAGED = "smollm2-135m-instruct"  # comes with pip
IGNORED = -100  # a target that PyTorch's cross-entropy leaves out


class Generator:
    """An instruction-tuned decoder behind its chat template. Nothing is drawn: always the likeliest token.

    Parameters
    ----------
    name_or_path : str
        "smollm2-135m-instruct" is fetched as an asset (see `recsys_lib.assets`); anything else is a folder or a
        Hugging Face id for `AutoModelForCausalLM`, with a tokenizer that has a chat template.
    dtype : "float32" or "bfloat16"
        Rounding decides between tokens that are about as likely: in bfloat16, or elsewhere, an answer may differ.
    device : str, optional
        "cuda" where there is one, else "cpu".

    The model is loaded with the first question.
    """

    def __init__(self, name_or_path: str = PACKAGED, *, dtype: str = "float32", device: str | None = None):
        if dtype not in ("float32", "bfloat16"):
            raise ValueError(f"dtype must be 'float32' or 'bfloat16', not {dtype!r}")
        self.name_or_path, self.dtype, self.device = str(name_or_path), dtype, device
        self._model, self._read = None, ([], None)

    def complete(self, prompt: str, max_new_tokens: int = 128) -> str:
        """The answer to `prompt`, which is the user's only message, up to the model's end token or to that length."""
        import torch

        asked = self._tokens(prompt)
        ids = torch.tensor([asked], device=self._model.device)
        options = {"max_new_tokens": max_new_tokens, "do_sample": False, "pad_token_id": self._tokenizer.eos_token_id}
        with torch.inference_mode():
            found = self._model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **options)
        return self._tokenizer.decode(found[0, len(asked) :], skip_special_tokens=True).strip()

    def log_likelihood(self, prompt: str, continuations: list[str]) -> np.ndarray:
        """Log-probability (nats) of each text as the beginning of the answer to `prompt`: (n_continuations,) float64.

        A sum over tokens, so that longer texts are less likely: compare texts of like length, or subtract what a
        neutral prompt gives. The prompt is read once, also when the same one comes again next.
        """
        import torch

        asked = self._tokens(prompt)
        texts = [self._tokenizer(text, add_special_tokens=False)["input_ids"] for text in continuations]
        if not all(texts):
            raise ValueError(f"continuation {texts.index([])} has no token. Give texts that are not empty")
        longest = max(map(len, texts))
        # filled up behind the text, where a decoder's tokens do not see it
        given = torch.tensor([(asked[-1:] + text[:-1] + [0] * longest)[:longest] for text in texts])
        wanted = torch.tensor([(text + [IGNORED] * longest)[:longest] for text in texts])
        device = self._model.device
        with torch.inference_mode():
            if self._read[0] != asked:
                before = torch.tensor([asked[:-1]], device=device)
                self._read = asked, self._model(before, use_cache=True, logits_to_keep=1).past_key_values
            states = deepcopy(self._read[1])
            states.batch_repeat_interleave(len(texts))
            logits = self._model(given.to(device), past_key_values=states).logits.float()
            wanted, cross_entropy = wanted.to(device).flatten(), torch.nn.functional.cross_entropy
            loss = cross_entropy(logits.flatten(0, 1), wanted, ignore_index=IGNORED, reduction="none")
        return -loss.double().view(len(texts), -1).sum(1).cpu().numpy()

    def _tokens(self, prompt: str) -> list[int]:
        """The prompt inside the chat template, up to where the answer begins."""
        if self._model is None:
            self._load()
        chat = [{"role": "user", "content": prompt}]
        text = self._tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
        return self._tokenizer(text, add_special_tokens=False)["input_ids"]

    def _load(self) -> None:
        import torch  # seconds to import, like transformers: not before they are needed
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()  # it would stay in a notebook's output
        folder = pretrained.model_folder(self.name_or_path)
        device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, self.dtype)).eval().to(device)
