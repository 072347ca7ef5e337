"""Translation by models that are told languages: what they are told, what a call and an input may say, and errors."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import tfx_core
from tests.seq2seq import tongues
from tests.seq2seq.tongues import IDS
from tfx_core.cli import cli
from tfx_core.errors import ConfigError, InputError
from tfx_core.tasks import ItemError

TEXTS = ["a dog", "Bob sings in Paris.", "naïve 日本", "xy"]
LONG = "Ann lives here. Bob sings there! Who are you? A cat. Another dog sings in New York."
ROMANIAN = {"translation_en_to_de": {"num_beams": 2, "max_length": 5}}
STORED = {"decoder_start_token_id": 1, "eos_token_id": 1, "pad_token_id": 0}

Made = Callable[..., str]


@pytest.fixture(autouse=True)
def tongues_are_there() -> Iterator[None]:
    with tfx_core.register(tongues.Plugin(), name="tongues"):
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A folder of a model type with such keys in its files, the same for the same ones."""
    known: dict[str, str] = {}

    def folder(model_type: str = "spoken", **keys: Any) -> str:
        name = json.dumps([model_type, keys])
        if name not in known:
            known[name] = tongues.save(tmp_path_factory.mktemp(model_type) / "model", model_type, **keys)
        return known[name]

    return folder


def task(folder: str, **options: Any) -> Any:
    # without repetition, so that different inputs lead to different outputs
    given = {"max_new_tokens": 6, "num_beams": 2, "no_repeat_ngram_size": 1, "min_new_tokens": 3, **options}
    return tfx_core.pipeline("translation", folder, **given)


def by_hand(folder: str, text: str, source: str | None, **options: Any) -> list[dict[str, str]]:
    """What the steps give of which a task consists."""
    model, tokenizer = tfx_core.load_model(folder), tfx_core.load_tokenizer(folder)
    given = {"max_new_tokens": 6, "num_beams": 2, "no_repeat_ngram_size": 1, "min_new_tokens": 3, **options}
    ids = model.generate(**tokenizer(text, src_lang=source, return_tensors="pt"), **given)
    return [{"translation_text": tokenizer.decode(ids[0], skip_special_tokens=True)}]


