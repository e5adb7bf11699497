"""TextEncoder: one vector a text from a pretrained transformer, kept on disk so that it is computed once."""

from __future__ import annotations

import inspect

import numpy as np

from recsys_lib.encoders import pretrained
from recsys_lib.encoders.inputs import check_texts
from recsys_lib.encoders.store import computed, text_key, through_store, vectors_file

PACKAGED = "all-minilm-l6-v2"  # comes with pip: the default of everything that takes an encoder
POOLING = ("mean", "cls", "last")
CPU_TOKENS = 1024  # a batch of more, padding included, falls out of a CPU core's cache and is slower


class TextEncoder:
    """Sentence vectors of a pretrained transformer: BERT's family, XLNet's, decoder-only models, encoders of T5.

    Parameters
    ----------
    name_or_path : str
        "all-minilm-l6-v2" and "smollm2-135m-instruct" are fetched as assets (see `recsys_lib.assets`); anything
        else is a folder or a Hugging Face id for `AutoModel.from_pretrained`.
    pooling : "mean", "cls" or "last"
        From token states to one vector: their mean, the state of the [CLS] token, or that of the last token (in
        a decoder the only one that has seen the whole text). Padding never counts.
    normalise : bool
        Scale each vector to length 1, so that a dot product is a cosine.
    layer : int
        Which hidden states: 0 are the embeddings, -1 the last layer's output.
    batch_size : int
        The most texts in a batch. Texts with the same number of tokens share one; on a CPU a batch has at most
        1,024 tokens.
    max_length : int
        Tokens after which a text is cut.
    dtype : "float32", "bfloat16" or "int8"
        The numbers that the model computes with; vectors are float32. "int8" needs a CPU.
    device : str, optional
        "cuda" where there is one, else "cpu".

    In float32 a vector does not depend on the batch (within 1e-5). A text without tokens, '' in a decoder, is
    encoded as the end-of-text token.
    """

    def __init__(
        self,
        name_or_path: str = PACKAGED,
        *,
        pooling: str = "mean",
        normalise: bool = True,
        layer: int = -1,
        batch_size: int = 64,
        max_length: int = 256,
        dtype: str = "float32",
        device: str | None = None,
    ):
        for name, value, known in (("pooling", pooling, POOLING), ("dtype", dtype, pretrained.DTYPES)):
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}")
        for name, value in (("batch_size", batch_size), ("max_length", max_length)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        self.name_or_path, self.pooling, self.normalise, self.layer = str(name_or_path), pooling, normalise, layer
        self.batch_size, self.max_length, self.dtype, self.device = batch_size, max_length, dtype, device
        self._model = None

    def encode(self, texts, *, progress=None, keep: bool = True) -> np.ndarray:
        """Encode `texts`: (n_texts, d) float32.

        Each vector is cached under the model, the settings and its text, batch by batch: a second call reads
        them (without loading the model), a call with ten new texts computes ten, and what was interrupted goes on
        where it was.

        Parameters
        ----------
        texts : sequence of str
        progress : callable, optional
            Wraps the list of batches that are computed, for instance `notebook.progress`.
        keep : bool
            False for what people type and nobody should find on the disk later: nothing is read or written there.

        Raises
        ------
        ValueError
            If a text is not a string (its row is named), or the model cannot be loaded or has no such layer.
        """
        return self._vectors(check_texts(texts), self.layer, progress, keep)[:, 0]

    def encode_layers(self, texts, *, progress=None) -> np.ndarray:
        """All hidden states, pooled, in one pass: (n_layers + 1, n_texts, d) float32, the embeddings first.

        `encode_layers(texts)[k]` is what an encoder with `layer=k` gives. Cached like `encode`.
        """
        return np.ascontiguousarray(self._vectors(check_texts(texts), "all", progress).swapaxes(0, 1))

    def _vectors(self, texts: list[str], layer: int | str, progress, keep: bool = True) -> np.ndarray:
        """(n_texts, n_states, d): read what is stored, compute the rest batch by batch."""

        def prepare(rows):
            self._load()
            tokens = self._tokenise([texts[row] for row in rows])

            def compute(places):
                part = {name: [lists[place] for place in places] for name, lists in tokens.items()}
                return self._forward(part, layer)

            return self._batches(tokens), compute

        if not keep:
            return computed(len(texts), prepare, progress)
        settings = [self.pooling, self.normalise, layer, self.max_length, self.dtype]
        path = vectors_file(self.name_or_path, [pretrained.identity_for(self), *settings])
        return through_store(path, [text_key(text) for text in texts], prepare, progress)

    def _load(self) -> None:
        if self._model is not None:
            return
        tokenizer, model = pretrained.load(self.name_or_path, self.dtype, self.device)
        if self.pooling == "cls" and tokenizer.cls_token_id is None:
            raise ValueError(f"{self.name_or_path!r} has no [CLS] token: take pooling='mean' or pooling='last'")
        if self.max_length <= (n_added := tokenizer.num_special_tokens_to_add()):
            raise ValueError(
                f"max_length must be more than {n_added}, the tokens that this model adds, not {self.max_length}"
            )
        self._tokenizer, self._model = tokenizer, model

    def _tokenise(self, texts: list[str]) -> dict[str, list[list[int]]]:
        """The model's inputs by name, a list of whole numbers a text, without padding."""
        tokenizer, config = self._tokenizer, self._model.config
        limits = (self.max_length, tokenizer.model_max_length, getattr(config, "max_position_embeddings", None))
        longest = min(limit for limit in limits if limit and limit > 0)
        tokens = tokenizer(texts, truncation=True, max_length=longest, return_attention_mask=True)
        accepted = inspect.signature(self._model.forward).parameters
        tokens = {name: lists for name, lists in tokens.items() if name in accepted}
        for row, ids in enumerate(tokens["input_ids"]):
            if not ids:
                ids.append(self._end_of_text())
                for name in tokens.keys() - {"input_ids"}:
                    tokens[name][row].append(int(name == "attention_mask"))
        return tokens

    def _end_of_text(self) -> int:
        tokenizer = self._tokenizer
        ids = (tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.pad_token_id, 0)
        return next(number for number in ids if number is not None)

    def _batches(self, tokens) -> list[np.ndarray]:
        """Rows in batches, longest texts first, so that texts of a length meet and padding is little."""
        lengths = np.array([len(ids) for ids in tokens["input_ids"]])
        most_tokens = CPU_TOKENS if self._model.device.type == "cpu" else np.inf
        batches, order, start = [], np.argsort(-lengths, kind="stable"), 0
        while start < len(order):
            size = max(1, int(min(self.batch_size, most_tokens // lengths[order[start]])))
            batches.append(order[start : start + size])
            start += size
        return batches

    def _forward(self, tokens: dict[str, list[list[int]]], layer: int | str) -> np.ndarray:
        """One batch through the model: (n_texts, n_states, d)."""
        import torch

        inputs = {name: torch.from_numpy(self._padded(name, lists)) for name, lists in tokens.items()}
        with torch.inference_mode():
            inputs = {name: values.to(self._model.device) for name, values in inputs.items()}
            outputs = self._model(**inputs, output_hidden_states=layer != -1)
            states = (outputs.last_hidden_state,) if layer == -1 else outputs.hidden_states
            if layer not in (-1, "all"):
                if not -len(states) <= layer < len(states):
                    raise ValueError(f"layer must be between 0 and {len(states) - 1} in this model, not {layer}")
                states = (states[layer],)
            pooled = torch.stack([self._pooled(each.float(), inputs) for each in states], dim=1)
            if self.normalise:
                pooled = torch.nn.functional.normalize(pooled, dim=-1)
            return pooled.cpu().numpy()

    def _padded(self, name: str, lists: list[list[int]]) -> np.ndarray:
        """A rectangle, filled on the right whatever the tokenizer prefers: there it moves no position, and in a
        decoder no token sees it."""
        tokenizer = self._tokenizer
        pad = self._end_of_text() if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        fill = {"input_ids": pad, "token_type_ids": tokenizer.pad_token_type_id}.get(name, 0)
        padded = np.full((len(lists), max(map(len, lists))), fill, np.int64)
        for row, values in enumerate(lists):
            padded[row, : len(values)] = values
        return padded

    def _pooled(self, states, inputs):
        """(n_texts, n_tokens, d) to (n_texts, d), over what is not padding."""
        import torch

        mask = inputs["attention_mask"]
        if self.pooling == "mean":
            mask = mask.unsqueeze(-1).to(states.dtype)
            return (states * mask).sum(1) / mask.sum(1)
        rows, place = torch.arange(len(mask), device=mask.device), mask.sum(1) - 1
        if self.pooling == "cls":  # XLNet has it at the end
            place = torch.where(inputs["input_ids"][:, 0] == self._tokenizer.cls_token_id, 0, place)
        return states[rows, place]
