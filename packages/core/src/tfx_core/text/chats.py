"""Chats: lists of messages, written as the text that a model was trained to read chats in."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tfx_core.errors import InputError, TextError, shown
from tfx_core.habits import hint
from tfx_core.text.columns import TensorKind, as_tensor
from tfx_core.text.known_tokens import KnownTokens
from tfx_core.text.lengths import PaddingOption
from tfx_core.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from tfx_core.text.batch import Batch

Chat: TypeAlias = Sequence[Mapping[str, Any]]
"""Messages, each with its ``role`` and ``content``, and whatever else a template reads."""

_Written: TypeAlias = tuple[str, Sequence[tuple[int, int]]]
"""A text, and the characters from where to where an assistant wrote it."""

ChatTemplate: TypeAlias = str | dict[str, str] | None
"""A jinja2 template, or several by their names; None where there is none."""

TEMPLATE_FILE = "chat_template.jinja"

_DEFAULT, _WITH_TOOLS = "default", "tool_use"

NAMED_TEMPLATES = {name: f"additional_chat_templates/{name}.jinja" for name in (_WITH_TOOLS, "rag")}
"""Where folders keep templates beside the default one: those names that have a meaning, for files cannot be listed."""


class Chats(KnownTokens, ABC):
    """How a tokenizer reads chats."""

    def __init__(self, vocabulary: Vocabulary, chat_template: ChatTemplate = None) -> None:
        super().__init__(vocabulary)
        self.chat_template = chat_template

    @property
    def chat_template(self) -> ChatTemplate:
        """The jinja2 template that makes a text of a chat, or several of them by their names."""
        return self._chat_template

    @chat_template.setter
    def chat_template(self, template: ChatTemplate) -> None:
        self._chat_template = read_templates(template, "chat_template")

    @abstractmethod
    def __call__(self, *texts: Any, **options: Any) -> "Batch":
        """The inputs of a model for texts."""

    def get_chat_template(self, chat_template: str | None = None, tools: Sequence[object] | None = None) -> str:
        """The template to use: the one given, or that of this name, else the default (with tools ``"tool_use"``).

        Raises `TextError` where there is none.
        """
        templates = self.chat_template
        if isinstance(templates, dict) and (chat_template is None or chat_template in templates):
            preferred = _WITH_TOOLS if tools is not None and _WITH_TOOLS in templates else _DEFAULT
            name = preferred if chat_template is None else chat_template
            if name not in templates:
                raise TextError(f"this tokenizer has several chat templates: say chat_template= one of {[*templates]}")
            return templates[name]
        template = templates if chat_template is None else chat_template
        if not isinstance(template, str):
            raise TextError(
                "this tokenizer has no chat template: it is of a model that was not trained on chats, or its folder "
                "lacks it; set tokenizer.chat_template or give chat_template="
            )
        return template

    def apply_chat_template(
        self,
        conversation: Chat | Sequence[Chat],
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, str]] | None = None,
        chat_template: str | None = None,
        add_generation_prompt: bool = False,
        continue_final_message: bool = False,
        tokenize: bool = True,
        padding: PaddingOption = False,
        truncation: bool = False,
        max_length: int | None = None,
        return_tensors: TensorKind = None,
        return_dict: bool = False,
        return_assistant_tokens_mask: bool = False,
        tokenizer_kwargs: Mapping[str, Any] | None = None,
        **variables: Any,
    ) -> Any:
        """The token ids of one chat, or of several; the text with ``tokenize=False``, a `Batch` with ``return_dict``.

        The template, `get_chat_template`, is rendered by jinja2 in its sandbox (``tfx-core[chat]``), with the special
        tokens by their roles and ``variables``; what it writes gets no further special tokens. It may take long, but
        reaches nothing but what it is given. ``add_generation_prompt`` ends with what begins an answer,
        ``continue_final_message`` within the last message. ``return_assistant_tokens_mask`` adds ``assistant_masks``,
        1 for tokens in the template's ``{% generation %}`` blocks. ``tools`` are JSON schemas of functions. Raises
        `TextError` for a template that fails, saying where, `InputError` for what is no chat.
        """
        if return_dict and not tokenize:
            raise InputError("return_dict=True needs tokens: leave tokenize=False out")
        if return_assistant_tokens_mask and not return_dict:
            raise InputError("return_assistant_tokens_mask=True gives a further column: say return_dict=True")
        if continue_final_message and add_generation_prompt:
            raise InputError("continue_final_message ends within a message: leave add_generation_prompt out")
        chats, single = _chats(conversation)
        given: dict[str, Any] = {"tools": _schemas(tools), "documents": documents}
        given |= {"add_generation_prompt": add_generation_prompt, **variables}
        given = {**self.special_tokens_map, **given}
        template = self.get_chat_template(chat_template, tools)
        write = _writer(continue_final_message, return_assistant_tokens_mask)
        written = [write(template, chat, given) for chat in chats]
        texts = [text for text, _ in written]
        wanted = texts[0] if single else texts
        if not tokenize:
            return wanted
        options: dict[str, Any] = {"padding": padding, "truncation": truncation, "max_length": max_length}
        options |= {"return_tensors": return_tensors, "add_special_tokens": False, **(tokenizer_kwargs or {})}
        batch = self(wanted, **options)
        if return_assistant_tokens_mask:
            masks = [_mask(batch, row, spans) for row, (_, spans) in enumerate(written)]
            batch["assistant_masks"] = _columns(masks, return_tensors, single)
        return batch if return_dict else batch["input_ids"]


def is_chat(value: object) -> bool:
    """Whether something is one chat, and not a list of chats or of texts."""
    return isinstance(value, Sequence) and len(value) > 0 and isinstance(value[0], Mapping) and "role" in value[0]


def _chats(conversation: object) -> tuple[list[Chat], bool]:
    """The chats, and whether it is one alone."""
    if is_chat(conversation) or isinstance(conversation, str) or not isinstance(conversation, Sequence):
        return [checked_chat(conversation)], True
    return [checked_chat(chat) for chat in conversation or [conversation]], False


def checked_chat(chat: object) -> Chat:
    """A chat; raises `InputError` that says what a chat is."""
    if not (is_chat(chat) and isinstance(chat, Sequence) and all(is_chat([message]) for message in chat)):
        raise InputError(
            f'{shown(chat)} is no chat; a chat is a list of messages like {{"role": "user", "content": "Hello!"}}'
        )
    return chat


def read_templates(value: object, where: str) -> ChatTemplate:
    """Templates as ``tokenizer_config.json`` has them: one, or a list of named ones; raises `TextError`."""
    if value is None or isinstance(value, str):
        return value
    pairs: list[tuple[object, object]] | None = [*value.items()] if isinstance(value, Mapping) else None
    if isinstance(value, list | tuple) and all(isinstance(each, Mapping) for each in value):
        pairs = [(each.get("name"), each.get("template")) for each in value]
    if pairs is None or not all(isinstance(name, str) and isinstance(text, str) for name, text in pairs):
        raise TextError(
            f'{where} is {shown(value)}; it must be a template, or a list of {{"name": …, "template": …}} of strings'
        )
    return {str(name): str(text) for name, text in pairs}


def template_files(template: ChatTemplate) -> dict[str, bytes]:
    """Templates in files of their own: name -> contents; empty where not every one has such a file."""
    named = template if isinstance(template, dict) else {} if template is None else {_DEFAULT: template}
    places = {_DEFAULT: TEMPLATE_FILE, **NAMED_TEMPLATES}
    if _DEFAULT not in named or not named.keys() <= places.keys():
        return {}
    return {places[name]: text.encode("utf-8") for name, text in named.items()}


def template_entry(template: ChatTemplate) -> dict[str, Any]:
    """Templates as an entry of ``tokenizer_config.json``."""
    if isinstance(template, dict):
        return {"chat_template": [{"name": name, "template": text} for name, text in template.items()]}
    return {} if template is None else {"chat_template": template}


def _writer(continues: bool, marked: bool) -> Callable[[str, Chat, Mapping[str, Any]], _Written]:
    """What makes a text of template, chat and variables, and says where an assistant wrote if that is asked for."""
    try:
        from tfx_core.text.chat_rendering import render, render_marked
    except ImportError as error:
        raise TextError("a chat template is rendered by jinja2: pip install 'tfx-core[chat]'") from error
    if continues and marked:
        raise InputError("continue_final_message ends within a message: leave return_assistant_tokens_mask out")
    if continues:
        return lambda template, chat, given: (_within_last(template, chat, given), ())
    if marked:
        return lambda template, chat, given: render_marked(template, {**given, "messages": chat})
    return lambda template, chat, given: (render(template, {**given, "messages": chat}), ())


def _within_last(template: str, chat: Chat, given: Mapping[str, Any]) -> str:
    """The text of a chat as far as it holds the last message, without what the template writes behind that."""
    from tfx_core.text.chat_rendering import mark_for, render

    text = render(template, {**given, "messages": chat})
    mark = mark_for(text)
    marked = render(template, {**given, "messages": [*chat[:-1], {**chat[-1], "content": _ending(chat[-1], mark)}]})
    begin, found, _ = marked.rpartition(mark)
    if not found:
        raise InputError("continue_final_message: what the template writes does not hold the last message's content")
    return begin if text.startswith(begin) else begin.rstrip()  # of a template that takes blanks away


def _ending(message: Mapping[str, Any], mark: str) -> Any:
    """The content of a message, a text or a list of parts, with a mark at its end."""
    content = message.get("content")
    if isinstance(content, str):
        return content + mark
    if isinstance(content, list) and content and isinstance(content[-1].get("text"), str):
        return [*content[:-1], {**content[-1], "text": content[-1]["text"] + mark}]
    raise InputError(f"continue_final_message: the last message's content, {shown(content)}, is no text")


def _schemas(tools: Sequence[object] | None) -> Sequence[object] | None:
    for tool in tools or ():
        if not isinstance(tool, Mapping):
            cure = hint("tokenizer", "tok.apply_chat_template(…, tools=[function])")
            raise InputError(f"tools: {shown(tool)} {cure}")
    return tools


def _mask(batch: "Batch", row: int, spans: Sequence[tuple[int, int]]) -> list[int]:
    """For each token of a row 1 where it lies in one of the spans of characters."""
    mask = [0] * len(batch.tokens(row))
    for start, end in spans:
        first, last = batch.char_to_token(row, start), batch.char_to_token(row, max(start, end - 1))
        if first is None:  # cut off
            break
        last = len(mask) - 1 if last is None else last
        mask[first : last + 1] = [1] * (last + 1 - first)
    return mask


def _columns(masks: list[list[int]], kind: TensorKind, single: bool) -> Any:
    """The masks in the form of the other columns."""
    if kind is None:
        return masks[0] if single else masks
    return as_tensor(np.array(masks, dtype=np.int64), kind)
