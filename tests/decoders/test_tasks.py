"""Text-generation with each decoder: prompts of any length together, and texts that are read as they are written."""

import dataclasses
import json
import os
import sys
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

import tfx_core
from tests.core.generation.texts import Reciting
from tests.decoders.texts import IDS, save
from tests.processes import shown_on_a_terminal
from tfx_core.cli import cli
from tfx_core.errors import ConfigError, InputError
from tfx_core.generation import generation_config
from tfx_core.tasks import ItemError

PROMPTS = ["a", "the dog sings", "naïve café 日本", "xy"]
GREEDY = {"do_sample": False, "max_new_tokens": 7}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save(tmp_path_factory.mktemp("gpt2") / "model", "gpt2")


@pytest.fixture
def generate(saved: str) -> Any:
    return tfx_core.pipeline("text-generation", model=saved)


def text_of(result: Mapping[str, str]) -> str:
    return result["generated_text"]


def reciting(task: Any, texts: Mapping[str, str]) -> None:
    """Let the task's model go on with a given text after each prompt."""

    def decoding(model: object, inputs: Mapping[str, Any]) -> Reciting:
        pairs = zip(inputs["input_ids"], inputs["attention_mask"], strict=True)
        prompts = [row[mask.bool()].tolist() for row, mask in pairs]
        written = [texts[task.tokenizer.decode(prompt)] for prompt in prompts]
        return Reciting(len(IDS), prompts, task.tokenizer(written)["input_ids"])

    task.model.architecture = dataclasses.replace(task.model.architecture, decoding=decoding)


# a tokenizer that is another than the model's


def test_what_only_the_model_or_only_the_tokenizer_has_is_named(tmp_path: Path) -> None:
    size = len(IDS)
    larger = tfx_core.pipeline("text-generation", model=save(tmp_path / "larger", "gpt2", vocab_size=size + 9))
    with torch.no_grad():
        larger.model.backbone.embeddings.token.weight[:size] *= 1e-4  # so that one of the others is written
    with pytest.raises(
        InputError, match=rf"is no text: .*no token has the id \d+, the vocabulary has {size}; use the tokenizer that"
    ):
        larger("ab", **GREEDY)
    with pytest.raises(InputError, match=r"gives '¤' the id 100, and the model has 100 tokens, 0 to 99; .*resize"):
        tfx_core.pipeline("text-generation", model=save(tmp_path / "smaller", "gpt2", vocab_size=100))


# together and alone


EVERY = [
    GREEDY,
    {"max_new_tokens": 6, "num_beams": 3, "num_return_sequences": 2},
    {"max_new_tokens": 6, "seed": 3},
    {"max_new_tokens": 6, "seed": 3, "num_return_sequences": 2, "top_p": 0.9},
]
"""Options that every decoder can be asked for; contrastive search and prompt lookup need more of a model."""
WITH_CACHE = [{"max_new_tokens": 6, "penalty_alpha": 0.6, "top_k": 4}]


@pytest.mark.parametrize(
    ("model_type", "options"),
    [
        *((model_type, options) for model_type in ("gpt2", "openai-gpt") for options in (*EVERY, *WITH_CACHE)),
        *((model_type, options) for model_type in ("xlnet", "transfo-xl") for options in EVERY),
    ],
    ids=str,
)
def test_a_prompt_gets_what_it_gets_alone(model_type: str, options: dict[str, Any], tmp_path: Path) -> None:
    config = {"cutoffs": [60, 120]} if model_type == "transfo-xl" else {}
    task = tfx_core.pipeline("text-generation", model=save(tmp_path / "model", model_type, **config), **options)
    together = task(PROMPTS)
    assert together == [task([prompt])[0] for prompt in PROMPTS]
    assert together == task(PROMPTS, batch_tokens=20)
    assert task(list(reversed(PROMPTS))) == list(reversed(together))
    if "seed" in options:
        assert together != task(PROMPTS, seed=4)


def test_what_a_tokenizer_puts_behind_a_text_is_no_part_of_a_prompt(tmp_path: Path) -> None:
    plain = tfx_core.pipeline("text-generation", model=save(tmp_path / "plain", "xlnet"))
    ending = tfx_core.pipeline("text-generation", model=save(tmp_path / "ending", "xlnet", ends=True))
    assert ending.tokenizer("a")["input_ids"][-2:] == [1, 2]
    assert ending(PROMPTS, **GREEDY) == plain(PROMPTS, **GREEDY)


def test_the_text_of_a_prompt_stays_as_it_was_given(generate: Any) -> None:
    for prompt in ("a , b .", "a<end>b", " blank "):
        full, new = (generate([prompt], return_full_text=full, **GREEDY)[0] for full in (True, False))
        assert text_of(full) == prompt + text_of(new)
    with_prefix = generate(["b"], prefix="a", return_full_text=False, **GREEDY)
    assert with_prefix == generate(["ab"], return_full_text=False, **GREEDY)
    assert text_of(generate("b", prefix="a", **GREEDY)[0]) == "b" + text_of(with_prefix[0])


