"""Conversations as tokens: the model's own chat template, and where its answer begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from inhouse.models.harvest.conversations import Message
from inhouse.models.students.pairs import Pair

# Why an answer ended: the model or a text to stop at said so, it was as long as allowed, or it
# could not be written.
Ending = Literal["stop", "length", "failed"]
# For a model that was never taught to talk: written into its tokenizer, so that every server that
# runs it later writes conversations in the same way.
PLAIN_TEMPLATE: Final = (
    "{% for message in messages %}{{ message['role'] }}:\n{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\n\n' }}{% endfor %}"
    "{% if add_generation_prompt %}assistant:\n{% endif %}"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One conversation as tokens."""

    ids: tuple[int, ...]
    first: int  # place of the answer's first token: what stands before it is read, not learned


def with_template(tokens: Any) -> Any:
    """The tokenizer with a chat template and something to fill up rows with."""
    if not tokens.chat_template:
        tokens.chat_template = PLAIN_TEMPLATE
    if tokens.pad_token_id is None:
        tokens.pad_token = tokens.eos_token
    return tokens


def prompt_text(tokens: Any, messages: Sequence[Message]) -> str:
    """A conversation up to where the answer begins."""
    return _templated(tokens, messages, begins=True)


def ids_of(tokens: Any, text: str) -> list[int]:
    """Tokens of what a template wrote: it has written the special ones itself."""
    return list(tokens(text, add_special_tokens=False)["input_ids"])


def row_of(tokens: Any, pair: Pair, most_tokens: int) -> Row | None:
    """A pair as tokens; None where it is longer than the model reads.

    Prompt and answer are turned into tokens apart, as they are when the model is asked: no token
    lies across the border. The answer ends with the token that ends a turn.
    """
    prompt = prompt_text(tokens, pair.messages)
    answered = Message(role="assistant", content=pair.answer)
    whole = _templated(tokens, (*pair.messages, answered), begins=False)
    # Some templates leave out of earlier turns what they put before the one to come.
    rest = whole[len(prompt) :] if whole.startswith(prompt) else pair.answer
    told, said = ids_of(tokens, prompt), ids_of(tokens, rest)
    end = tokens.eos_token_id
    said = said[: said.index(end) + 1] if end in said else [*said, end]
    if len(told) + len(said) > most_tokens:
        return None
    return Row(ids=(*told, *said), first=len(told))


def _templated(tokens: Any, messages: Sequence[Message], *, begins: bool) -> str:
    """What the template makes of a conversation. Few know `developer`; one that knows no `system`
    is told of it in the first words of the user."""
    named = [replace(one, role="system") if one.role == "developer" else one for one in messages]
    try:
        return _applied(tokens, named, begins=begins)
    except Exception as error:
        # A template refuses by an error of the template language's own, which only the library that
        # renders it knows.
        if type(error).__module__.partition(".")[0] != "jinja2":
            raise
        return _applied(tokens, _without_system(named), begins=begins)


def _applied(tokens: Any, messages: Sequence[Message], *, begins: bool) -> str:
    told: list[Mapping[str, str]] = [{"role": one.role, "content": one.content} for one in messages]
    return str(tokens.apply_chat_template(told, tokenize=False, add_generation_prompt=begins))


def _without_system(messages: Sequence[Message]) -> list[Message]:
    told = "\n\n".join(one.content for one in messages if one.role == "system")
    others = [one for one in messages if one.role != "system"]
    place = next((n for n, one in enumerate(others) if one.role == "user"), None)
    if not told or place is None:
        return others
    first = replace(others[place], content=f"{told}\n\n{others[place].content}")
    return [*others[:place], first, *others[place + 1 :]]
