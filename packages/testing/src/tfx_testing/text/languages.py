"""A tokenizer that tells languages does so for each text, however it is told them; another says that it does not."""

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
from tfx_core.errors import InputError
from tfx_core.text import Tokenizer
from tfx_testing.released import released, saved
from tfx_testing.text.base import FileChecks

TEXTS = ["hello abc", "", "ab </s> world"]


def directions(tokenizer: Tokenizer) -> list[dict[str, Any]]:
    """Some pairs of languages; none where it tells none."""
    chosen = tokenizer.languages[:2] + tokenizer.languages[-2:]
    return [{"src_lang": source, "tgt_lang": target} for source, target in itertools.permutations(chosen, 2)]


def made(tokenizer: Any, **direction: str) -> dict[str, Any]:
    """What models learn from."""
    return dict(tokenizer(TEXTS, text_target=TEXTS[::-1], **direction))


class LanguageChecks(FileChecks):
    """Languages of a tokenizer."""

    @pytest.fixture
    def tokenizer(self, tmp_path: Path) -> Tokenizer:
        """The tokenizer of the released files."""
        return tfx_core.load_tokenizer(released(self.case, tmp_path / "released"))

    def test_a_call_a_setting_and_a_folder_name_languages_alike(self, tokenizer: Tokenizer, tmp_path: Path) -> None:
        """Source and target language give the same ids as arguments, as settings, in a folder, and in copies.

        Where they do not: `tfx_core.text.Languages` of the recipe puts codes around a text in another way than its
        ``build`` does, or a setting is kept beside the tokenizer, where a copy loses it.
        """
        before, first = dict(tokenizer(TEXTS)), tokenizer.direction
        for direction in directions(tokenizer):
            expected = made(tokenizer, **direction)
            now = (dict(tokenizer(TEXTS)), tokenizer.direction)
            assert now == (before, first), f"a call with {direction} changed what later calls give"
            assert made(tfx_core.load_tokenizer(tmp_path / "released", **direction)) == expected, "given while loading"
            of_folder = tfx_core.load_tokenizer(released(self.case, tmp_path / "folder", **direction))
            assert (of_folder.src_lang, of_folder.tgt_lang) == tuple(direction.values())
            assert made(of_folder) == expected, "read in tokenizer_config.json"
            other = copy.deepcopy(tokenizer)
            other.src_lang, other.tgt_lang = direction.values()
            copies = {"set": other, "copied": copy.copy(other), "pickled": pickle.loads(pickle.dumps(other))}
            for how, each in copies.items():
                assert made(each) == expected, f"{how}, {direction}"
            again = tfx_core.load_tokenizer(saved(other, tmp_path / "saved", self.case))
            assert again.direction == other.direction
            assert made(again) == expected, f"saved and read, {direction}"
            if other.target_vocabulary is other.vocabulary:
                alone = Backend.from_file(str(tmp_path / "saved" / "tokenizer.json"))
                ids = [each.ids for each in alone.encode_batch(TEXTS)]
                assert ids == expected["input_ids"], "tokenizer.json, read by the library that made it"
            other.src_lang = other.tgt_lang = None
            assert (other.direction, dict(other(TEXTS))) == (first, before), "set to None it is not as it was"

    def test_what_stands_around_a_text_is_that_of_the_direction(self, tokenizer: Tokenizer) -> None:
        """Special tokens and codes of languages around a text are counted, masked and cut as they are put there.

        Where they are not: a code is part of the text's own ids, not of what the recipe's template puts around it.
        """
        tokenizer.model_max_length = 9
        for direction in directions(tokenizer) or [{"src_lang": None, "tgt_lang": None}]:
            tokenizer.src_lang, tokenizer.tgt_lang = direction.values()
            for texts in (("hello abc",), ("ab", "abc world")):
                batch = tokenizer(*texts, return_special_tokens_mask=True)
                plain = [tokenizer(text, add_special_tokens=False).input_ids for text in texts]
                around = len(batch.input_ids) - sum(map(len, plain))
                what = f"of {texts}, {direction}"
                assert tokenizer.build_inputs_with_special_tokens(*plain) == batch.input_ids, what
                assert tokenizer.get_special_tokens_mask(*plain) == batch.special_tokens_mask, what
                assert tokenizer.num_special_tokens_to_add(len(texts) == 2) == around, what
                cut = tokenizer(*texts, truncation=True, max_length=around + 2)
                assert len(cut.input_ids) == around + 2, what
                if batch.special_tokens_mask[-1]:
                    assert cut.input_ids[-1] == batch.input_ids[-1], f"the last special token {what} was cut off"
            assert len(tokenizer("a " * 99, truncation=True).input_ids) == 9
            assert tokenizer.max_len_single_sentence == 9 - tokenizer.num_special_tokens_to_add()
            assert tokenizer.max_len_sentences_pair == 9 - tokenizer.num_special_tokens_to_add(pair=True)
            assert not tokenizer.languages or f"{tokenizer.src_lang} -> {tokenizer.tgt_lang}" in repr(tokenizer)

    def test_languages_stay_where_tokens_are_added(self, tokenizer: Tokenizer, tmp_path: Path) -> None:
        """Added tokens leave languages and their ids as they were, also after a save.

        Where they do not: the ids of languages are counted from the end of the vocabulary.
        """
        expected = {str(each): made(tokenizer, **each) for each in directions(tokenizer)}
        known = tokenizer.languages
        tokenizer.add_tokens(["[E1]", "zz"])
        tokenizer.add_special_tokens({"additional_special_tokens": ["[E2]"]}, replace_additional_special_tokens=False)
        read = tfx_core.load_tokenizer(saved(tokenizer, tmp_path / "saved", self.case))
        for how, each in {"with added tokens": tokenizer, "saved and read": read}.items():
            assert each.languages == known, how
            assert {str(direction): made(each, **direction) for direction in directions(each)} == expected, how
            ids = each("[E1]", add_special_tokens=False).input_ids
            assert ids == [each.convert_tokens_to_ids("[E1]")], how

    def test_threads_may_speak_different_languages(self, tokenizer: Tokenizer) -> None:
        """Calls of several threads give what they give one after the other, each in its own languages.

        Where they do not: a call sets something on the tokenizer, and sets it back.
        """
        calls = (directions(tokenizer) or [{}]) * 20
        expected = [dict(tokenizer(TEXTS, **direction)) for direction in calls]
        again = pickle.loads(pickle.dumps(tokenizer))  # which has made nothing yet
        with ThreadPoolExecutor(8) as pool:
            assert [*pool.map(lambda direction: dict(again(TEXTS, **direction)), calls)] == expected

    def test_a_model_is_asked_for_a_language_by_its_token(self, tokenizer: Tokenizer) -> None:
        """`Tokenizer.asking_for` gives settings of generation, with the id of a language.

        Where it does not: the recipe's languages name tokens that the vocabulary lacks.
        """
        assert tuple(tokenizer.lang_code_to_id) == tokenizer.languages
        for language in tokenizer.languages:
            asked = tokenizer.asking_for(language)
            assert asked.keys() <= {"forced_bos_token_id", "decoder_start_token_id"}
            wrong = {key: number for key, number in asked.items() if number != tokenizer.lang_code_to_id[language]}
            assert not wrong, f"{language} is {tokenizer.lang_code_to_id[language]}, not {wrong}"

    @pytest.mark.parametrize("option", ["src_lang", "tgt_lang"])
    def test_an_unknown_language_is_told_with_the_nearest(self, option: str, tokenizer: Any, tmp_path: Path) -> None:
        """A language that there is not is an `InputError` that names the nearest, in a call, a setting and a folder.

        Where it is not: the recipe takes any code, or looks one up without asking its `tfx_core.text.Languages`.
        """
        setattr(tokenizer, option, None)
        known = tokenizer.languages
        if not known:
            for ask in (lambda: tokenizer("a", **{option: "de"}), lambda: setattr(tokenizer, option, "de")):
                said = f"^{option}='de': this tokenizer tells no languages: .* leave it out"
                with pytest.raises(InputError, match=said):
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
        folder = saved(tokenizer, tmp_path / "saved", self.case)
        config = json.loads((folder / "tokenizer_config.json").read_text())
        (folder / "tokenizer_config.json").write_text(json.dumps({**config, option: 5}))
        with pytest.raises(InputError, match=f"saved/tokenizer_config.json: {option}=5: not one of the"):
            tfx_core.load_tokenizer(folder)
