"""Summarization, translation and text2text-generation: in batches, by the checkpoint's settings, of long inputs."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import tfx_core
from tests.seq2seq.texts import save
from tfx_core.cli import cli
from tfx_core.errors import ConfigError, InputError
from tfx_core.tasks import ItemError

TEXTS = ["a dog", "Bob sings in Paris.", "naïve 日本", "xy"]
LONG = "Ann lives here. Bob sings there! Who are you? A cat. Another dog sings in New York."
LANGUAGES = {
    "translation": {"prefix": "x "},
    "translation_en_to_de": {"prefix": "g: ", "max_length": 6},
    "translation_en_to_fr": {"prefix": "f: "},
}


@pytest.fixture(scope="module", params=["bart", "mt5", "pegasus", "t5"])
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return save(tmp_path_factory.mktemp(request.param) / "model", request.param)


@pytest.fixture(scope="module")
def bart(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save(tmp_path_factory.mktemp("bart") / "model", "bart")


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save(tmp_path_factory.mktemp("t5") / "model", "t5")


def task(name: str, folder: str, **options: Any) -> Any:
    # without repetition, so that different inputs lead to different outputs
    return tfx_core.pipeline(name, model=folder, **{"max_new_tokens": 6, "no_repeat_ngram_size": 1, **options})


@pytest.mark.parametrize(
    "options",
    [{}, {"num_beams": 1}, {"num_return_sequences": 2}, {"num_beams": 1, "do_sample": True, "seed": 3}],
    ids=str,
)
def test_a_text_gives_what_it_gives_alone(options: dict[str, Any], saved: str) -> None:
    run = task("summarization", saved, **options)
    together = run(TEXTS)
    assert together == [run([text])[0] for text in TEXTS]
    assert together == run(TEXTS, batch_tokens=40)
    assert len({json.dumps(each) for each in together}) > 2


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("summarization", "summary_text"),
        ("translation", "translation_text"),
        ("text2text-generation", "generated_text"),
    ],
)
def test_results_are_named_after_the_task(name: str, key: str, t5: str) -> None:
    run = task(name, t5)
    assert [list(each) for each in run("a dog")] == [[key]]
    assert [list(each) for each in run("a dog", num_return_sequences=2)] == [[key], [key]]
    assert run([]) == []
    assert run("") != run("a dog")  # an empty text is its end token


@pytest.mark.parametrize("num_beams", [1, 3])
def test_a_shortlist_bounds_what_a_text_is_made_of(num_beams: int, saved: str, tmp_path: Path) -> None:
    pairs = {"source": "a dog\nBob sings\n", "target": "ok\nko\n"}
    for name, text in pairs.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    files = [str(tmp_path / name) for name in (*pairs, "lex")]
    made = CliRunner().invoke(cli, ["shortlist", *files[:2], "--model", saved, "--output", files[2]])
    assert (made.exit_code, made.output) == (0, "")
    found = task("translation", saved, num_beams=num_beams, shortlist=files[2], no_repeat_ngram_size=0)(TEXTS)
    assert {*"".join(each["translation_text"] for each in found)} <= {*"ok "}
    assert found == task("translation", saved, num_beams=num_beams, no_repeat_ngram_size=0)(TEXTS, shortlist=files[2])
    typed = ["run", "translation", "--model", saved, "--max-new-tokens", "6", "--shortlist", files[2], "--raw"]
    shown = CliRunner().invoke(cli, [*typed, "--num-beams", str(num_beams), *TEXTS])
    assert shown.output.splitlines() == [each["translation_text"] for each in found]


def test_a_shortlist_that_cannot_be_read_is_told_before_anything_runs(t5: str, tmp_path: Path) -> None:
    (tmp_path / "lex").write_text("only two\n", encoding="utf-8")
    with pytest.raises(InputError, match="lex, line 1: has 2 fields"):
        task("translation", t5, shortlist=str(tmp_path / "lex"))("a")


# what the checkpoint says


def test_settings_of_the_task_count_unless_the_call_says_otherwise(tmp_path: Path, t5: str) -> None:
    settings = {"summarization": {"prefix": "s: ", "num_beams": 2, "max_length": 5, "min_length": 4}}
    folder = save(tmp_path / "m", "t5", task_settings=settings)
    run = tfx_core.pipeline("summarization", model=folder)
    plain = tfx_core.pipeline("text2text-generation", model=t5, max_length=5, min_length=4, num_beams=2)
    expected = [each["generated_text"] for each in plain(["s: " + text for text in TEXTS])]
    assert [each["summary_text"] for each in run(TEXTS)] == expected
    bare = plain(TEXTS, max_length=9, num_beams=1, min_length=0)
    found = run(TEXTS, prefix="", max_length=9, num_beams=1, min_length=0)
    assert [each["summary_text"] for each in found] == [each["generated_text"] for each in bare]


def test_defaults_are_those_of_transformers(t5: str) -> None:
    run = tfx_core.pipeline("translation", model=t5)
    resolved = run.settled(run.options).resolved
    assert (resolved.num_beams, resolved.max_new_tokens, resolved.do_sample) == (4, 256, False)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"summarization": {"num_beams": 0}}, r"task_specific_params\.summarization: num_beams=0"),
        ({"summarization": {"prefix": 3}}, r"task_specific_params\.summarization\.prefix=3: must be a string"),
        (["summarization"], r"task_specific_params=\['summarization'\]: must map names"),
    ],
)
def test_settings_that_cannot_be_meant_name_their_key(settings: Any, said: str, tmp_path: Path) -> None:
    folder = save(tmp_path / "m", "t5", task_settings=settings)
    with pytest.raises(ConfigError, match=said):
        tfx_core.pipeline("summarization", model=folder)("a")


# languages


def test_languages_choose_prefix_and_settings(tmp_path: Path, t5: str) -> None:
    run = tfx_core.pipeline("translation", model=save(tmp_path / "m", "t5", task_settings=LANGUAGES))
    plain = tfx_core.pipeline("translation", model=t5)
    german = run("a dog", src_lang="en", tgt_lang="de")
    assert german == plain("g: a dog", max_length=6)
    assert run("a dog", tgt_lang="de") == german
    assert run("a dog", tgt_lang="fr", max_new_tokens=5) == plain("f: a dog", max_new_tokens=5)
    assert run("a dog", prefix="", max_new_tokens=5) == plain("a dog", max_new_tokens=5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tgt_lang": "ro"}, "tgt_lang='ro': this model knows en to de, en to fr"),
        ({"src_lang": "de", "tgt_lang": "en"}, "src_lang='de', tgt_lang='en': this model knows en to de, en to fr"),
        ({"src_lang": "en"}, "this model translates en to de, en to fr: choose with src_lang and tgt_lang"),
        ({}, "this model translates en to de, en to fr: choose"),
    ],
)
def test_languages_that_are_not_known_or_not_chosen(options: dict[str, str], said: str, tmp_path: Path) -> None:
    run = tfx_core.pipeline("translation", model=save(tmp_path / "m", "t5", task_settings=LANGUAGES))
    with pytest.raises(InputError) as caught:
        run("a dog", **options)
    assert said in str(caught.value)


def test_languages_of_a_model_that_names_none(t5: str) -> None:
    with pytest.raises(InputError, match=r"tgt_lang=.de.: this model has no language codes"):
        task("translation", t5)("a dog", tgt_lang="de")
    with pytest.raises(TypeError, match="summarization takes no 'tgt_lang'"):
        task("summarization", t5)("a dog", tgt_lang="de")


# long inputs


def test_a_text_beyond_the_positions_is_refused(bart: str) -> None:
    with pytest.raises(ItemError) as caught:
        task("summarization", bart)(["a", LONG])
    assert str(caught.value) == (
        "inputs[1]: 84 tokens, more than the 40 of an input; long_input='truncate' (--long-input truncate) cuts it, "
        "'split' splits it by sentences"
    )
    with pytest.raises(ItemError, match="7 tokens, more than the 5 of an input"):
        task("summarization", bart, max_source_length=5)("xxx yy")
    with pytest.raises(InputError, match="max_source_length=41: the model takes at most 40 tokens"):
        task("summarization", bart, max_source_length=41)("a")


def test_a_model_without_positions_takes_any_length_and_is_cut_where_it_was_trained(t5: str) -> None:
    run = task("summarization", t5)
    assert run(LONG) != run(LONG, long_input="truncate")
    assert run(LONG, long_input="truncate") == run(LONG[:29])  # model_max_length=30 counts the end token
    assert run(LONG, long_input="truncate") == run(LONG, truncation=True)
    with pytest.raises(InputError, match="truncation and long_input say the same"):
        run(LONG, truncation=True, long_input="split")
    assert run(LONG, max_source_length=10, long_input="truncate") == run(LONG[:9])


def test_a_long_text_is_split_at_sentences_and_joined(saved: str) -> None:
    run = task("summarization", saved, long_input="split", max_source_length=35, prefix="s ")
    parts = ["Ann lives here. Bob sings there!", "Who are you? A cat.", "Another dog sings in New York."]
    expected = run(parts)
    assert run([LONG, "a"])[0] == {"summary_text": " ".join(each["summary_text"].strip() for each in expected)}
    two = run(LONG, num_return_sequences=2)
    expected = [[run(part, num_return_sequences=2)[place] for part in parts] for place in range(2)]
    assert two == [{"summary_text": " ".join(each["summary_text"].strip() for each in row)} for row in expected]


def test_a_sentence_that_is_too_long_is_split_between_words(saved: str) -> None:
    run = task("summarization", saved, long_input="split", max_source_length=8)
    expected = [run(part)[0]["summary_text"].strip() for part in ("abc de", "xxxxxxx", "xxx")]
    assert run("abc de xxxxxxxxxx")[0]["summary_text"].split(" ")[0] == expected[0].split(" ")[0]
    assert run("abc de xxxxxxxxxx") == [{"summary_text": " ".join(each for each in expected if each)}]
    with pytest.raises(ItemError, match="no room for any text beside prefix and end tokens"):
        run("abc de xxxxxxxxxx", prefix="summary:")


# from the command line


def run_command(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["run", *arguments], input=stdin, prog_name="tfx-core")


def test_the_command_gives_the_tasks_results(t5: str) -> None:
    arguments = ("translation", "-m", t5, "--max-new-tokens", "6", "--num-beams", "2", "--early-stopping", "true")
    expected = task("translation", t5, num_beams=2, early_stopping=True, no_repeat_ngram_size=None)(TEXTS)
    found = run_command(*arguments, "--json", *TEXTS)
    assert [json.loads(line) for line in found.stdout.splitlines()] == expected
    assert len(run_command(*arguments, *TEXTS).stdout.splitlines()) == len(TEXTS)


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "said"),
    [
        (["summarization", "--max-new-tokens", "0", "a"], None, 2, "0 is not in the range"),
        (["summarization", "--long-input", "drop", "a"], None, 2, "'drop' is not one of"),
        (["summarization", "--early-stopping", "soon", "a"], None, 2, "'soon' is not one of"),
        (["summarization", "--do-sample", "--num-beam-groups", "2", "--diversity-penalty", "1", "a"], None, 1,
         "--do-sample contradicts group beam search"),
        (["summarization", "--strict"], "a\n" + LONG, 1, "standard input, line 2: 84 tokens, more than the 40"),
        (["summarization", "--strict"], b"a\n\xff", 1, "standard input, line 2: byte 2 (0xff) is not UTF-8"),
        (["translation", "--tgt-lang", "de", "a"], None, 1, "--tgt-lang de: this model has no language codes"),
    ],
)  # fmt: skip
def test_errors_are_one_line(arguments: list[str], stdin: Any, code: int, said: str, bart: str) -> None:
    result = run_command(arguments[0], "-m", bart, *arguments[1:], stdin=stdin)
    assert result.exit_code == code
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