def said(folder: str, *inputs: Any, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        task(folder)(*inputs, **options)
    return str(caught.value)


# what a model is told


def test_the_source_is_framed_and_the_target_asked_for(made: Made) -> None:
    run = task(made())
    german, french = (
        [by_hand(made(), text, "en_XX", forced_bos_token_id=IDS[target])[0] for text in TEXTS]
        for target in ("de_DE", "fr_XX")
    )
    assert german != french
    assert run(TEXTS, src_lang="en_XX", tgt_lang="de_DE") == german
    assert task(made(), src_lang="en_XX", tgt_lang="de_DE")(TEXTS) == german
    assert run(TEXTS, src_lang="en_XX", tgt_lang="fr_XX") == french
    assert run(TEXTS, src_lang="de_DE", tgt_lang="fr_XX") != french
    # what a call says of an option goes over what follows from a language
    assert run(TEXTS, src_lang="en_XX", tgt_lang="de_DE", forced_bos_token_id=IDS["fr_XX"]) == french


def test_a_source_that_says_the_target_is_all_that_a_model_is_told(made: Made) -> None:
    folder = made("tagged", tokenizer={"source_lang": "en", "target_lang": "gem"})
    run = task(folder)
    german = run("a dog", tgt_lang="de")
    model, tokenizer = run.model, run.tokenizer
    batch = tokenizer("a dog", tgt_lang="de", return_tensors="pt")
    assert batch["input_ids"][0, 0] == IDS[">>de<<"]
    ids = model.generate(**batch, max_new_tokens=6, num_beams=2, no_repeat_ngram_size=1, min_new_tokens=3)
    assert german == [{"translation_text": tokenizer.decode(ids[0], skip_special_tokens=True)}]
    assert run(">>de<<a dog") == german  # as texts are written for such models
    assert run("a dog", src_lang="en", tgt_lang="de") == german
    assert tfx_core.pipeline("translation_en_to_de", folder).options.tgt_lang == "de"
    assert "this model translates to de, fr: choose with tgt_lang" in said(folder, "a dog")
    assert "src_lang='it': not one of the 2 languages" in said(folder, "a dog", src_lang="it", tgt_lang="de")


def test_a_name_may_be_its_first_part_where_that_is_one_languages(made: Made) -> None:
    run = task(made())
    whole = run("a dog", src_lang="en_XX", tgt_lang="de_DE")
    assert run("a dog", src_lang="en", tgt_lang="de") == whole
    translate = tfx_core.pipeline("translation_en_to_de", made(), **vars(run.options)["rest"])
    assert (translate.options.src_lang, translate.options.tgt_lang) == ("en", "de")
    assert "tgt_lang='zh': not one of the 5 languages" in said(made(), "a dog", tgt_lang="zh")


def test_each_input_may_have_languages_of_its_own(made: Made) -> None:
    run = task(made(), src_lang="en_XX")
    inputs = [
        {"text": text, "src_lang": source, "tgt_lang": target}
        for text in TEXTS
        for source, target in (("en_XX", "de_DE"), (None, "fr_XX"), ("zh_CN", None))
    ]
    found = run(inputs, tgt_lang="de_DE", batch_tokens=60)
    alone = [
        run(each["text"], src_lang=each["src_lang"] or "en_XX", tgt_lang=each["tgt_lang"] or "de_DE")[0]
        for each in inputs
    ]
    assert found == alone
    assert len({each["translation_text"] for each in found}) > len(TEXTS)
    assert run(inputs[0]) == found[0]
    sampled = {"do_sample": True, "num_beams": 1, "seed": 3, "tgt_lang": "de_DE"}
    assert run(inputs, **sampled) == [run([each], **sampled)[0] for each in inputs]


def test_progress_counts_every_input(made: Made) -> None:
    done: list[int] = []
    inputs = ["a", "", {"text": "b", "tgt_lang": "fr_XX"}, " "]
    task(made(), src_lang="en_XX", tgt_lang="de_DE")(inputs, progress=done.append)
    assert sum(done) == len(inputs)


# what files say


def test_languages_that_the_files_name_need_not_be_named(made: Made) -> None:
    asked = task(made())(TEXTS, src_lang="en_XX", tgt_lang="de_DE")
    assert task(made(tokenizer={"src_lang": "en_XX", "tgt_lang": "de_DE"}))(TEXTS) == asked
    german = {**STORED, "forced_bos_token_id": IDS["de_DE"]}
    assert task(made(tokenizer={"src_lang": "en_XX"}, generation=german))(TEXTS) == asked
    forced = task(made(generation={**STORED, "forced_bos_token_id": IDS["fr_XX"]}))
    assert forced(TEXTS, src_lang="en_XX") != asked
    assert forced(TEXTS, src_lang="en_XX", tgt_lang="de_DE") == asked  # what is asked for goes over what is stored
    assert forced.directions.default(forced.model.generation_options) == (None, "fr_XX")


def test_a_pair_with_settings_is_that_of_its_languages(made: Made) -> None:
    run = tfx_core.pipeline("translation", made(task_settings=ROMANIAN))
    plain = tfx_core.pipeline("translation", made(), num_beams=2, max_length=5)
    expected = plain("a dog", src_lang="en_XX", tgt_lang="de_DE")
    assert run("a dog") == expected  # the only one with settings
    for source, target in (("en_XX", "de_DE"), ("en", "de"), (None, "de")):
        assert run("a dog", src_lang=source, tgt_lang=target) == expected
    other = run("a dog", src_lang="en", tgt_lang="fr", max_new_tokens=4, num_beams=1)
    assert other == plain("a dog", src_lang="en", tgt_lang="fr", max_new_tokens=4, num_beams=1)
    assert run.directions.pairs == [("en_XX", "de_DE")]


def test_settings_count_in_the_order_that_the_page_tells(made: Made) -> None:
    task_settings = {"translation_en_to_de": {"forced_bos_token_id": 31, "num_beams": 3}}
    layers: dict[str, Any] = {
        "generation": {**STORED, "forced_bos_token_id": 32, "num_beams": 2},
        "legacy": {"forced_bos_token_id": 33, "num_beams": 6, "min_length": 2},
    }

    def counts(keys: dict[str, Any], **options: Any) -> tuple[Any, Any]:
        run = tfx_core.pipeline("translation", made(**keys), **{"src_lang": "en_XX", **options})
        ((window,),) = run.encode([run.parse("a dog", run.options)], run.settled(run.options))
        return window.options.resolved.forced_bos_token_id, window.options.resolved.num_beams

    everything = {**layers, "task_settings": task_settings, "tokenizer": {"tgt_lang": "fr_XX"}}
    german = IDS["de_DE"]
    assert counts(everything, tgt_lang="de_DE", forced_bos_token_id=30, num_beams=5) == (30, 5)
    assert counts(everything, tgt_lang="de_DE") == (german, 3)
    assert counts(everything) == (IDS["fr_XX"], 2)
    one_way = "one-way", {"source_lang": "en", "target_lang": "de"}
    for given, expected in (
        ({**layers, "task_settings": task_settings}, (31, 3)),
        (layers, (32, 2)),
        ({"legacy": layers["legacy"]}, (33, 6)),
        ({}, (None, 4)),
    ):
        keys = {"model_type": one_way[0], "tokenizer": one_way[1], **given}
        assert counts(keys, tgt_lang="de", src_lang="en") == expected


@pytest.mark.parametrize("asked", [{}, {"src_lang": "en"}, {"src_lang": "en", "tgt_lang": "de"}], ids=str)
def test_a_one_way_model_may_be_asked_for_its_way_alone(asked: dict[str, str], made: Made) -> None:
    folder = made("one-way", tokenizer={"source_lang": "en", "target_lang": "de"})
    assert task(folder)("a dog", **asked) == by_hand(folder, "a dog", None)
    assert tfx_core.pipeline("translation_en_to_de", folder).directions.pairs == [("en", "de")]
    assert said(folder, "a dog", tgt_lang="fr") == (
        "translation: tgt_lang='fr': this model knows en to de; it translates one way, so that the languages may be "
        "left out"
    )
    assert "this model has no language codes" in said(made("one-way"), "a dog", **{"tgt_lang": "de", **asked})


# what goes wrong


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "inputs[0]: this model translates between de_DE, en_XX, fr_XX, zh_CN, zh_TW: choose with src_lang and "
             "tgt_lang"),
        ({"src_lang": "en_XX"}, "choose with tgt_lang"),
        ({"tgt_lang": "de_DE"}, "choose with src_lang"),
        ({"tgt_lang": "de-DE"}, "translation: tgt_lang='de-DE': not one of the 5 languages of this tokenizer; nearest "
                                "are de_DE"),
        ({"src_lang": 3}, "translation: src_lang=3: must be a string, or None"),
        ({"src_lang": "en_XX", "tgt_lang": "de_DE", "max_new_tokens": 99},
         "max_new_tokens=99 after a prompt of 1 tokens: the model has positions for 40"),
        ({"src_lang": "en_XX", "tgt_lang": "de_DE", "max_source_length": 41}, "the model takes at most 40 tokens"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_meant(options: dict[str, Any], words: str, made: Made) -> None:
    assert words in said(made(), "a dog", **options)


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ({"generation": {**STORED, "forced_bos_token_id": 9999}}, "generation_config.json: "),
        ({"legacy": {"forced_bos_token_id": 9999}}, "config.json: "),
        (
            {"task_settings": {"translation": {"forced_bos_token_id": 9999}}},
            "config.json: task_specific_params.translation: ",
        ),
    ],
)
def test_what_generation_finds_wrong_is_named_with_its_file(keys: dict[str, Any], place: str, made: Made) -> None:
    folder = made("one-way", **keys)
    with pytest.raises(ConfigError) as caught:
        task(folder)("a dog")
    assert str(caught.value).startswith(f"{folder}/{place}forced_bos_token_id")
    with pytest.raises(InputError, match=r"^forced_bos_token_id"):
        task(folder)("a dog", forced_bos_token_id=9998)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "a text must be a string, not NoneType"),
        (b"a dog", "a text must be a string, not bytes"),
        ({"src_lang": "en_XX"}, "keys ['src_lang']: a dict has 'text', and may have 'src_lang' and 'tgt_lang'"),
        ({"text": "a", "lang": "de"}, "keys ['lang', 'text']: a dict has 'text'"),
        ({"text": None}, "a text must be a string, not NoneType"),
        ({"text": "a", "tgt_lang": 3}, "tgt_lang=3: must be a string, or None"),
        ({"text": "a", "tgt_lang": "xx"}, "tgt_lang='xx': not one of the 5 languages"),
        ("\udc80", "not valid Unicode"),
        ("Bob sings in Paris. " * 3, "62 tokens, more than the 40 of an input"),
    ],
    ids=str,
)  # fmt: skip
def test_an_input_that_cannot_be_used_is_named(value: object, words: str, made: Made) -> None:
    run = task(made(), src_lang="en_XX", tgt_lang="de_DE")
    with pytest.raises(ItemError) as caught:
        run(["a dog", {"text": "b", "tgt_lang": "fr_XX"}, value])
    assert str(caught.value).startswith("inputs[2]: ")
    assert words in str(caught.value)
    assert run([]) == []


