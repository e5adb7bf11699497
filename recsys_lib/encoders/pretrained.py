"""Pretrained models: where they come from, how they are told apart, and loading them. torch is imported late."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from unittest import mock

from tqdm import tqdm

from recsys_lib import assets

ASSETS = ("all-minilm-l6-v2", "smollm2-135m-instruct")
DTYPES = ("float32", "bfloat16", "int8")
PACKAGED = {  # what comes with pip, by the class that prepares its inputs
    "AutoTokenizer": ASSETS,
    "AutoImageProcessor": ("efficientnet-lite0",),
    "AutoFeatureExtractor": ("musicnn",),
}


def model_folder(name_or_path: str) -> str:
    """What `from_pretrained` takes: the folder of an asset (fetched the first time), else `name_or_path` itself.

    An asset in the GGUF format is slow to unpack, so that a bfloat16 copy of it is kept beside it; every load
    reads the copy. Any of transformers' Auto classes opens the folder.
    """
    if name_or_path not in ASSETS:
        return str(name_or_path)
    folder = assets.fetch(name_or_path)
    files = sorted(folder.glob("*.gguf"))
    return str(_unpacked(folder, files[0]) if files else folder)


def identity(name_or_path: str) -> str | None:
    """A text that changes when the model changes: what cached vectors are kept under.

    The sha256 of an asset; names, sizes and times of a folder's files; a Hugging Face id with the commit that is
    in the local cache, None if none is.
    """
    if any(name_or_path in names for names in PACKAGED.values()):
        return assets.registry()[name_or_path]["sha256"]
    folder = Path(name_or_path)
    if folder.is_dir():
        files = sorted(path for path in folder.iterdir() if path.is_file())
        facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    commit = _commit(name_or_path)
    return f"{name_or_path}@{commit}" if commit else None


def identity_for(encoder) -> str:
    """`identity` of an encoder's model; one of the hub that is not here yet is loaded, which tells its commit."""
    model = identity(encoder.name_or_path)
    if model is None:
        encoder._load()
        model = identity(encoder.name_or_path) or encoder.name_or_path
    return model


def load(name_or_path: str, dtype: str = "float32", device: str | None = None, reader: str = "AutoTokenizer"):
    """What prepares the inputs, and the model, ready for inference. The model gives hidden states (no head).

    `model.untrained` names the weights that the checkpoint did not have and that are random.

    Parameters
    ----------
    name_or_path : str
        An asset of `ASSETS`, a folder, or a Hugging Face id.
    dtype : "float32", "bfloat16" or "int8"
        int8: linear layers with 8-bit weights and activations, on the CPU only.
    device : str, optional
        "cuda" where there is one, else "cpu".
    reader : "AutoTokenizer", "AutoImageProcessor" or "AutoFeatureExtractor"
        transformers' class for what the model reads.

    Raises
    ------
    ValueError
        If there is no such model or it cannot be had; if int8 is asked for elsewhere than on the CPU, or of a
        model without linear layers (GPT-2 calls them otherwise); if bfloat16 is asked of XLNet.
    """
    # torch and transformers take seconds to import: readers of cached vectors do not wait for them
    import torch
    import transformers
    from transformers.utils import logging

    device = device or ("cuda" if torch.cuda.is_available() and dtype != "int8" else "cpu")
    if dtype == "int8" and torch.device(device).type != "cpu":
        raise ValueError(f"int8 works on the CPU only, not on {device}: take dtype='bfloat16' there, or device='cpu'")
    logging.disable_progress_bar()  # it would stay in a notebook's output
    source, local = model_folder(name_or_path), name_or_path in ASSETS or Path(name_or_path).is_dir()
    options = {}
    if not local and (commit := _commit(name_or_path)):
        options["revision"] = commit  # the one that is here already, which the cached vectors belong to
    elif not local:
        _ask_hub(name_or_path, reader)
    # one way to resize an image on every machine: the other needs torchvision, and rounds differently
    ways = {"backend": "pil"} if reader == "AutoImageProcessor" else {}
    try:
        prepared_by = getattr(transformers, reader).from_pretrained(source, **ways, **options)
        weights = torch.bfloat16 if dtype == "bfloat16" else torch.float32
        options |= {"dtype": weights, "output_loading_info": True}
        model, report = transformers.AutoModel.from_pretrained(source, **options)
    except (OSError, ValueError) as error:
        raise ValueError(_why_not(name_or_path, error, reader)) from None
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    model.config.use_cache = False  # a decoder would keep keys and values for a next token that never comes
    model.untrained = set(report["missing_keys"])
    return prepared_by, _on_device(model.eval(), dtype, device)


