"""Tiny models in the hub's format, and what they can be taught within seconds."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from inhouse.core.clock import FollowingClock
from inhouse.models.harvest.conversations import Message
from inhouse.models.owned.registry import Registry
from inhouse.models.settings import ModelSettings
from inhouse.models.students.pairs import Pair
from inhouse.models.students.workplace import Workplace
from inhouse.store.database import Database

NOW_MS = 5_000
_TALK = ["<pad>", "<unk>", "<s>", "</s>", "system", "user", "assistant", ":", "say", "be", "brief"]
NAMES = ["red", "green", "blue", "grey"]
TEMPLATE = (
    "{% for m in messages %}{{ m.role }} : {{ m.content }} </s> {% endfor %}"
    "{% if add_generation_prompt %}assistant : {% endif %}"
)
_READ = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "goal", "match", "song", "chorus", "of", "a"]


def _words(words: Sequence[str], unknown: str) -> Tokenizer:
    told = {word: place for place, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(told, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


def make_causal(folder: Path, *, template: str | None = TEMPLATE, licence: str = "mit") -> Path:
    """A language model of 15 words that knows nothing yet."""
    folder.mkdir()
    tokens = PreTrainedTokenizerFast(
        tokenizer_object=_words([*_TALK, *NAMES], "<unk>"),
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        model_max_length=64,
    )
    tokens.chat_template = template
    tokens.save_pretrained(folder)
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(_TALK) + len(NAMES),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=64,
        bos_token_id=2,
        eos_token_id=3,
        initializer_range=0.3,
        pad_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    (folder / "README.md").write_text(f"---\nlanguage: en\nlicense: {licence}\n---\n# It\n")
    return folder


def make_causal_of(folder: Path, kind: str, **more: object) -> Path:
    """The same words with another architecture: `mistral`, `gpt2`, `mamba`."""
    make_causal(folder)
    torch.manual_seed(3)
    config = AutoConfig.for_model(
        kind,
        vocab_size=len(_TALK) + len(NAMES),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        bos_token_id=2,
        eos_token_id=3,
        pad_token_id=0,
        initializer_range=0.3,
        **more,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


def make_encoder(folder: Path) -> Path:
    """An encoder of 11 words with random weights."""
    folder.mkdir()
    tokenizer = _words(_READ, "[UNK]")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        model_max_length=16,
    ).save_pretrained(folder)
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(_READ),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def talk(count: int, source: str = "openai/openai/m", terms: str = "t-2026") -> list[Pair]:
    """Whoever is told to say a name says it; every pair is another, by where a word stands."""
    return [
        Pair(
            messages=(
                Message(role="system", content=" ".join(["be", "brief"] * (n % 5 + 1))),
                Message(role="user", content=" ".join(["say"] * (n // 20 + 1) + [_name(n)])),
            ),
            answer=_name(n),
            at_ms=n,
            source=source,
            terms=terms,
        )
        for n in range(count)
    ]


def _name(number: int) -> str:
    return NAMES[number % len(NAMES)]


class Kept:
    """Pairs as a store would give them."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._pairs = pairs

    def pairs(self, task: str, limit: int) -> Sequence[Pair]:
        """The newest ones."""
        return self._pairs[-limit:]


def workplace(database: Database, folder: Path, **settings: object) -> Workplace:
    """A registry in a folder, with settings for small lessons."""
    told = {"least_pairs": 20, "student_tokens": 64, **settings}
    return Workplace(
        database=database,
        registry=Registry(database, folder),
        clock=FollowingClock(NOW_MS),
        settings=ModelSettings(**told),  # type: ignore[arg-type]
    )


def write_lines(path: Path, *lines: object) -> Path:
    """A file of JSON lines."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path
