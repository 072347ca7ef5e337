"""Text-generation: prompts, continued."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

from tfx_core.errors import InputError
from tfx_core.fields import Help
from tfx_core.generation.options import GenerationOptions
from tfx_core.tasks.base import Result, evaluating
from tfx_core.tasks.generating import GeneratingOptions, GeneratingTask, NewTokens, row_of, stored_prefix
from tfx_core.tasks.options import read_options
from tfx_core.tasks.windows import ItemError, TextWindow, check_text

if TYPE_CHECKING:
    from tfx_core.text.chats import Chat

Prompt: TypeAlias = "str | Chat"

_KEY = "generated_text"


@dataclass(frozen=True, kw_only=True)
class TextGenerationOptions(GeneratingOptions):
    """Options of `TextGeneration`."""

    return_full_text: Annotated[bool, Help("give the prompt before the new text")] = True
    prefix: Annotated[str | None, Help("text before every prompt, not part of the result")] = None
    continue_final_message: Annotated[
        bool | None, Help("of a chat, go on with its last message (default: where that is the assistant's)")
    ] = None
    truncation: Annotated[bool, Help("of a prompt that leaves no room for the new tokens, keep the end")] = False


class TextGeneration(GeneratingTask[TextGenerationOptions, Prompt]):
    """Prompts or chats in, dicts with ``generated_text`` out; a list of dicts where several texts are asked for.

    As in transformers, text is sampled at temperature 0.7 and has up to 256 new tokens where neither caller nor
    checkpoint says otherwise. It is what the model wrote: blanks before punctuation are not cleaned up. A prompt is
    tokenized as the beginning of a text: what the tokenizer would put behind it (``</s>``, ``<sep><cls>``) is left off,
    and an empty prompt is the model's begin token.

    A chat is a list of ``{"role": …, "content": …}``, or a dict with such ``messages``, and becomes a prompt by the
    tokenizer's chat template. Its ``generated_text`` is the chat with the answer as its last message, or that message's
    text alone with ``return_full_text=False``.
    """

    name = "text-generation"
    heads = ("causal-lm",)
    options_type = TextGenerationOptions
    fallback: ClassVar[Mapping[str, Any]] = {"max_new_tokens": 256, "do_sample": True, "temperature": 0.7}

    def settings_name(self, options: TextGenerationOptions) -> str:
        """That of the task."""
        return self.name

    def is_single(self, inputs: object) -> bool:
        """A prompt, or a chat."""
        from tfx_core.text.chats import is_chat

        return super().is_single(inputs) or is_chat(inputs)

    def parse(self, value: object, options: TextGenerationOptions) -> Prompt:
        """A string, or a chat."""
        from tfx_core.text.chats import checked_chat

        if isinstance(value, Mapping):
            if value.keys() != {"messages"}:
                raise InputError(f"keys {sorted(map(str, value))}: a dict has 'messages'")
            return checked_chat(value["messages"])
        return checked_chat(value) if isinstance(value, list) else check_text(value, "a prompt")

    def encode(self, items: Sequence[Prompt], options: TextGenerationOptions) -> list[list[TextWindow]]:
        """One window each, without the tokens that end a text."""
        prefix = options.prefix
        if prefix is None:
            prefix = stored_prefix(self.model, self.task_settings(options))
        texts = [prefix + item for item in items if isinstance(item, str)]
        batch = self.tokenizer(texts, return_special_tokens_mask=True) if texts else {}
        of_texts = zip(batch.get("input_ids", ()), batch.get("special_tokens_mask", ()), strict=True)
        windows, codes = [], {*self.tokenizer.control_codes.values()}
        for index, item in enumerate(items):
            prompt, begin = (self._of_chat(item, options), 0) if not isinstance(item, str) else _open(*next(of_texts))
            prompt = prompt or self._begin(index, options.resolved)
            if prompt[0] in codes:  # which a prompt that is cut keeps, too
                begin = max(begin, 1)
            windows.append([row_of(self._fitting(index, prompt, begin, options))])
        return windows

    def decode(
        self, item: Prompt, windows: Sequence[TextWindow], rows: Sequence[NewTokens], options: TextGenerationOptions
    ) -> Result:
        """The prompt as it was given, and the text that the new tokens add to that of the prompt's tokens."""
        (window,), (texts,) = windows, rows
        prompt = list(window.features["input_ids"])
        known = len(self._text(prompt))
        written = [self._text(prompt + new)[known:] for new in texts]
        if not options.return_full_text:
            return self.results(written, _KEY)
        if isinstance(item, str):
            return self.results([item + text for text in written], _KEY)
        return self.results([_answered(item, text, self._continues(item, options)) for text in written], _KEY)

    def can_follow(self, **options: object) -> bool:
        """Whether `follow` can hand out text while it is generated: not with beams, and not several texts at once."""
        return _can_follow(self.settled(read_options(self.options, options, self.name)).resolved)

    def follow(self, value: object, write: Callable[[str], object], **options: object) -> Result:
        """The result of one prompt; ``write`` gets its text in pieces as they come, never a part of a character.

        The pieces together are the result's text. Raises `InputError` where `can_follow` says no.
        """
        import torch

        from tfx_core.generation import TextStreamer

        settings = read_options(self.options, options, self.name)
        self.check_options(settings)
        settings = self.settled(settings)
        if not _can_follow(settings.resolved):
            raise InputError(f"{self.name}: text can be followed with num_beams=1 and num_return_sequences=1 only")
        try:
            item = self.parse(value, settings)
            ((window,),) = self.encode([item], settings)
        except ItemError as error:
            raise InputError(error.reason) from None
        if settings.return_full_text and isinstance(item, str):
            write(item)
        prompt = list(window.features["input_ids"])
        after = _After(len(self._text(prompt)), write)
        streamer = TextStreamer(self.tokenizer, skip_special_tokens=True, write=after)
        with torch.inference_mode(), evaluating(self.model):
            (row,) = self.generated(self.collate([window]), settings, streamer)
        return self.decode(item, [window], [row], settings)

    def _of_chat(self, chat: "Chat", options: TextGenerationOptions) -> list[int]:
        continues = self._continues(chat, options)
        ids: list[int] = self.tokenizer.apply_chat_template(
            chat, add_generation_prompt=not continues, continue_final_message=continues
        )
        return ids

    def _continues(self, chat: "Chat", options: TextGenerationOptions) -> bool:
        """Whether the model is to go on with the last message."""
        asked = options.continue_final_message
        return chat[-1]["role"] == "assistant" if asked is None else asked

    def _begin(self, index: int, resolved: GenerationOptions) -> list[int]:
        """What an empty prompt is read as."""
        begin = self.tokenizer.bos_token_id if resolved.bos_token_id is None else resolved.bos_token_id
        if begin is None:
            word = "a control code, one of tokenizer.control_codes" if self.tokenizer.control_codes else "a word"
            raise ItemError(index, f"an empty prompt, and this model has no bos token to begin with; give {word}")
        return [begin]

    def _fitting(self, index: int, ids: list[int], begin: int, options: TextGenerationOptions) -> list[int]:
        """The prompt; one that is too long is cut if that was asked for, and else an `ItemError` names the limit.

        Its first ``begin`` tokens are the tokenizer's own and stay, and so does its end.
        """
        room, bound, cure = self._room(options)
        if len(ids) <= room:
            return ids
        if not options.truncation:
            raise ItemError(
                index,
                f"a prompt of {len(ids)} tokens: {bound} leaves room for {room:g}; {cure}, shorten it, or let "
                "truncation=True (--truncation) keep its end",
            )
        begin = min(begin, int(room) - 1)
        return ids[:begin] + ids[len(ids) - int(room) + begin :]

    def _room(self, options: TextGenerationOptions) -> tuple[float, str, str]:
        """Most tokens of a prompt, what bounds them and what to do; `InputError` where no token would be left."""
        resolved = options.resolved
        rooms = [(inf, "", "")]
        if resolved.max_length is not None and resolved.max_new_tokens is None:
            bound = f"max_length={resolved.max_length}"
            rooms.append((resolved.max_length - 1, bound, "set max_new_tokens, which counts without the prompt"))
        positions = self.model.max_positions
        new: int | None = options.given().get("max_new_tokens")
        if positions is not None and new is not None:
            bound = f"max_new_tokens={new} with the model's {positions} positions"
            rooms.append((positions + 1 - new, bound, "lower max_new_tokens"))
        elif positions is not None:
            # of a prompt that may be cut, a default number of new tokens takes no more than half of the positions
            new = min(resolved.max_new_tokens or 1, max(1, positions // 2)) if options.truncation else 1
            rooms.append((positions + 1 - new, f"the model's {positions} positions", "use a model that reads more"))
        room, bound, cure = min(rooms)
        if room < 1:
            raise InputError(f"{self.name}: {bound} leaves no room for a prompt; {cure}")
        return room, bound, cure

    def _text(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def _open(ids: list[int], special: list[int]) -> tuple[list[int], int]:
    """The ids of a text without the tokens that end it, and how many begin it."""
    end = len(ids)
    while end and special[end - 1]:
        end -= 1
    return ids[:end], special.index(0) if end else 0


def _answered(chat: "Chat", text: str, continues: bool) -> list[dict[str, Any]]:
    """The chat with what was written as its last message, or at the end of that."""
    messages = [dict(message) for message in chat]
    if not continues:
        return [*messages, {"role": "assistant", "content": text}]
    content = messages[-1]["content"]
    if isinstance(content, list):  # of parts, as multimodal templates have them
        return [*messages[:-1], {**messages[-1], "content": [*content, {"type": "text", "text": text}]}]
    return [*messages[:-1], {**messages[-1], "content": content + text}]


def _can_follow(resolved: GenerationOptions) -> bool:
    return not resolved.strategy.is_beam and resolved.num_return_sequences == 1


class _After:
    """Passes on what comes after the first ``skipped`` characters."""

    def __init__(self, skipped: int, write: Callable[[str], object]) -> None:
        self._left = skipped
        self._write = write

    def __call__(self, piece: str) -> None:
        text = piece[self._left :]
        self._left = max(0, self._left - len(piece))
        if text:
            self._write(text)
