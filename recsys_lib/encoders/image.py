"""ImageEncoder: one vector an image from a pretrained network, kept on disk so that it is computed once."""

from __future__ import annotations

import numpy as np

from recsys_lib import assets
from recsys_lib.encoders import pixels, pretrained
from recsys_lib.encoders.inputs import check_items, check_settings, unit_rows
from recsys_lib.encoders.store import through_store, vectors_file

PACKAGED = "efficientnet-lite0"  # comes with pip
DTYPES = ("float32", "bfloat16")
CPU_IMAGES = 2  # at once through the network: more fall out of a CPU core's cache and are slower


class ImageEncoder:
    """Vectors of images: EfficientNet-Lite0's features below its classifier, or any vision model of transformers.

    Parameters
    ----------
    name_or_path : str
        "efficientnet-lite0" is fetched as an asset (see `recsys_lib.assets`): 1,280 dimensions, ImageNet. It sees
        the square in the middle, 224/256 of the short side, at 224 x 224 pixels. Anything else is a folder or a
        Hugging Face id for `AutoImageProcessor` and `AutoModel`.
    normalise : bool
        Scale each vector to length 1, so that a dot product is a cosine.
    batch_size : int
        Images that are computed and stored together.
    dtype : "float32" or "bfloat16"
        The numbers that the model computes with; vectors are float32.
    device : str, optional
        "cuda" where there is one, else "cpu".

    From a transformers model comes, in this order: its image features where it has texts beside images (CLIP,
    SigLIP); its `pooler_output`, if the checkpoint has the weights for it; the state of its class token; the mean
    over the places of the image.

    In float32 a vector does not depend on the batch (within 1e-5).
    """

    def __init__(
        self,
        name_or_path: str = PACKAGED,
        *,
        normalise: bool = True,
        batch_size: int = 32,
        dtype: str = "float32",
        device: str | None = None,
    ):
        check_settings(dtype, DTYPES, batch_size=batch_size)
        self.name_or_path, self.normalise = str(name_or_path), normalise
        self.batch_size, self.dtype, self.device = batch_size, dtype, device
        self._model = None

    def encode(self, images, *, progress=None) -> np.ndarray:
        """Encode `images`: (n_images, d) float32.

        Each vector is cached under the model, the dtype and the image's content, batch by batch: a second call reads
        them (without loading the model), a call with ten new images computes ten, and what was interrupted goes on
        where it was.

        Parameters
        ----------
        images : sequence of paths, PIL images, or uint8 arrays (h, w), (h, w, 3) or (h, w, 4)
            Transparency is laid on white, EXIF's orientation applied, an animation's first frame taken; see
            `recsys_lib.encoders.pixels.rgb`.
        progress : callable, optional
            Wraps the list of batches that are computed, for instance `notebook.progress`.

        Raises
        ------
        FileNotFoundError
            If a file is missing. Its row is named, as in all errors.
        ValueError
            If a file is empty, is no image or breaks off; if an array is not uint8 or has another shape; if the model
            cannot be loaded.
        """
        images = check_items(images, "image", pixels.is_image)
        keys = [pixels.key(image, row) for row, image in enumerate(images)]

        def prepare(rows):
            for row in rows:
                pixels.look(images[row], row)  # a wrong file is found now, not after an hour
            self._load()
            starts = range(0, len(rows), self.batch_size)

            def compute(places):
                seen = [self._prepared(pixels.rgb(images[rows[place]], rows[place])) for place in places]
                return self._forward(np.stack(seen))[:, None]

            return [np.arange(start, min(start + self.batch_size, len(rows))) for start in starts], compute

        path = vectors_file(self.name_or_path, [pretrained.identity_for(self), self.dtype])
        vectors = through_store(path, keys, prepare, progress)[:, 0]
        return unit_rows(vectors) if self.normalise else vectors

    def _load(self) -> None:
        if self._model is not None:
            return
        import torch

        if self.name_or_path == PACKAGED:
            from recsys_lib.encoders import efficientnet

            device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
            network = efficientnet.load(assets.fetch(PACKAGED))
            self._prepared, self._features = efficientnet.crop, network
            self._model = network.to(device, getattr(torch, self.dtype))
        else:
            options = {"reader": "AutoImageProcessor"}
            self._processor, self._model = pretrained.load(self.name_or_path, self.dtype, self.device, **options)
            self._prepared, self._features = self._processed, self._pooled

    def _processed(self, image) -> np.ndarray:
        return self._processor(images=image, return_tensors="np")["pixel_values"][0]

    def _forward(self, seen: np.ndarray) -> np.ndarray:
        """Prepared images (n, ...) to vectors (n, d) float32."""
        import torch

        example = next(self._model.parameters())
        at_once = CPU_IMAGES if example.device.type == "cpu" else len(seen)
        with torch.inference_mode():
            parts = torch.from_numpy(seen).split(at_once)
            found = [self._features(part.to(example.device, example.dtype)).float().cpu() for part in parts]
        return torch.cat(found).numpy()

    def _pooled(self, images):
        """One vector an image from a transformers model, in the order that the class documents."""
        model = self._model
        if hasattr(model, "get_image_features"):
            found = model.get_image_features(pixel_values=images)
            return getattr(found, "pooler_output", found)
        outputs = model(pixel_values=images)
        pooled, states = getattr(outputs, "pooler_output", None), outputs.last_hidden_state
        if pooled is not None and not any("pooler" in name for name in model.untrained):
            return pooled.flatten(1)
        if states.ndim == 4:  # a convolutional network's (n, d, h, w)
            return states.mean((2, 3))
        has_class_token = any(name.endswith("cls_token") for name, _ in model.named_parameters())
        return states[:, 0] if has_class_token else states.mean(1)
