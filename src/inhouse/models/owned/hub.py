"""Models that others made, from the Hugging Face hub or a folder (extras `hf`, `students`).

Weights are read from safetensors alone, and code that comes with a model is never run. torch and
transformers are loaded by whoever calls these, not by importing this.
"""

import re
from pathlib import Path
from typing import Any, Final

from inhouse.core.errors import SettingError

_LICENCE: Final = re.compile(r"\A---\s*\n(?:.*\n)*?license:\s*[\"']?([\w.+-]+)", re.MULTILINE)
_README: Final = "README.md"
_MOST_README: Final = 65_536


def transformers_here() -> Any:
    """The library. Raises SettingError where the extra is missing."""
    try:
        import transformers  # noqa: PLC0415
    except ImportError:
        raise SettingError(
            "a model that others made needs the package transformers; pip install 'inhouse[hf]' to "
            "run it, 'inhouse[students]' to teach it"
        ) from None
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    return transformers


def peft_here() -> Any:
    """The library that teaches few weights instead of all. Raises SettingError as above."""
    try:
        import peft  # noqa: PLC0415
    except ImportError:
        raise SettingError(
            "teaching few weights (LoRA) needs the package peft; pip install 'inhouse[students]', "
            "or teach all of them with --full"
        ) from None
    return peft


def load_tokens(name: str) -> Any:
    """The tokenizer of a model. Raises SettingError where it cannot be read."""
    return _loaded(name, "AutoTokenizer")


def load_encoder(name: str) -> Any:
    """A model that turns tokens into vectors, in float32, at rest."""
    return _loaded(name, "AutoModel", use_safetensors=True, dtype="float32").eval()


def load_judge(name: str) -> Any:
    """A model that somebody taught to tell labels, at rest."""
    return _loaded(name, "AutoModelForSequenceClassification", use_safetensors=True).eval()


def load_causal(name: str, dtype: str = "float32") -> Any:
    """A model that says which token comes next, at rest. dtype: float32 or bfloat16."""
    return _loaded(name, "AutoModelForCausalLM", use_safetensors=True, dtype=dtype).eval()


def _loaded(name: str, kind: str, **how: Any) -> Any:
    library = transformers_here()
    try:
        return getattr(library, kind).from_pretrained(name, **how)
    except (OSError, ValueError, RuntimeError, KeyError, ImportError) as error:
        raise SettingError(f"cannot load the checkpoint {name!r}: {str(error)[:300]}") from error


def licence_of(name: str) -> str | None:
    """Under which licence a model says it came, from the head of its README; None where it says
    nothing."""
    path = Path(name) / _README
    if not Path(name).is_dir():
        cached = transformers_here().utils.cached_file(
            name, _README, _raise_exceptions_for_missing_entries=False
        )
        path = Path(cached) if cached else path
    try:
        found = _LICENCE.search(path.read_text("utf-8", errors="replace")[:_MOST_README])
    except OSError:
        return None
    return found[1] if found else None


def most_tokens_of(model: Any, tokens: Any, bound: int) -> int:
    """How many tokens a model reads at most, and never more than `bound`."""
    told = (
        getattr(model.config, "max_position_embeddings", None),
        getattr(tokens, "model_max_length", None),
    )
    return min([bound, *(int(one) for one in told if one is not None and 0 < one < 1 << 40)])