def _on_device(model, dtype: str, device):
    import torch

    from recsys_lib.encoders.cpu_linear import Int8Linear, OneDNNLinear, fuse_gelu, replace_linear

    if dtype == "int8":
        if not replace_linear(model, Int8Linear):
            raise ValueError("this model has no nn.Linear layer, so that int8 changes nothing: take dtype='bfloat16'")
    elif dtype == "bfloat16" and model.config.model_type == "xlnet":
        raise ValueError("transformers' XLNet does not compute in bfloat16 (its positions stay float32): take float32")
    elif dtype == "float32" and torch.device(device).type == "cpu" and OneDNNLinear.works_here():
        replace_linear(model, OneDNNLinear)
        fuse_gelu(model)
    return model.to(device)


def _why_not(name_or_path: str, error: Exception, reader: str) -> str:
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__).rstrip(".")
    return (
        f"cannot load the model {name_or_path!r}: {reason}. It is neither an asset ({', '.join(PACKAGED[reader])}) nor "
        f"a folder with a model here. Check the spelling; a Hugging Face id needs the network once, or give the "
        f"path of a folder that `save_pretrained` wrote"
    )


def _ask_hub(name_or_path: str, reader: str) -> None:
    """ValueError at once if the hub cannot be reached or has no such model: transformers would try for a minute."""
    from huggingface_hub import HfApi

    try:
        HfApi().model_info(name_or_path, timeout=10)
    except Exception as error:  # of whichever library carries the request
        raise ValueError(_why_not(name_or_path, error, reader)) from None


def _commit(repository: str) -> str | None:
    from huggingface_hub import try_to_load_from_cache

    try:
        config = try_to_load_from_cache(repository, "config.json")
    except ValueError:  # not the form of an id: from_pretrained says so better
        return None
    return Path(config).parent.name if isinstance(config, str) else None


def _unpacked(folder: Path, file: Path) -> Path:
    """The bfloat16 copy of a GGUF model, beside its folder; made the first time (about 20 seconds)."""
    copy = folder.with_name(f"{folder.name}-bfloat16")
    if copy.is_dir():
        return copy
    import torch
    import transformers
    from transformers import modeling_gguf_pytorch_utils as gguf

    transformers.utils.logging.disable_progress_bar()
    options = {"gguf_file": file.name, "dtype": torch.float32}
    if hasattr(transformers, "GgufConfig"):  # newer releases leave the weights packed, and cannot save them
        options["quantization_config"] = transformers.GgufConfig(dequantize=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=file.name)
    bar = partial(tqdm, leave=False, file=sys.__stderr__, disable=None)  # theirs would stay in a notebook's output
    with mock.patch.object(gguf, "tqdm", bar, create=True):
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, **options).to(torch.bfloat16)
    with tempfile.TemporaryDirectory(prefix=".unpack-", dir=folder.parent) as scratch:
        target = Path(scratch) / "model"
        model.save_pretrained(target)
        tokenizer.save_pretrained(target)
        try:
            os.replace(target, copy)  # in one step: an interruption leaves no half copy
        except OSError:
            if not copy.is_dir():
                raise
    return copy