# blank and long texts


@pytest.mark.parametrize("blank", ["", " ", "\t \u3000"])
def test_a_blank_text_is_an_empty_one(blank: str, made: Made) -> None:
    run = task(made(), src_lang="en_XX", tgt_lang="de_DE")
    assert run(blank) == [{"translation_text": ""}]
    assert run([blank, "a dog"]) == [{"translation_text": ""}, *run("a dog")]
    assert run(blank, num_return_sequences=2) == [{"translation_text": ""}] * 2
    aligned = run([blank, "a dog"], num_return_sequences=2, return_alignments=True)
    assert aligned[0] == [{"translation_text": "", "alignment": ""}] * 2
    assert aligned[1] == run(["a dog"], num_return_sequences=2, return_alignments=True)[0]


def test_a_long_text_is_split_and_each_part_is_framed(made: Made) -> None:
    run = task(made(), src_lang="en_XX", tgt_lang="de_DE", long_input="split", max_source_length=35)
    parts = ["Ann lives here. Bob sings there!", "Who are you? A cat.", "Another dog sings in New York."]
    written = [each["translation_text"].strip() for each in run(parts)]
    assert run(LONG) == [{"translation_text": " ".join(written)}]
    chinese = [each["translation_text"].strip() for each in run(parts, tgt_lang="zh_CN")]
    assert run(LONG, tgt_lang="zh_CN") == [{"translation_text": "".join(chinese)}]
    assert run({"text": LONG, "tgt_lang": "zh_CN"}) == {"translation_text": "".join(chinese)}


