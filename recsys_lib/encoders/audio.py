"""AudioEncoder: one vector a clip of sound from a pretrained network, kept on disk so that it is computed once."""

from __future__ import annotations

import numpy as np

from recsys_lib import assets
from recsys_lib.encoders import pretrained, sound
from recsys_lib.encoders.inputs import check_items, check_settings, unit_rows
from recsys_lib.encoders.store import through_store, vectors_file

PACKAGED = "musicnn"  # comes with pip
DTYPES = ("float32", "bfloat16")
CPU_PATCHES = 2  # at once through musicnn: more fall out of a CPU core's cache and are slower
DIMENSIONS = 200  # of musicnn's vectors; what is stored has the tags' probabilities behind them
TAGS = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano",
    "ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing",
    "vocals", "no vocals", "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal", "pop",
    "soft", "sitar", "solo", "man", "classic", "choir", "voice", "new age", "dance", "male voice",
    "female vocal", "beats", "harp", "cello", "no voice", "weird", "country", "metal", "female voice", "choral",
)  # fmt: skip


class AudioEncoder:
    """Vectors of clips of sound: musicnn, which tags music, or any sound model of transformers.

    Parameters
    ----------
    name_or_path : str
        "musicnn" is fetched as an asset (see `recsys_lib.assets`). A clip is cut into patches of 3 seconds without
        overlap; a rest of less than 3 seconds is left out, and a clip that is shorter as a whole is repeated to fill
        one. A vector is the mean over the patches of the layer below the tags, 200 dimensions. Anything else is a
        folder or a Hugging Face id for `AutoFeatureExtractor` and `AutoModel` (wav2vec 2.0, HuBERT, AST, Whisper's
        encoder): the mean of the last states over time, as much of it as the feature extractor keeps (AST's 10
        seconds, with its padding; Whisper's 30).
    normalise : bool
        Scale each vector to length 1, so that a dot product is a cosine.
    batch_size : int
        Clips that are computed and stored together.
    dtype : "float32" or "bfloat16"
        The numbers that the model computes with; vectors are float32.
    device : str, optional
        "cuda" where there is one, else "cpu".

    In float32 a vector does not depend on the batch (within 1e-5). Needs librosa and soundfile.
    """

    def __init__(
        self,
        name_or_path: str = PACKAGED,
        *,
        normalise: bool = True,
        batch_size: int = 16,
        dtype: str = "float32",
        device: str | None = None,
    ):
        check_settings(dtype, DTYPES, batch_size=batch_size)
        self.name_or_path, self.normalise = str(name_or_path), normalise
        self.batch_size, self.dtype, self.device = batch_size, dtype, device
        self._model = None

    def encode(self, clips, sample_rate: int = 16_000, *, progress=None) -> np.ndarray:
        """Encode `clips`: (n_clips, d) float32.

        Each vector is cached under the model, the dtype and the clip's content, batch by batch: a second call reads
        them (without loading the model), a call with ten new clips computes ten, and what was interrupted goes on
        where it was.

        Parameters
        ----------
        clips : sequence of paths, or float arrays (n_samples,) or (n_channels, n_samples) from -1 to 1
            Channels are averaged and other rates resampled; see `recsys_lib.encoders.sound.mono`.
        sample_rate : int
            Of the arrays, samples a second. A file has its own.
        progress : callable, optional
            Wraps the list of batches that are computed, for instance `notebook.progress`.

        Raises
        ------
        FileNotFoundError
            If a file is missing. Its row is named, as in all errors.
        ValueError
            If a file is empty or cannot be decoded; if a clip is silent or shorter than 0.1 seconds; if an array is
            not float, holds NaN or infinity, or has its channels last; if `sample_rate` is no rate; if the model
            cannot be loaded.
        """
        vectors = self._stored(clips, sample_rate, progress)
        vectors = vectors[:, :DIMENSIONS] if self.name_or_path == PACKAGED else vectors
        return unit_rows(vectors) if self.normalise else vectors

    def tags(self, clips, sample_rate: int = 16_000, *, progress=None) -> np.ndarray:
        """Probabilities of musicnn's 50 tags, `tag_names`: (n_clips, 50) float32, means over the clip's patches.

        Each is a probability of its own: they do not sum to 1. Computed and cached together with the vectors of
        `encode`, whose arguments and errors these are. ValueError too for any other model.
        """
        n_tags = len(self.tag_names)
        return self._stored(clips, sample_rate, progress)[:, -n_tags:]

    @property
    def tag_names(self) -> list[str]:
        """The names of the columns of `tags`, as people typed them in a game: "vocal" and "vocals" are two."""
        if self.name_or_path != PACKAGED:
            raise ValueError(f"only {PACKAGED!r} has tags, and this encoder's model is {self.name_or_path!r}")
        return list(TAGS)

    def _stored(self, clips, sample_rate, progress) -> np.ndarray:
        clips = check_items(clips, "clip", sound.is_clip)
        keys = [sound.key(clip, row, sample_rate) for row, clip in enumerate(clips)]

        def prepare(rows):
            for row in rows:
                sound.look(clips[row], row)  # a wrong file is found now, not after an hour
            self._load()
            starts = range(0, len(rows), self.batch_size)

            def compute(places):
                part = [rows[place] for place in places]
                return self._forward([self._prepared(clips[row], row, sample_rate) for row in part])[:, None]

            return [np.arange(start, min(start + self.batch_size, len(rows))) for start in starts], compute

        path = vectors_file(self.name_or_path, [pretrained.identity_for(self), self.dtype])
        return through_store(path, keys, prepare, progress)[:, 0]

    def _load(self) -> None:
        if self._model is not None:
            return
        sound.libraries()
        import torch

        if self.name_or_path == PACKAGED:
            from recsys_lib.encoders import musicnn

            device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
            self._model = musicnn.load(assets.fetch(PACKAGED)).to(device, getattr(torch, self.dtype))
            self._rate, self._seen, self._features = musicnn.RATE, musicnn.patches, self._vector_and_tags
        else:
            options = {"reader": "AutoFeatureExtractor"}
            self._extractor, self._model = pretrained.load(self.name_or_path, self.dtype, self.device, **options)
            self._rate, self._seen, self._features = self._extractor.sampling_rate, self._extracted, self._states

    def _prepared(self, clip, row: int, sample_rate) -> np.ndarray:
        """What the model sees of a clip, (n_parts, ...)."""
        return self._seen(sound.mono(clip, row, sample_rate, self._rate))

    def _extracted(self, samples: np.ndarray) -> np.ndarray:
        found = self._extractor(samples, sampling_rate=self._rate, return_tensors="np")
        return found[self._model.main_input_name]

    def _forward(self, seen: list[np.ndarray]) -> np.ndarray:
        """What the model sees of each clip to vectors (n_clips, d) float32: the mean over a clip's parts."""
        import torch

        example, vectors = next(self._model.parameters()), []
        at_once = CPU_PATCHES if example.device.type == "cpu" else self.batch_size
        with torch.inference_mode():
            for clip in seen:
                parts = torch.from_numpy(clip).split(at_once)
                found = [self._features(part.to(example.device, example.dtype)).float().cpu() for part in parts]
                vectors.append(torch.cat(found).mean(0))
        return torch.stack(vectors).numpy()

    def _vector_and_tags(self, patches):
        import torch

        vectors = self._model(patches)
        return torch.cat([vectors, self._model.tags(vectors).sigmoid()], 1)

    def _states(self, inputs):
        return self._model(inputs).last_hidden_state.mean(1)
