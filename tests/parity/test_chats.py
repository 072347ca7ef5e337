"""Chats become the text, the ids and the answers that the reference makes of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import tfx_core
from tfx_testing.byte_tokenizer import byte_ids, save_byte_tokenizer

SPECIAL = ("<pad>", "<s>", "</s>")
ROLES = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}

CHATML = """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}<|im_start|>system
You are helpful.<|im_end|>
{% endif %}
{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- endif %}"""

ALTERNATING = """{% if messages[0]['role'] == 'system' %}
    {% set loop_messages = messages[1:] %}
    {% set system_message = messages[0]['content'] %}
{% else %}
    {% set loop_messages = messages %}
    {% set system_message = false %}
{% endif %}
{% for message in loop_messages %}
    {% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
    {% endif %}
    {% if loop.index0 == 0 and system_message != false %}
        {% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}
    {% else %}
        {% set content = message['content'] %}
    {% endif %}
    {% if message['role'] == 'user' %}
        {{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}
    {% elif message['role'] == 'assistant' %}
        {{ ' ' + content.strip() + ' ' + eos_token }}
    {% endif %}
{% endfor %}"""

GENERATING = """{{ bos_token }}{% for message in messages %}<|{{ message.role }}|>
{% if message.role == 'assistant' %}{% generation %}{{ message.content }}{{ eos_token }}{% endgeneration %}
{% else %}{{ message.content }}
{% endif %}{% endfor %}"""

WITH_TOOLS = """{%- macro shown(tool) %}{{ tool.name }}: {{ tool | tojson(indent=2) }}{% endmacro %}
{%- if tools %}Tools:{% for tool in tools %}{{ shown(tool) }}{% if loop.index == 2 %}{% break %}{% endif %}{% endfor %}
{%- endif %}{% if documents is not none %}{{ documents | map(attribute='text') | join(', ') }}{% endif %}
{% set space = namespace(last='') %}{% for message in messages %}{% set space.last = message.role %}{% endfor %}
{{ messages | tojson }} {{ {"b": 1, "a": messages[0].role} | tojson(sort_keys=true) }} {{ space.last }}
{{ name | default('nobody') }} {{ strftime_now('%Y') | length }} {{ '<&>' }} {{ tools is defined }}"""

TEMPLATES = {"chatml": CHATML, "alternating": ALTERNATING, "generating": GENERATING, "tools": WITH_TOOLS}

HELLO = [{"role": "user", "content": " Hello, 'you' <&> é日 "}]
LONGER = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is 2+2?\n"},
    {"role": "assistant", "content": "It is 4.  "},
    {"role": "user", "content": "Sure?"},
    {"role": "assistant", "content": "\tThe end "},
]
CHATS = [HELLO, LONGER, LONGER[:4], [*LONGER[1:], {"role": "user", "content": "It is 4."}]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random GPT-2 and a tokenizer of bytes."""
    folder = tmp_path_factory.mktemp("chats")
    save_byte_tokenizer(folder, SPECIAL, ROLES)
    torch.manual_seed(1)
    config = transformers.GPT2Config(
        vocab_size=len(byte_ids(SPECIAL)), n_embd=16, n_layer=2, n_head=2, n_positions=512, eos_token_id=2
    )
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def theirs(folder: Path) -> Any:
    return transformers.AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def ours(folder: Path) -> Any:
    return tfx_core.load_tokenizer(folder)


def outcome(tokenizer: Any, chat: object, **options: Any) -> Any:
    try:
        found = tokenizer.apply_chat_template(chat, **options)
    except Exception as error:
        return type(error).__name__ in ("TemplateError", "ValueError", "TextError", "InputError"), ""
    return plain(found)


def plain(found: Any) -> Any:
    if isinstance(found, torch.Tensor | np.ndarray):
        return found.tolist()
    return {name: plain(value) for name, value in found.items()} if hasattr(found, "items") else found


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize(
    "options",
    [
        {"tokenize": False},
        {"add_generation_prompt": True, "tokenize": False},
        {"continue_final_message": True, "tokenize": False},
        {},
        {"return_dict": True},
        {"return_dict": True, "return_tensors": "pt"},
        {"return_tensors": "np"},
        {"truncation": True, "max_length": 7},
        {"return_dict": True, "return_assistant_tokens_mask": True},
        {"return_dict": True, "return_assistant_tokens_mask": True, "truncation": True, "max_length": 60},
        {"tools": [{"name": "f", "x": "<é>"}, {"name": "g"}, {"name": "h"}], "tokenize": False},
        {"documents": [{"text": "a"}, {"text": "b"}], "name": "Ann", "tokenize": False},
    ],
    ids=str,
)
def test_a_chat_is_written_as_in_the_reference(template: str, options: dict[str, Any], ours: Any, theirs: Any) -> None:
    for chat in CHATS:
        options = {"chat_template": TEMPLATES[template], **options}
        expected = outcome(theirs, chat, **options)
        assert outcome(ours, chat, **options) == expected


def test_several_chats_are_rows(ours: Any, theirs: Any) -> None:
    for options in (
        {"tokenize": False},
        {},
        {"padding": True, "return_tensors": "pt", "return_dict": True},
        {"padding": True, "return_tensors": "pt", "return_dict": True, "return_assistant_tokens_mask": True},
        {"return_dict": True, "return_assistant_tokens_mask": True},
        {"tokenizer_kwargs": {"return_offsets_mapping": True}, "return_dict": True},
    ):
        options = {"chat_template": GENERATING, **options}
        assert outcome(ours, CHATS, **options) == outcome(theirs, CHATS, **options)


@pytest.mark.parametrize("templates", [CHATML, {"default": CHATML, "tool_use": WITH_TOOLS}], ids=["one", "named"])
def test_saved_templates_are_read_by_both(templates: Any, folder: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "theirs", tmp_path / "ours"
    reference = transformers.AutoTokenizer.from_pretrained(folder)
    reference.chat_template = templates
    reference.save_pretrained(one)
    read = tfx_core.load_tokenizer(one)
    assert read.chat_template == templates
    read.save_pretrained(other)
    assert transformers.AutoTokenizer.from_pretrained(other).chat_template == templates
    assert tfx_core.load_tokenizer(other).chat_template == templates


def test_templates_in_the_config_stay_there(folder: Path, tmp_path: Path) -> None:
    entry = [{"name": "default", "template": CHATML}, {"name": "mine", "template": GENERATING}]
    save_byte_tokenizer(tmp_path, SPECIAL, {**ROLES, "chat_template": entry})
    read = tfx_core.load_tokenizer(tmp_path)
    read.save_pretrained(tmp_path / "saved")
    assert json.loads((tmp_path / "saved/tokenizer_config.json").read_text())["chat_template"] == entry
    both = transformers.AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert both.chat_template == read.chat_template == {each["name"]: each["template"] for each in entry}


@pytest.mark.parametrize("options", [{}, {"return_full_text": False}, {"continue_final_message": False}], ids=str)
def test_a_chat_is_answered_as_in_the_reference(options: dict[str, Any], folder: Path, theirs: Any) -> None:
    greedy = {"do_sample": False, "max_new_tokens": 6, **options}
    ours = tfx_core.pipeline("text-generation", str(folder))
    ours.tokenizer.chat_template = theirs.chat_template = CHATML
    reference = transformers.pipeline("text-generation", model=str(folder), tokenizer=theirs, device="cpu")
    for chat in (HELLO, LONGER, LONGER[:4]):
        assert ours(chat, **greedy) == reference(chat, **greedy)
    # of several each has its one dict here, and a list of it there
    assert ours([HELLO, LONGER], **greedy) == [record for (record,) in reference([HELLO, LONGER], **greedy)]
