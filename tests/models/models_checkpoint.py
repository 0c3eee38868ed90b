"""A tiny checkpoint in the hub's format, with weights that make its answers known."""

from pathlib import Path

import torch
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

from inhouse.models.types import HUGGING_FACE, LOCAL, Deployment

_WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "walk", "rude", "cheap", "pills"]


def make_checkpoint(folder: Path, *, multi_label: bool = True) -> Path:
    """Labels `insult` and `advert`; random weights of a fixed seed."""
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(_WORDS))
    BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=16).save_pretrained(folder)
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(_WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
        id2label={0: "insult", 1: "advert"},
        label2id={"insult": 0, "advert": 1},
        problem_type="multi_label_classification" if multi_label else "single_label_classification",
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def checkpoint_at(folder: Path, **labels: str) -> Deployment:
    """A deployment that runs it."""
    return Deployment(
        name="guard",
        host=LOCAL,
        owner="somebody",
        model=str(folder),
        dialect=HUGGING_FACE,
        labels=labels or {"insult": "harassment", "advert": "spam"},
        harvest=False,
    )
