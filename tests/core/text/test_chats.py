"""Chats: what their templates may do, where they fail, and what is no chat."""

import builtins
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.core.text.folders import read, small, write
from tfx_core import Tokenizer
from tfx_core.errors import InputError, TextError

CHAT = [{"role": "user", "content": "a b"}, {"role": "assistant", "content": "the end"}]
TEMPLATE = "{% for each in messages %}<{{ each.role }}>{{ each.content }}<end>{% endfor %}"


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return small(tmp_path / "small")


def written(tokenizer: Tokenizer, template: str, chat: Any = CHAT, **options: Any) -> Any:
    return tokenizer.apply_chat_template(chat, chat_template=template, tokenize=False, **options)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("a\n{% if x %}", "chat template, line 2 ({% if x %}): Unexpected end of template"),
        ("a\nb{{ messages[7].role }}", "chat template, line 2 (b{{ messages[7].role }}): list object has no element 7"),
        ("{{ raise_exception('no system') }}", "line 1 ({{ raise_exception('no system') }}): no system"),
        ("{{ messages.__class__.__mro__ }}", "access to attribute '__class__' of 'list' object is unsafe"),
        ("{{ ''.format.__globals__.x }}", "is unsafe"),
        ("{{ messages.append(1) }}", "access to attribute 'append' of 'list' object is unsafe"),
        ("{{ messages[0].update(a=1) }}", "is unsafe"),
        ("{{ cycler.__init__.__globals__ }}", "is unsafe"),
        ("{% include 'secret' %}", "chat template, line 1"),
        ("{% for i in range(10 ** 9) %}{% endfor %}", "OverflowError: Range too big"),
        ("{{ messages + 1 }}", "TypeError: can only concatenate list"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "RecursionError"),
        ("{{ strftime_now(3) }}", "TypeError"),
    ],
)
def test_a_template_reaches_nothing_else_and_is_named_with_its_line(
    template: str, said: str, tokenizer: Tokenizer
) -> None:
    with pytest.raises(TextError) as raised:
        written(tokenizer, template)
    assert str(raised.value).startswith("chat template")
    assert said in str(raised.value)


def test_an_open_file_is_out_of_reach(tokenizer: Tokenizer) -> None:
    assert written(tokenizer, "{{ open }}{{ import }}{{ __import__ }}") == ""


def test_what_is_continued_ends_with_the_last_message(tokenizer: Tokenizer) -> None:
    assert written(tokenizer, TEMPLATE, continue_final_message=True) == "<user>a b<end><assistant>the end"
    trimmed = TEMPLATE.replace("each.content", "each.content | trim")
    blank = [{"role": "assistant", "content": " end "}]
    assert written(tokenizer, TEMPLATE, blank, continue_final_message=True) == "<assistant> end "
    assert written(tokenizer, trimmed, blank, continue_final_message=True) == "<assistant>end"
    parts = [{"role": "user", "content": [{"type": "text", "text": "x"}]}]
    assert written(tokenizer, "<{{ messages[0].content[0].text }}>", parts, continue_final_message=True) == "<x"
    with pytest.raises(InputError, match="does not hold the last message's content"):
        written(tokenizer, "nothing", continue_final_message=True)
    with pytest.raises(InputError, match="the last message's content, None, is no text"):
        written(tokenizer, TEMPLATE, [{"role": "user", "content": None}], continue_final_message=True)


@pytest.mark.parametrize(
    ("chat", "said"),
    [
        ([], r"\[\] is no chat; a chat is a list of messages"),
        ("hello", "'hello' is no chat"),
        (CHAT[0], "is no chat"),
        ([CHAT, ["x"]], r"\['x'\] is no chat"),
        ([*CHAT, "x"], "is no chat"),
        (3, "3 is no chat"),
    ],
)
def test_what_is_no_chat_is_refused(chat: object, said: str, tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match=said):
        written(tokenizer, TEMPLATE, chat)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"return_dict": True}, "return_dict=True needs tokens"),
        ({"tokenize": True, "return_assistant_tokens_mask": True}, "say return_dict=True"),
        ({"continue_final_message": True, "add_generation_prompt": True}, "leave add_generation_prompt out"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], said: str, tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match=said):
        tokenizer.apply_chat_template(CHAT, **{"chat_template": TEMPLATE, "tokenize": False, **options})


