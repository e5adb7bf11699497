"""TextEncoder: one vector a text from a pretrained transformer, kept on disk so that it is computed once."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile

import numpy as np

from recsys_lib import assets

PACKAGED = "all-minilm-l6-v2"


class TextEncoder:
    """Mean-pooled sentence vectors of a BERT-family encoder.

    Parameters
    ----------
    name_or_path : str
        "all-minilm-l6-v2" is fetched as an asset (see `recsys_lib.assets`); anything else is a folder or a
        Hugging Face id for `AutoModel.from_pretrained`.
    normalise : bool
        Scale each vector to length 1, so that a dot product is a cosine.
    batch_size : int
    max_length : int
        Tokens after which a text is cut.
    device : str, optional
        "cuda" where there is one, else "cpu".
    """

    def __init__(
        self,
        name_or_path: str = PACKAGED,
        *,
        normalise: bool = True,
        batch_size: int = 64,
        max_length: int = 256,
        device: str | None = None,
    ):
        self.name_or_path, self.normalise = name_or_path, normalise
        self.batch_size, self.max_length, self.device = batch_size, max_length, device
        self._model = None

    def encode(self, texts, *, progress=None) -> np.ndarray:
        """Encode `texts`: (n_texts, d) float32.

        The vectors are cached under the model, the settings and a hash of the texts; a second call reads them.

        Parameters
        ----------
        texts : sequence of str
        progress : callable, optional
            Wraps the list of batches, for instance `notebook.progress`.
        """
        texts = list(texts)
        for row, text in enumerate(texts):
            if not isinstance(text, str):
                raise ValueError(f"text {row} is {text!r}, not a string. Use '' where there is no text")
        if not texts:
            raise ValueError("there are no texts to encode")
        path = assets.cache_folder() / "vectors" / f"{self._key(texts)}.npy"
        if path.is_file():
            return np.load(path)
        vectors = self._encode(texts, progress)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npy", delete=False) as file:
            np.save(file, vectors)
        os.replace(file.name, path)
        return vectors

    def _key(self, texts) -> str:
        model = assets.registry()[PACKAGED]["sha256"] if self.name_or_path == PACKAGED else self.name_or_path
        settings = json.dumps([model, self.normalise, self.max_length, texts], ensure_ascii=False)
        return hashlib.sha256(settings.encode()).hexdigest()[:32]

    def _load(self):
        # torch and transformers take seconds to import: readers of cached vectors do not wait for them
        import torch
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        if self._model is None:
            logging.disable_progress_bar()  # it would stay in a notebook's output
            source = assets.fetch(PACKAGED) if self.name_or_path == PACKAGED else self.name_or_path
            self._tokenizer = AutoTokenizer.from_pretrained(source)
            device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
            self._model = AutoModel.from_pretrained(source).eval().to(device)
        return torch

    def _encode(self, texts, progress) -> np.ndarray:
        torch = self._load()
        order = np.argsort(
            [-len(text) for text in texts], kind="stable"
        )  # texts of a length share a batch: less padding
        batches = [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]
        vectors = np.empty((len(texts), self._model.config.hidden_size), np.float32)
        with torch.inference_mode():
            for rows in progress(batches) if progress else batches:
                tokens = self._tokenizer(
                    [texts[row] for row in rows],
                    padding=True,
                    truncation=True,
                    max_length=self.max_length,
                    return_tensors="pt",
                ).to(self._model.device)
                states = self._model(**tokens).last_hidden_state
                mask = tokens["attention_mask"].unsqueeze(-1).to(states.dtype)
                pooled = (states * mask).sum(1) / mask.sum(1)
                if self.normalise:
                    pooled = torch.nn.functional.normalize(pooled, dim=1)
                vectors[rows] = pooled.float().cpu().numpy()
        return vectors
