"""What holds for the tokenizer of every architecture that tells languages, and that the others say so."""

import copy
import itertools
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer as Backend

import tfx_core
from tests.models.test_tokenizers import NAMES, released, saved
from tfx_core.errors import InputError
from tfx_core.text import Tokenizer

TEXTS = ["hello abc", "", "ab </s> world"]


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def tokenizer(name: str, tmp_path: Path) -> Tokenizer:
    return tfx_core.load_tokenizer(released(name, tmp_path / "released"))


def directions(tokenizer: Tokenizer) -> list[dict[str, str]]:
    """Some pairs of languages; none where it tells none."""
    chosen = tokenizer.languages[:2] + tokenizer.languages[-2:]
    return [{"src_lang": source, "tgt_lang": target} for source, target in itertools.permutations(chosen, 2)]


def made(tokenizer: Tokenizer, **direction: str) -> dict[str, Any]:
    """What models learn from."""
    return dict(tokenizer(TEXTS, text_target=TEXTS[::-1], **direction))


def test_a_call_a_setting_and_a_folder_name_languages_alike(name: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    before, first = dict(tokenizer(TEXTS)), tokenizer.direction
    for direction in directions(tokenizer):
        expected = made(tokenizer, **direction)
        assert (dict(tokenizer(TEXTS)), tokenizer.direction) == (before, first)
        assert made(tfx_core.load_tokenizer(tmp_path / "released", **direction)) == expected
        of_folder = tfx_core.load_tokenizer(released(name, tmp_path / "folder", **direction))
        assert (of_folder.src_lang, of_folder.tgt_lang) == tuple(direction.values())
        assert made(of_folder) == expected
        other = copy.deepcopy(tokenizer)
        other.src_lang, other.tgt_lang = direction.values()
        for each in (other, copy.copy(other), pickle.loads(pickle.dumps(other))):
            assert made(each) == expected
        again = tfx_core.load_tokenizer(saved(other, tmp_path / "saved", name))
        assert again.direction == other.direction
        assert made(again) == expected
        if other.target_vocabulary is other.vocabulary:
            alone = Backend.from_file(str(tmp_path / "saved" / "tokenizer.json"))
            assert [each.ids for each in alone.encode_batch(TEXTS)] == expected["input_ids"]
        other.src_lang = other.tgt_lang = None
        assert (other.direction, dict(other(TEXTS))) == (first, before)


def test_what_stands_around_a_text_is_that_of_the_direction(tokenizer: Tokenizer) -> None:
    tokenizer.model_max_length = 9
    for direction in directions(tokenizer) or [{"src_lang": None, "tgt_lang": None}]:
        tokenizer.src_lang, tokenizer.tgt_lang = direction.values()
        for texts in (("hello abc",), ("ab", "abc world")):
            batch = tokenizer(*texts, return_special_tokens_mask=True)
            plain = [tokenizer(text, add_special_tokens=False).input_ids for text in texts]
            around = len(batch.input_ids) - sum(map(len, plain))
            assert tokenizer.build_inputs_with_special_tokens(*plain) == batch.input_ids
            assert tokenizer.get_special_tokens_mask(*plain) == batch.special_tokens_mask
            assert tokenizer.num_special_tokens_to_add(len(texts) == 2) == around
            cut = tokenizer(*texts, truncation=True, max_length=around + 2)
            assert len(cut.input_ids) == around + 2
            if batch.special_tokens_mask[-1]:
                assert cut.input_ids[-1] == batch.input_ids[-1]
        assert len(tokenizer("a " * 99, truncation=True).input_ids) == 9
        assert tokenizer.max_len_single_sentence == 9 - tokenizer.num_special_tokens_to_add()
        assert tokenizer.max_len_sentences_pair == 9 - tokenizer.num_special_tokens_to_add(pair=True)
        assert not tokenizer.languages or f"{tokenizer.src_lang} -> {tokenizer.tgt_lang}" in repr(tokenizer)


def test_languages_stay_where_tokens_are_added(name: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    expected = {str(each): made(tokenizer, **each) for each in directions(tokenizer)}
    known = tokenizer.languages
    tokenizer.add_tokens(["[E1]", "zz"])
    tokenizer.add_special_tokens({"additional_special_tokens": ["[E2]"]}, replace_additional_special_tokens=False)
    read = tfx_core.load_tokenizer(saved(tokenizer, tmp_path / "saved", name))
    for each in (tokenizer, read):
        assert each.languages == known
        assert {str(direction): made(each, **direction) for direction in directions(each)} == expected
        assert each("[E1]", add_special_tokens=False).input_ids == [each.convert_tokens_to_ids("[E1]")]


def test_threads_may_speak_different_languages(tokenizer: Tokenizer) -> None:
    calls = (directions(tokenizer) or [{}]) * 20
    expected = [dict(tokenizer(TEXTS, **direction)) for direction in calls]
    again = pickle.loads(pickle.dumps(tokenizer))  # which has made nothing yet
    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(lambda direction: dict(again(TEXTS, **direction)), calls)] == expected


def test_a_model_is_asked_for_a_language_by_its_token(tokenizer: Tokenizer) -> None:
    assert tuple(tokenizer.lang_code_to_id) == tokenizer.languages
    for language in tokenizer.languages:
        asked = tokenizer.asking_for(language)
        assert asked.keys() <= {"forced_bos_token_id", "decoder_start_token_id"}
        assert all(number == tokenizer.lang_code_to_id[language] for number in asked.values())


@pytest.mark.parametrize("option", ["src_lang", "tgt_lang"])
def test_an_unknown_language_is_told_with_the_nearest(
    name: str, option: str, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    setattr(tokenizer, option, None)
    known = tokenizer.languages
    if not known:
        for ask in (lambda: tokenizer("a", **{option: "de"}), lambda: setattr(tokenizer, option, "de")):
            with pytest.raises(InputError, match=f"^{option}='de': this tokenizer tells no languages: .* leave it out"):
                ask()
        with pytest.raises(InputError, match=r"^tgt_lang='de': this tokenizer tells no languages"):
            tokenizer.asking_for("de")
        return
    language = known[-1]
    for near in (language.swapcase().replace("_", "-"), language[:-1], language.split("_")[0] + "_ZZ"):
        with pytest.raises(InputError, match=f"^{option}='{near}': not one of the {len(known)} .*{language}"):
            tokenizer("a", **{option: near})
    for wrong in ("Klingon", "", 5, ["a"]):
        with pytest.raises(InputError, match=f"^{option}=.*: not one of the {len(known)} languages"):
            setattr(tokenizer, option, wrong)
    with pytest.raises(InputError, match=f"released/tokenizer_config.json: {option}='Klingon': not one of the"):
        tfx_core.load_tokenizer(tmp_path / "released", **{option: "Klingon"})
    folder = saved(tokenizer, tmp_path / "saved", name)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, option: 5}))
    with pytest.raises(InputError, match=f"saved/tokenizer_config.json: {option}=5: not one of the"):
        tfx_core.load_tokenizer(folder)
