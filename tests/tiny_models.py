"""Pretrained models for unit tests, made on the spot: random weights, no network."""

LETTERS = [chr(code) for code in range(97, 123)] + list("0123456789().")


def save_bert(folder, *, words=(), n_layers: int = 2) -> str:
    """The folder of a BERT of 16 dimensions that knows some words and spells the others."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *LETTERS, *("##" + one for one in LETTERS)]
    BertTokenizerFast(vocab={word: number for number, word in enumerate(vocabulary)}).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=n_layers,
        num_attention_heads=2,
        intermediate_size=32,
    )
    BertModel(config).save_pretrained(folder)
    return str(folder)


def save_vision(kind: str, folder) -> str:
    """The folder of a vision model of 16 dimensions for images of 32 pixels: "vit", "vit-unpooled", "resnet", "clip".

    "vit-unpooled" is a classifier's checkpoint: `AutoModel` gives it a pooler with random weights.
    """
    import torch
    import transformers as t

    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    vision = {**size, "image_size": 32, "patch_size": 8}
    if kind == "resnet":
        config = t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
        model = t.ResNetModel(config)
    elif kind == "clip":
        text = {**size, "vocab_size": 50, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
        model = t.CLIPModel(t.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8))
    else:
        config = t.ViTConfig(**vision)
        model = t.ViTModel(config) if kind == "vit" else t.ViTForImageClassification(config)
    with torch.no_grad():  # random weights of the usual size leave all images nearly alike
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(10)
    model.save_pretrained(folder)
    t.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return str(folder)


def save_sound(kind: str, folder) -> str:
    """The folder of a sound model of 16 dimensions at 16 kHz: "wav2vec2" (any length), "ast" (a padded second)."""
    import torch
    import transformers as t

    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    if kind == "wav2vec2":
        convolutions = {"conv_dim": (16, 16), "conv_stride": (20, 16), "conv_kernel": (40, 16)}
        positions = {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}
        model = t.Wav2Vec2Model(t.Wav2Vec2Config(**size, **convolutions, **positions, num_feat_extract_layers=2))
        extractor = t.Wav2Vec2FeatureExtractor(do_normalize=True)
    else:
        model = t.ASTModel(t.ASTConfig(**size, max_length=100, num_mel_bins=32))
        extractor = t.ASTFeatureExtractor(num_mel_bins=32, max_length=100)
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return str(folder)
