"""Linear layers for inference on a CPU: the same numbers sooner, or 8-bit numbers. Needs torch; imported late."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor, nn

N_TOKENS = 1024  # of the products that the packed weights are laid out for; others are right too


class OneDNNLinear(nn.Module):
    """The layer computed by oneDNN, which PyTorch carries, in float32 like before: equal within rounding.

    PyTorch gives float32 products to MKL, which leaves the wide registers of AMD processors unused: there oneDNN is
    about twice as fast. Where both use them, a little is left: the weights lie packed as the product reads them, and
    the bias (and GELU, where `fuse_gelu` says so) is added before a result leaves the registers.
    """

    def __init__(self, layer: nn.Linear):
        super().__init__()
        packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), N_TOKENS)
        self.register_buffer("weight", packed)
        self.bias, self.activation = layer.bias, ("none", "")

    def forward(self, inputs: Tensor) -> Tensor:
        kind, variant = self.activation
        return torch.ops.mkldnn._linear_pointwise(inputs, self.weight, self.bias, kind, [], variant)

    def __reduce__(self):  # packed weights can be neither copied nor pickled: unpack them, and pack them again
        return _packed_again, (self.weight.to_dense(), self.bias, self.activation)

    @staticmethod
    def works_here() -> bool:
        """Whether this PyTorch has oneDNN on an x86 processor."""
        return (
            torch.backends.mkldnn.is_available()
            and torch.backends.cpu.get_cpu_capability().startswith("AVX")
            and hasattr(torch.ops.mkldnn, "_linear_pointwise")
            and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")
        )


def _packed_again(weight: Tensor, bias: Tensor | None, activation: tuple[str, str]) -> OneDNNLinear:
    layer = OneDNNLinear(SimpleNamespace(weight=weight, bias=bias))
    layer.activation = activation
    return layer


def fuse_gelu(model: nn.Module) -> None:
    """GELU into the OneDNNLinear before it, in blocks built like BERT's."""
    for block in model.modules():
        activation = getattr(block, "intermediate_act_fn", None)
        exact = getattr(activation, "act", None) is nn.functional.gelu  # not one of its approximations
        if exact and isinstance(getattr(block, "dense", None), OneDNNLinear):
            block.dense.activation, block.intermediate_act_fn = ("gelu", "none"), nn.Identity()


class Int8Linear(nn.Module):
    """The layer with 8-bit integers: one scale an output for the weights, one scale a token for the activations.

    A scale a token keeps a text independent of its batch. PyTorch's own dynamic quantisation takes one scale for
    the whole batch: one large activation then costs every text its precision.
    Source: Dettmers et al. 2022, "LLM.int8()", section 2 (row-wise quantisation), without its outlier part.
    """

    def __init__(self, layer: nn.Linear):
        super().__init__()
        scale = layer.weight.detach().abs().amax(1).clamp(min=1e-12) / 127
        self.register_buffer("weight", (layer.weight.detach() / scale[:, None]).round().to(torch.int8))
        self.register_buffer("scale", scale)
        self.bias = layer.bias

    def forward(self, inputs: Tensor) -> Tensor:
        tokens = inputs.reshape(-1, inputs.shape[-1])
        scale = tokens.abs().amax(1, keepdim=True).clamp(min=1e-12) / 127
        product = torch._int_mm((tokens / scale).round_().to(torch.int8), self.weight.t())
        outputs = product.float().mul_(scale).mul_(self.scale)  # in place: fresh memory costs more than the products
        if self.bias is not None:
            outputs.add_(self.bias)
        return outputs.reshape(*inputs.shape[:-1], -1)


def replace_linear(model: nn.Module, kind: type[nn.Module]) -> int:
    """Put a `kind` of layer in the place of every `nn.Linear` inside `model`; returns how many there were."""
    n_replaced = 0
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is nn.Linear:
                setattr(parent, name, kind(layer))
                n_replaced += 1
    return n_replaced
