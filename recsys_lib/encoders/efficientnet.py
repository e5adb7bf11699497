"""EfficientNet-Lite0 in torch, for the packaged ImageNet weights. Needs torch; imported late.

Source: Tan & Le 2019, "EfficientNet: rethinking model scaling for convolutional neural networks", with the changes
of its Lite version: no squeeze-and-excitation, ReLU6 in place of swish.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

SIZE, PADDED = 224, 256  # pixels: what the network sees of an image whose short side is 256
EPSILON = 1e-3  # TensorFlow's of batch normalisation; PyTorch's own is 1e-5
BLOCKS = (  # repeats, kernel, stride of the first, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
NAMES = {  # the checkpoint's names of layers -> ours; batch normalisation is numbered in the order of its convolution
    "_conv_stem": "stem.conv",
    "_blocks": "blocks",
    "_expand_conv": "expand.conv",
    "_depthwise_conv": "depthwise.conv",
    "_project_conv": "project.conv",
    "_conv_head": "head.conv",
    "_fc": "classifier",
}
NORMS = {"_bn0": "expand.norm", "_bn1": "depthwise.norm", "_bn2": "project.norm"}
OUTER_NORMS = {"_bn0": "stem.norm", "_bn1": "head.norm"}


def crop(image: Image.Image) -> np.ndarray:
    """What the network sees of an RGB image: (224, 224, 3) uint8.

    The square in the middle, 224/256 of the short side, as in the evaluation of the original. That resizes without
    smoothing, linearly; Pillow smooths before it makes an image smaller, and then its cubic filter is the closest.
    """
    width, height = image.size
    side = max(1, min(width, height) * SIZE // PADDED)
    left, top = (width - side + 1) // 2, (height - side + 1) // 2
    square = image.crop((left, top, left + side, top + side))  # before: resize's own box lets the outside bleed in
    return np.array(square.resize((SIZE, SIZE), Image.Resampling.BICUBIC))


class ConvNorm(nn.Module):
    """Convolution with TensorFlow's "same" padding (the stride divides the sides), batch normalisation, ReLU6."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int = 1, *, groups: int = 1, activate: bool = True):
        super().__init__()
        before = (kernel - stride) // 2
        after = kernel - stride - before  # with a stride of 2 one more on the right and below
        even = before == after
        self.pad = nn.Identity() if even else nn.ZeroPad2d((before, after, before, after))
        self.conv = nn.Conv2d(n_in, n_out, kernel, stride, before if even else 0, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(n_out, eps=EPSILON)
        self.activation = nn.ReLU6(inplace=True) if activate else nn.Identity()

    def forward(self, inputs: Tensor) -> Tensor:
        return self.activation(self.norm(self.conv(self.pad(inputs))))

    def fuse(self) -> None:
        """Put the normalisation into the convolution's weights: the same numbers within rounding, and faster."""
        self.conv, self.norm = fuse_conv_bn_eval(self.conv, self.norm), nn.Identity()


class Block(nn.Module):
    """Inverted bottleneck: widen with 1x1, filter each channel, narrow with 1x1, add the input where shapes agree."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        wide = n_in * expansion
        self.expand = ConvNorm(n_in, wide, 1) if expansion > 1 else nn.Identity()
        self.depthwise = ConvNorm(wide, wide, kernel, stride, groups=wide)
        self.project = ConvNorm(wide, n_out, 1, activate=False)
        self.residual = stride == 1 and n_in == n_out

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = self.project(self.depthwise(self.expand(inputs)))
        return inputs + outputs if self.residual else outputs


class EfficientNetLite0(nn.Module):
    """RGB images (n, 224, 224, 3), 0 to 255, to features (n, 1280); `classifier` takes these to ImageNet's classes."""

    def __init__(self):
        super().__init__()
        self.stem = ConvNorm(3, 32, 3, 2)
        blocks, n_in = [], 32
        for repeats, kernel, stride, expansion, n_out in BLOCKS:
            for repeat in range(repeats):
                blocks.append(Block(n_in, n_out, kernel, 1 if repeat else stride, expansion))
                n_in = n_out
        self.blocks = nn.Sequential(*blocks)
        self.head = ConvNorm(n_in, 1280, 1)
        self.classifier = nn.Linear(1280, 1000)

    def forward(self, images: Tensor) -> Tensor:
        inputs = ((images - 127) / 128).permute(0, 3, 1, 2)  # stays channels-last in memory, as the weights are
        return self.head(self.blocks(self.stem(inputs))).mean((2, 3))


def load(folder: Path) -> EfficientNetLite0:
    """The network with the weights of the asset's folder, ready for inference. Every weight must find its place."""
    (file,) = folder.glob("*.pth")
    weights = torch.load(file, map_location="cpu", weights_only=True)
    network = EfficientNetLite0()
    network.load_state_dict({our_name(name): value for name, value in weights.items()}, strict=True)
    network.eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, ConvNorm):
            module.fuse()
    return network.to(memory_format=torch.channels_last)


def our_name(name: str) -> str:
    norms = NORMS if name.startswith("_blocks") else OUTER_NORMS
    return re.sub(r"_[a-z]\w*", lambda part: {**NAMES, **norms}.get(part[0], part[0]), name)