# the command line


def command(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["run", "translation", *arguments], input=stdin, prog_name="tfx-core")


SPOKEN = ("--src-lang", "en_XX", "--tgt-lang", "de_DE", "--max-new-tokens", "4", "--num-beams", "1")


def test_a_file_gives_one_of_as_many_lines(made: Made, tmp_path: Path) -> None:
    lines = ["a dog\r", "", "  \t", "naïve\u2028日本", "a\\n b", "x\ry", "the last"]
    source, target = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_bytes("\n".join(lines).encode())
    result = command("-m", made(), *SPOKEN, "--file", str(source), "--output", str(target))
    assert (result.exit_code, result.output) == (0, "")
    run = tfx_core.pipeline("translation", made(), max_new_tokens=4, num_beams=1)
    expected = run([line.rstrip("\r") for line in lines], src_lang="en_XX", tgt_lang="de_DE")
    found = target.read_bytes().decode().split("\n")
    assert found.pop() == ""
    assert found == [each["translation_text"].replace("\\", "\\\\") for each in expected]
    assert found[1:3] == ["", ""]
    piped = command("-m", made(), *SPOKEN, stdin=source.read_bytes())
    assert piped.stdout_bytes == target.read_bytes()
    assert command("-m", made(), *SPOKEN, "--batch-size", "1", stdin=source.read_bytes()).stdout == piped.stdout


def test_lines_of_json_may_name_languages_and_one_that_fails_is_told(made: Made) -> None:
    rows = [{"text": "a dog", "tgt_lang": "fr_XX"}, {"text": "a dog"}, "", {"text": "a", "tgt_lang": "xx"}, "b"]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    result = command("-m", made(), *SPOKEN, "--json", stdin=lines)
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: standard input, line 4: --tgt-lang xx: not one of the 5 languages")
    run = tfx_core.pipeline("translation", made(), src_lang="en_XX", max_new_tokens=4, num_beams=1)
    assert found[0] == run("a dog", tgt_lang="fr_XX")[0]
    assert found[1:3] == [run("a dog", tgt_lang="de_DE")[0], {"translation_text": ""}]
    assert list(found[3]) == ["error"]
    assert found[4] == run("b", tgt_lang="de_DE")[0]


def test_the_command_lists_languages(made: Made) -> None:
    result = command("-m", made(), "--languages")
    assert (result.exit_code, result.stdout.splitlines()) == (0, list(tongues.NAMES))
    result = command("-m", made(task_settings=ROMANIAN), "--languages", "--json")
    assert json.loads(result.stdout) == {"languages": list(tongues.NAMES), "pairs": [["en_XX", "de_DE"]]}
    one_way = made("one-way", tokenizer={"source_lang": "en", "target_lang": "de"})
    assert command("-m", one_way, "--languages").stdout == "en\tde\n"
    result = command("-m", made("one-way"), "--languages")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "its files name no languages; it translates one way, or what a prefix asks for" in result.stderr
    assert "--languages" in command("--help").stdout


def test_a_language_that_is_missing_or_unknown_is_said_in_flags(made: Made) -> None:
    result = command("-m", made(), "a dog")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "zh_TW: choose with --src-lang and --tgt-lang" in result.stderr
    assert "--tgt-lang de-DE: not one of the 5" in command("-m", made(), "--tgt-lang", "de-DE", "a").stderr


def test_a_language_that_no_line_names_is_told_once(made: Made) -> None:
    result = command("-m", made(), "--src-lang", "en", stdin="a\n" * 5000)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: this model translates between de_DE, en_XX, fr_XX, zh_CN, zh_TW: choose with --tgt-lang\n"
    )
    tagged = command("-m", made("tagged"), "--max-new-tokens", "3", stdin=">>de<<a\na\n")
    assert (tagged.exit_code, tagged.stdout.count("\n")) == (1, 2)  # where texts may name it, each is looked at
    assert tagged.stderr == "Error: standard input, line 2: this model translates to de, fr: choose with --tgt-lang\n"


def test_languages_without_their_model_are_not_loaded(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((Path(made()) / name).read_bytes())
    assert command("-m", str(folder), "--languages").stdout.split() == list(tongues.NAMES)