def test_marks_are_not_mistaken_for_what_a_chat_holds(tokenizer: Tokenizer) -> None:
    template = "{% for each in messages %}{% generation %}{{ each.content }}{% endgeneration %}{% endfor %}"
    chat = [{"role": "user", "content": "a\ufdd0b"}]
    mask = tokenizer.apply_chat_template(
        chat, chat_template=template, return_dict=True, return_assistant_tokens_mask=True
    )
    assert set(mask["assistant_masks"]) == {1}
    with pytest.raises(TextError, match=r"U\+FDD0"):
        written(
            tokenizer, template, [{"role": "user", "content": "\ufdd0\ufdd1\ufdd2\ufdd3"}], continue_final_message=True
        )


def test_without_jinja2_the_extra_is_named(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def refusing(name: str, *rest: Any, **options: Any) -> Any:
        if name.partition(".")[0] == "jinja2":
            raise ModuleNotFoundError(name)
        return imported(name, *rest, **options)

    monkeypatch.delitem(sys.modules, "tfx_core.text.chat_rendering", raising=False)
    monkeypatch.setattr(builtins, "__import__", refusing)
    with pytest.raises(TextError, match=r"pip install 'tfx-core\[chat\]'"):
        written(tokenizer, TEMPLATE)


def test_a_mistyped_keyword_of_a_call_is_told(tokenizer: Tokenizer) -> None:
    with pytest.raises(TypeError, match=r"tokenizer\(…\) takes no 'truncate': did you mean 'truncation'\?"):
        tokenizer("a", truncate=True)  # type: ignore[call-arg]  # the mistake


def test_no_template_and_several_are_told(tokenizer: Tokenizer) -> None:
    with pytest.raises(TextError, match="this tokenizer has no chat template"):
        tokenizer.apply_chat_template(CHAT)
    tokenizer.chat_template = {"one": "1", "two": "2"}
    with pytest.raises(TextError, match=r"say chat_template= one of \['one', 'two'\]"):
        tokenizer.apply_chat_template(CHAT)
    assert written(tokenizer, "two") == "2"
    with pytest.raises(TextError, match="chat_template is 3; it must be a template, or a list"):
        tokenizer.chat_template = 3  # type: ignore[assignment]  # the mistake
    with pytest.raises(AttributeError, match="did you mean 'chat_template'"):
        tokenizer.chat_templat  # noqa: B018


@pytest.mark.parametrize("value", [3, ["x"], [{"name": "a"}], [{"name": ["a"], "template": "x"}], {"a": 1}], ids=str)
def test_what_is_no_template_in_a_file_is_named(value: object, tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"tokenizer_config.json: chat_template is .*; it must be a template"):
        small(tmp_path / "small", {"chat_template": value})


def test_a_file_goes_before_the_config_and_a_keyword_before_both(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    small(folder, {"chat_template": "config"}, **{"chat_template.jinja": "file"})
    assert read(folder).chat_template == "file"
    assert read(folder, chat_template="given").chat_template == "given"
    write(folder, {"chat_template.jinja": b"\xff"})
    with pytest.raises(TextError, match=r"chat_template.jinja: cannot be read"):
        read(folder)


def test_saving_leaves_no_older_template(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(tmp_path / "saved")
    assert read(tmp_path / "saved").chat_template == TEMPLATE
    tokenizer.chat_template = {"default": TEMPLATE, "tool_use": "tools"}
    tokenizer.save_pretrained(tmp_path / "saved")
    assert read(tmp_path / "saved").chat_template == {"default": TEMPLATE, "tool_use": "tools"}
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(tmp_path / "saved")
    assert read(tmp_path / "saved").chat_template == TEMPLATE
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path / "saved")
    assert read(tmp_path / "saved").chat_template is None
