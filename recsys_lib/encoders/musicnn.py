"""musicnn in torch: a convolutional network that tags music, for the packaged TensorFlow weights. Imported late.

Source: Pons & Serra 2019, "musicnn: pre-trained convolutional neural networks for music audio tagging". The weights
are MTT_musicnn's, trained on MagnaTagATune.
"""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import torch
from torch import Tensor, nn

from recsys_lib.encoders.tensorflow_checkpoint import read_checkpoint

RATE, WINDOW, HOP, MELS = 16_000, 512, 256, 96
FRAMES = 187  # a patch: 3 seconds
EPSILON = 1e-3  # TensorFlow's of batch normalisation; PyTorch's own is 1e-5
N_TAGS = 50


def patches(samples: np.ndarray) -> np.ndarray:
    """What the network sees of a clip at 16 kHz: (n_patches, 187, 96), log-mel patches of 3 seconds side by side.

    As musicnn's own extractor cuts it: no overlap, and a rest of less than 3 seconds is left out. A clip that is
    shorter as a whole is repeated until it fills a patch, as in the training ("repeat-pad").

    Powers are rounded to half precision, since the network was trained on files of those. The logarithm is taken in
    single precision, as NumPy did at the time; since its version 2 the package's own line stays in half precision,
    where 10,000 times a power above 6.5 is infinite. Both ends are mirrored, which was librosa's default then.
    """
    options = {"sr": RATE, "n_fft": WINDOW, "hop_length": HOP, "n_mels": MELS, "pad_mode": "reflect"}
    powers = librosa.feature.melspectrogram(y=samples, **options).T
    frames = np.log10(1 + 10_000 * powers.astype(np.float16).astype(np.float32))
    if len(frames) < FRAMES:
        frames = np.resize(frames, (FRAMES, MELS))  # NumPy's repeats
    n_patches = len(frames) // FRAMES
    return frames[: n_patches * FRAMES].reshape(n_patches, FRAMES, MELS)


class Layer(nn.Module):
    """Convolution or dense, ReLU, batch normalisation, in this order; zeros at both ends of time before it."""

    def __init__(self, convolution: nn.Module, norm: nn.Module, before: int = 0, after: int = 0):
        super().__init__()
        self.pad = nn.ZeroPad2d((0, 0, before, after)) if before else nn.Identity()
        self.convolution, self.norm = convolution, norm

    def forward(self, inputs: Tensor) -> Tensor:
        return self.norm(self.convolution(self.pad(inputs)).relu_())


class MusiCNN(nn.Module):
    """Patches (n, frames, 96) to the penultimate layer (n, 200), which `tags` takes to the logits of 50 tags.

    Five kinds of filters read the spectrogram: two see timbre (7 frames of 38 or 67 bands), three see time (128, 64
    or 32 frames of one band). Each gives its largest answer over the bands. Three layers over time follow; maximum
    and mean over time of all that was found so far are the patch's summary.
    """

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(1, EPSILON)
        front = []
        for n_out, frames, bands in ((204, 7, 38), (204, 7, 67), (51, 128, 1), (51, 64, 1), (51, 32, 1)):
            before = (frames - 1) // 2  # as TensorFlow's "same": of an even filter the one more is behind
            layer = nn.Conv2d(1, n_out, (frames, bands)), nn.BatchNorm2d(n_out, EPSILON)
            front.append(Layer(*layer, before, frames - 1 - before))
        self.front = nn.ModuleList(front)
        self.middle = nn.ModuleList(
            Layer(nn.Conv1d(n_in, 64, 7, padding=3), nn.BatchNorm1d(64, EPSILON)) for n_in in (561, 64, 64)
        )
        self.summary_norm = nn.BatchNorm1d(1506, EPSILON)
        self.dense = Layer(nn.Linear(1506, 200), nn.BatchNorm1d(200, EPSILON))
        self.tags = nn.Linear(200, N_TAGS)

    def forward(self, patches: Tensor) -> Tensor:
        spectrogram = self.norm(patches.unsqueeze(1))
        found = [torch.cat([layer(spectrogram).amax(3) for layer in self.front], 1)]
        for number, layer in enumerate(self.middle):
            found.append(layer(found[-1]) + found[-1] if number else layer(found[-1]))
        over_time = torch.cat(found, 1)  # (n, 561 + 3 * 64, frames)
        summary = torch.stack([over_time.amax(2), over_time.mean(2)], 2).flatten(1)
        return self.dense(self.summary_norm(summary))


def load(folder: Path) -> MusiCNN:
    """The network with the weights of the asset's folder, ready for inference."""
    tensors = read_checkpoint(f"{folder}/MTT_musicnn/")  # its files have nothing before the dot
    network = MusiCNN()
    layers = [*network.front, *network.middle]
    norms = [network.norm, *(layer.norm for layer in layers), network.summary_norm, network.dense.norm]
    with torch.no_grad():  # TensorFlow numbers layers of a kind in the order of their making
        for number, layer in enumerate(layers):
            _fill(layer.convolution, tensors, _numbered("conv2d", number))
        for number, layer in enumerate((network.dense.convolution, network.tags)):
            _fill(layer, tensors, _numbered("dense", number))
        for number, norm in enumerate(norms):
            name = _numbered("batch_normalization", number)
            norm.weight.copy_(torch.from_numpy(tensors[f"{name}/gamma"]))
            norm.bias.copy_(torch.from_numpy(tensors[f"{name}/beta"]))
            norm.running_mean.copy_(torch.from_numpy(tensors[f"{name}/moving_mean"]))
            norm.running_var.copy_(torch.from_numpy(tensors[f"{name}/moving_variance"]))
    return network.eval().requires_grad_(False)


def _numbered(kind: str, number: int) -> str:
    return f"{kind}_{number}" if number else kind


def _fill(layer: nn.Module, tensors: dict[str, np.ndarray], name: str) -> None:
    """TensorFlow's kernels are (time, bands, in, out), PyTorch's (out, in, time, bands); over time alone the bands of
    the layer before are PyTorch's channels. Dense ones are transposed."""
    kernel = torch.from_numpy(tensors[f"{name}/kernel"])
    if isinstance(layer, nn.Conv2d):
        kernel = kernel.permute(3, 2, 0, 1)
    elif isinstance(layer, nn.Conv1d):
        kernel = kernel[:, :, 0].permute(2, 1, 0)
    else:
        kernel = kernel.T
    if kernel.shape != layer.weight.shape:  # copy_ would stretch a kernel of width 1
        raise ValueError(f"{name} has the shape {tuple(kernel.shape)}, and {tuple(layer.weight.shape)} is needed")
    layer.weight.copy_(kernel)
    layer.bias.copy_(torch.from_numpy(tensors[f"{name}/bias"]))
