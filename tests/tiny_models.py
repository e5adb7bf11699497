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