def test_an_empty_prompt_is_the_begin_token(generate: Any, tmp_path: Path) -> None:
    begun = generate("<end>", return_full_text=False, **GREEDY)
    assert generate("", **GREEDY) == begun
    without = tfx_core.pipeline("text-generation", model=save(tmp_path / "m", "xlnet", begins=False))
    with pytest.raises(ItemError, match=r"inputs\[1\]: an empty prompt, and this model has no bos token"):
        without(["a", ""], **GREEDY)


def test_no_prompts_no_texts(generate: Any) -> None:
    assert generate([]) == []


# defaults


def test_options_are_worked_out_once_for_a_call_and_files_once_for_a_model(
    generate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: Counter[str] = Counter()

    def counted(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            counts[name] += 1
            return original(*arguments, **named)

        monkeypatch.setattr(owner, name, call)

    counted(generation_config, "values_from_files")
    counted(generate, "defaults")
    for _ in range(2):
        generate(PROMPTS, **GREEDY, batch_tokens=1)
    assert counts == {"values_from_files": 1, "defaults": 2}
    generate.model.generation_config = {"num_beams": 2}
    assert generate.model.generation_options.num_beams == 2
    generate.model.generation_config.num_beams = 3
    assert generate.model.generation_options.num_beams == 3


def test_defaults_are_the_tasks_where_nothing_else_says_more(generate: Any) -> None:
    def resolved(**options: Any) -> tuple[Any, ...]:
        found = generate.settled(dataclasses.replace(generate.options, **options)).resolved
        return found.do_sample, found.temperature, found.max_new_tokens, found.max_length

    assert resolved() == (True, 0.7, 256, None)
    assert resolved(max_length=9)[2:] == (None, 9)
    assert resolved(num_beams=3)[0] is False
    assert resolved(penalty_alpha=0.5)[0] is False


def test_a_bound_of_the_call_goes_over_those_before_it(saved: str) -> None:
    def resolved(**options: Any) -> tuple[Any, ...]:
        found = generate.settled(generate.options.replaced(**options)).resolved
        return found.min_length, found.min_new_tokens, found.max_length, found.max_new_tokens

    generate = tfx_core.pipeline("text-generation", model=saved, do_sample=False, max_new_tokens=20, min_new_tokens=15)
    assert resolved() == (0, 15, None, 20)
    assert resolved(max_length=5) == (0, 15, 5, None)
    assert resolved(max_new_tokens=9) == (0, 9, None, 9)
    assert resolved(min_new_tokens=30) == (0, 30, None, 30)
    assert resolved(min_length=3) == (3, 0, None, 20)
    alone = tfx_core.pipeline("text-generation", model=saved, do_sample=False)
    assert generate("ab", max_length=5) == alone("ab", max_length=5, min_new_tokens=15)
    # of files
    generate = tfx_core.pipeline("text-generation", model=saved, do_sample=False)
    generate.model.generation_config = {"max_length": 30, "min_length": 25, "eos_token_id": None}
    assert resolved() == (25, 0, 30, None)
    assert resolved(max_length=5) == (5, 0, 5, None)
    assert resolved(min_length=35) == (35, 0, 35, None)
    assert resolved(max_new_tokens=5) == (25, 0, None, 5)
    # a default of the task is less than what a file says
    generate.model.generation_config = {"min_new_tokens": 300}
    assert resolved() == (0, 300, None, 300)


def test_the_checkpoints_settings_for_the_task_count(tmp_path: Path) -> None:
    folder = Path(save(tmp_path / "m", "gpt2"))
    config = json.loads((folder / "config.json").read_text())
    config["task_specific_params"] = {"text-generation": {"do_sample": False, "max_length": 8, "prefix": "b"}}
    (folder / "config.json").write_text(json.dumps(config))
    task = tfx_core.pipeline("text-generation", model=str(folder))
    with_prefix = task("a", return_full_text=False, do_sample=False)
    assert with_prefix == task("a", prefix="b", max_new_tokens=6, return_full_text=False, do_sample=False)
    assert with_prefix != task("a", prefix="", return_full_text=False, do_sample=False)
    config["task_specific_params"] = {"text-generation": {"num_beams": 0}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match=r"task_specific_params\.text-generation: num_beams=0"):
        tfx_core.pipeline("text-generation", model=str(folder))("a")


# length


def test_a_prompt_beyond_the_positions_is_refused_or_keeps_its_end(generate: Any) -> None:
    long = "abcdefghij" * 5  # 40 positions
    with pytest.raises(ItemError, match=r"inputs\[1\]: a prompt of 50 tokens: the model's 40 positions leaves room"):
        generate(["a", long], do_sample=False)
    with pytest.raises(ItemError, match=r"max_new_tokens=7 with the model's 40 positions leaves room for 34"):
        generate(long, **GREEDY)
    cut = generate(long, truncation=True, return_full_text=False, **GREEDY)
    assert cut == generate(long[-34:], return_full_text=False, **GREEDY)
    assert text_of(generate(long, truncation=True, do_sample=False)[0]).startswith(long)
    with pytest.raises(InputError, match="max_new_tokens=41 with the model's 40 positions leaves no room"):
        generate("a", max_new_tokens=41)
    with pytest.raises(ItemError, match="a prompt of 50 tokens: max_length=12 leaves room for 11; set max_new_tokens"):
        generate(long, max_length=12)


def test_stop_strings_end_a_text(generate: Any) -> None:
    reciting(generate, {"a": "bc. Stop here", "bb": "no. stop"})
    found = generate(["a", "bb"], stop_strings=["Stop"], **{**GREEDY, "max_new_tokens": 20})
    assert list(map(text_of, found)) == ["abc. Stop", "bbno. stop"]


# contradictions


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens=0: must be an integer from 1 to 1e+18"),
        ({"num_beams": 4, "do_sample": True, "num_beam_groups": 2, "diversity_penalty": 1.0}, "do_sample"),
        ({"num_return_sequences": 2, "do_sample": False}, "num_return_sequences=2"),
        ({"min_new_tokens": 9, "max_new_tokens": 3}, "min_new_tokens=9 is more than"),
        ({"early_stopping": "soon"}, "early_stopping='soon': must be one of True, False, 'never', or None"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], said: str, generate: Any) -> None:
    with pytest.raises(InputError) as caught:
        generate("a", **options)
    assert said in str(caught.value)


def test_a_number_of_new_tokens_counts_beside_a_length(generate: Any) -> None:
    with pytest.warns(UserWarning, match="max_length=4 has no effect beside max_new_tokens=3") as told:
        both = generate("a", max_new_tokens=3, max_length=4, seed=1)
    assert both == generate("a", max_new_tokens=3, seed=1)
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what the task was made with gives way in silence
        generate("a", max_length=9)


def test_what_is_no_prompt_is_refused(generate: Any) -> None:
    with pytest.raises(ItemError, match=r"inputs\[1\]: a prompt must be a string, not int"):
        generate(["a", 3])
    with pytest.raises(ItemError, match=r"inputs\[0\]: a prompt is not valid Unicode"):
        generate(["\ud800"])
    with pytest.raises(TypeError, match="takes no 'beams'"):
        generate("a", beams=3)


# as it is written


@pytest.mark.parametrize("options", [GREEDY, {"max_new_tokens": 12, "seed": 1}, {**GREEDY, "return_full_text": False}])
@pytest.mark.parametrize("prompt", PROMPTS)
def test_pieces_join_to_the_result(prompt: str, options: dict[str, Any], generate: Any) -> None:
    pieces: list[str] = []
    result = generate.follow(prompt, pieces.append, **options)
    assert "".join(pieces) == text_of(result)
    assert [result] == generate(prompt, **options)


def test_no_piece_is_a_part_of_a_character(generate: Any) -> None:
    written = "é日本 😀!"
    reciting(generate, {"naïve": written})
    pieces: list[str] = []
    generate.follow("naïve", pieces.append, do_sample=False, max_new_tokens=30)
    assert pieces == ["naïve", *written]


def test_beams_and_several_texts_cannot_be_followed(generate: Any) -> None:
    assert generate.can_follow()
    for options in ({"num_beams": 2}, {"num_return_sequences": 2}):
        assert not generate.can_follow(**options)
        with pytest.raises(InputError, match="num_beams=1 and num_return_sequences=1"):
            generate.follow("a", print, **options)


# chats

TEMPLATE = "{% for each in messages %}{{ each.role }}: {{ each.content }}<end>{% endfor %}"
TEMPLATE += "{% if add_generation_prompt %}assistant: {% endif %}"
CHAT = [{"role": "user", "content": "hi"}]


def test_a_chat_is_answered_like_its_text(generate: Any) -> None:
    generate.tokenizer.chat_template = TEMPLATE
    (answer,) = generate("user: hi<end>assistant: ", return_full_text=False, **GREEDY)
    assert generate(CHAT, return_full_text=False, **GREEDY) == [answer]
    whole = {"generated_text": [*CHAT, {"role": "assistant", "content": text_of(answer)}]}
    assert generate(CHAT, **GREEDY) == [whole]
    assert generate([CHAT, "user: hi<end>assistant: ", {"messages": CHAT}], **GREEDY)[::2] == [whole, whole]
    pieces: list[str] = []
    assert generate.follow(CHAT, pieces.append, **GREEDY) == whole
    assert "".join(pieces) == text_of(answer)


def test_the_last_message_is_continued(generate: Any) -> None:
    generate.tokenizer.chat_template = TEMPLATE
    begun = [*CHAT, {"role": "assistant", "content": "so"}]
    (answer,) = generate("user: hi<end>assistant: so", return_full_text=False, **GREEDY)
    assert generate(begun, **GREEDY)[0]["generated_text"][-1]["content"] == "so" + text_of(answer)
    assert generate(CHAT, continue_final_message=True, **GREEDY)[0]["generated_text"][0]["content"].startswith("hi")
    generate.tokenizer.chat_template = TEMPLATE.replace("each.content", "each.content[0].text")
    parts = [{"role": "assistant", "content": [{"type": "text", "text": "so"}]}]
    assert len(generate(parts, **GREEDY)[0]["generated_text"][0]["content"]) == 2
    assert len(parts[0]["content"]) == 1


@pytest.mark.parametrize("value", [{"message": CHAT}, [CHAT], [{"content": "x"}]], ids=str)
def test_what_is_no_chat_is_refused(value: object, generate: Any) -> None:
    generate.tokenizer.chat_template = TEMPLATE
    with pytest.raises(ItemError, match=r"inputs\[1\]: .*(is no chat|has 'messages')"):
        generate(["a", value])


def test_chats_come_as_json_lines(tmp_path: Path) -> None:
    folder = save(tmp_path / "model", "gpt2")
    (Path(folder) / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    lines = "".join(f"{json.dumps(each)}\n" for each in ({"messages": CHAT}, CHAT))
    result = run("-m", folder, "--no-do-sample", "--max-new-tokens", "7", "--json", "--read-as", "jsonl", stdin=lines)
    expected = tfx_core.pipeline("text-generation", folder)([CHAT, CHAT], **GREEDY)
    assert [json.loads(line) for line in result.stdout.splitlines()] == expected


# from the command line


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["run", "text-generation", *arguments], input=stdin, prog_name="tfx-core")


def test_a_pipe_gets_lines(saved: str, generate: Any) -> None:
    arguments = ("-m", saved, "--no-do-sample", "--max-new-tokens", "7")
    expected = generate(PROMPTS, **GREEDY)
    plain = run(*arguments, *PROMPTS)
    assert plain.exit_code == 0, plain.output
    assert len(plain.stdout.splitlines()) == len(PROMPTS)
    as_json = run(*arguments, "--json", stdin="\n".join(PROMPTS))
    assert [json.loads(line) for line in as_json.stdout.splitlines()] == expected
    several = run(*arguments, "--num-beams", "2", "--num-return-sequences", "2", "--early-stopping", "never", "a", "xy")
    assert [line.split("\t")[0] for line in several.stdout.splitlines()] == ["1", "1", "2", "2"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "said"),
    [
        (["--max-new-tokens", "0", "a"], None, 2, "0 is not in the range"),
        (["--num-return-sequences", "2", "--no-do-sample", "a"], None, 1, "--num-return-sequences 2"),
        (["--strict"], b"ab\n\xff\n", 1, "standard input, line 2: byte 3 (0xff) is not UTF-8"),
        (["a", "b" * 60], None, 1, "TEXT 2: a prompt of 60 tokens"),
    ],
)
def test_errors_are_one_line(arguments: list[str], stdin: bytes | None, code: int, said: str, saved: str) -> None:
    result = run("-m", saved, *arguments, stdin=stdin)
    assert result.exit_code == code
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_a_terminal_shows_the_text_as_it_comes(saved: str, generate: Any) -> None:
    shown = shown_on_a_terminal(
        [sys.executable, "-m", "tfx_core", "run", "text-generation", "-m", saved, "--no-do-sample",
         "--max-new-tokens", "7", "the dog\x1b[2J", "xy"],
        {**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert "\x1b" not in shown
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        texts = [text_of(each) for each in generate(["the dog\x1b[2J", "xy"], **GREEDY)]
    safe = ["".join(each if each.isprintable() or each in "\n\t" else "\ufffd" for each in text) for text in texts]
    written = shown.replace("\r\n", "\n").split("\n\n")
    assert written[0].startswith("the dog\ufffd[2J")
    assert [len(each) for each in written[:2]] == [len(each) for each in safe]


def test_a_model_without_the_head_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "bare"
    tfx_core.new_model("gpt2", seed=0, n_embd=8, n_head=2, n_layer=1, vocab_size=len(IDS)).save_pretrained(folder)
    with pytest.raises(InputError, match="text-generation needs one that was trained with 'causal-lm'"):
        tfx_core.pipeline("text-generation", model=str(folder))
