"""Tokens that are added to a tokenizer: found wherever they stand, and written as they are."""

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import AddedToken

import tfx_core
from tfx_core.generation import TextStreamer
from tfx_core.text import Tokenizer
from tfx_testing.checks import each
from tfx_testing.released import reads_legacy_files, released, saved
from tfx_testing.text.base import FileChecks
from tfx_testing.vocabularies import write

ADDED = ("{", "\n", " ", "é", "ab", "abc", "ABC", "[E1]")
SPECIAL = ("abc", "[E1]")
CHANGED = ("naïve", "Ã©", "Ġx", "##xy", "a▁b", "▁q", "<0x41>", "a , b", "do n't", "1 @,@ 000", " lead", "日本")
"""What decoders, or cleaning up, turn into something else where it is no added token."""


def add(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer with tokens that may meet its own, some of them special."""
    tokenizer.add_tokens([token for token in ADDED if token not in SPECIAL])
    tokenizer.add_tokens([*SPECIAL], special_tokens=True)
    return tokenizer


def _as_saved(folder: Path) -> Path:
    return folder


def _without_tokenizer_json(folder: Path) -> Path:
    (folder / "tokenizer.json").unlink(missing_ok=True)
    return folder


def _in_a_file_of_their_own(folder: Path) -> Path:
    """The folder as older versions wrote it, without flags of added tokens."""
    config = json.loads((folder / "tokenizer_config.json").read_text())
    added = {token["content"]: int(number) for number, token in config.pop("added_tokens_decoder").items()}
    return write(_without_tokenizer_json(folder), {"tokenizer_config.json": config, "added_tokens.json": added})


def _normalized(folder: Path) -> Path:
    """The folder as the reference writes it: added words are to be looked for in the normalized text."""
    contents = json.loads((folder / "tokenizer.json").read_text())
    for token in contents["added_tokens"]:
        token["normalized"] = token["content"] in ADDED and token["content"] not in SPECIAL
    config = json.loads((folder / "tokenizer_config.json").read_text())
    del config["added_tokens_decoder"]
    (folder / "added_tokens.json").unlink(missing_ok=True)
    return write(folder, {"tokenizer.json": contents, "tokenizer_config.json": config})


ROUTES: dict[str, Callable[[Path], Path]] = {
    "tokenizer.json": _as_saved,
    "tokenizer.json, normalized": _normalized,
    "tokenizer_config.json": _without_tokenizer_json,
    "added_tokens.json": _in_a_file_of_their_own,
}
"""How added tokens come to a tokenizer that is read from a folder."""


def routes(cls: type[FileChecks]) -> Sequence[str]:
    """Those of `ROUTES` that there are for a tokenizer."""
    impossible = set() if cls.case.tokenizer_json else {"tokenizer.json, normalized"}
    if not reads_legacy_files(cls.case):
        impossible |= {"tokenizer_config.json", "added_tokens.json"}
    return [route for route in ROUTES if route not in impossible]


def ways(cls: type[FileChecks]) -> Sequence[str]:
    """The same, and without a folder."""
    return ["add_tokens", *routes(cls)]


def mixed_texts() -> Iterator[str]:
    """Texts in which `ADDED` stand within and beside words, and meet each other."""
    yield from (
        "a{b}c",
        "a\nb",
        "a b",
        "café",
        "cafe",
        "abcab",
        "aabcc",
        "A{B",
        "a {",
        "1{2\n3",
        "[E1]b",
        "\n\n",
        *ADDED,
    )
    generator = random.Random(5)
    parts = [*ADDED, "a", "b", "c", "e", "}", ".", ",", "1", "x", "hello ", "E1"]
    for _ in range(60):
        yield "".join(generator.choices(parts, k=generator.randint(1, 9)))


class AddedTokenChecks(FileChecks):
    """Added tokens."""

    def _read(self, tokenizer: Tokenizer, route: str, folder: Path) -> Tokenizer:
        """The tokenizer as it is, or read from a folder of its own by a route."""
        if route not in ROUTES:
            return tokenizer
        return tfx_core.load_tokenizer(ROUTES[route](saved(tokenizer, folder, self.case)))

    @each(route=ways)
    def test_an_added_token_is_found_wherever_it_stands_and_nothing_else_is_taken_for_it(
        self, route: str, tmp_path: Path
    ) -> None:
        """Of tokens that were added the longest is found, within words too, and only where the text has exactly it.

        Where it is not: the recipe's steps cut, lower or replace the text before added tokens are looked for.
        """
        tokenizer = self._read(
            add(tfx_core.load_tokenizer(released(self.case, tmp_path / "released"))), route, tmp_path / "saved"
        )
        numbers = {tokenizer.convert_tokens_to_ids(token): token for token in ADDED}
        assert len(numbers) == len(ADDED), "two of the added tokens have one id"
        longest_first = re.compile("|".join(map(re.escape, sorted(ADDED, key=len, reverse=True))))
        for text in mixed_texts():
            cuts: tuple[dict[str, Any], ...] = ({}, {"truncation": True, "max_length": 100})
            for cut in cuts:
                ids = tokenizer(text, add_special_tokens=False, **cut).input_ids
                found = [numbers[number] for number in ids if number in numbers]
                assert found == longest_first.findall(text), (
                    f"added tokens found in {text!r} with {cut or 'no options'}"
                )

    @pytest.mark.parametrize("special", [False, True])
    def test_an_added_token_keeps_its_flags(self, special: bool, tmp_path: Path) -> None:
        """``lstrip``, ``rstrip`` and ``single_word`` of an added token hold, also after it was saved and read.

        Where they do not: the recipe adds the tokens of a folder by their texts alone.
        """
        tokenizer = tfx_core.load_tokenizer(released(self.case, tmp_path / "released"))
        flags = {"zzz": "single_word", "<l>": "lstrip", "<r>": "rstrip"}
        tokenizer.add_tokens([AddedToken(token, special=special, **{flag: True}) for token, flag in flags.items()])
        kept = [route for route in routes(type(self)) if route != "added_tokens.json"]  # which has no flags
        for route in ("add_tokens", *kept):
            read = self._read(tokenizer, route, tmp_path / route)
            batch = read("a  <l>bzzz zzz zzzb <r>  c", add_special_tokens=False)
            numbers = [read.convert_tokens_to_ids(token) for token in flags]
            taken = [token for token, number in zip(batch.tokens(), batch.input_ids, strict=True) if number in numbers]
            assert taken == ["  <l>", "zzz", "<r>  "], f"read by way of {route}"

    def test_an_added_token_is_found_in_any_case_where_the_model_has_none(self, tmp_path: Path) -> None:
        """A model that lowers its texts finds an added token in any case, unless two differ in nothing else.

        Where it does not: a recipe lowers texts in a step of its own, not in the normalizer of the tokenizer.
        """
        tokenizer = tfx_core.load_tokenizer(released(self.case, tmp_path))
        # the library would take the blank that texts begin with for a part of the token
        has_no_case = tokenizer.tokenize("X") == tokenizer.tokenize("x") and "▁" not in tokenizer.tokenize("x")[0]
        tokenizer.add_tokens(["Covid", "é"])
        word, accented = tokenizer.convert_tokens_to_ids(["Covid", "é"])
        assert word in tokenizer("a Covid b").input_ids
        found = word in tokenizer("a covid b").input_ids
        assert found is has_no_case, f"'Covid' is found in 'a covid b': {found}; the model has no case: {has_no_case}"
        assert accented not in tokenizer("a e E b").input_ids, "'é' is found where there is an e without its accent"
        tokenizer.add_tokens("covid")  # now there are two to tell apart
        other = tokenizer.convert_tokens_to_ids("covid")
        told = [number for number in tokenizer("covid Covid").input_ids if number in (word, other)]
        assert told == [other, word], "of 'covid Covid' and two tokens"

    @each(route=ways)
    def test_an_added_token_is_decoded_as_it_is_written(self, route: str, tmp_path: Path) -> None:
        """Decoding gives an added token back letter by letter, whatever stands beside it, and so does streaming.

        Where it does not: the decoder replaces marks of pieces, or cleans blanks up, in added tokens too.
        """
        tokenizer = tfx_core.load_tokenizer(released(self.case, tmp_path / "released"))
        tokenizer.add_tokens([*CHANGED])
        tokenizer = self._read(tokenizer, route, tmp_path / "saved")
        generator = random.Random(3)
        for token in CHANGED:
            number = tokenizer.convert_tokens_to_ids(token)
            for text in (token, f"ab {token} cd", f"{token}{token}", f"ab{token}cd"):
                ids = tokenizer(text, add_special_tokens=False).input_ids
                assert number in ids, f"{token!r} is not found in {text!r}"
                for clean in (False, True):
                    # some families leave out blanks at the ends of a text
                    decoded = f" {tokenizer.decode(ids, clean_up_tokenization_spaces=clean)} "
                    assert token in decoded, f"{text!r} is decoded without {token!r}, cleaning up: {clean}"
                joined = tokenizer.convert_tokens_to_string(tokenizer.convert_ids_to_tokens(ids))
                assert token in joined, f"tokens of {text!r} are joined without {token!r}"
            some, others = generator.sample(range(len(tokenizer)), 3), generator.sample(range(len(tokenizer)), 2)
            ids = [*some, number, *others, number]
            assert streamed(tokenizer, ids) == tokenizer.decode(ids, clean_up_tokenization_spaces=False)

    def test_a_piece_of_the_model_stays_one_where_it_is_added_too(self, tmp_path: Path) -> None:
        """Adding tokens that the vocabulary has changes nothing of how they are decoded.

        Where it does: a decoder takes each added token for a text, though its id is a piece's.
        """
        tokenizer = tfx_core.load_tokenizer(released(self.case, tmp_path))
        ids = tokenizer("ab abc a", add_special_tokens=False).input_ids
        before = tokenizer.decode(ids)
        tokenizer.add_tokens(tokenizer.convert_ids_to_tokens(ids))
        assert tokenizer.decode(ids) == before


def streamed(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    """The text of tokens that come one by one."""
    pieces: list[str] = []
    streamer = TextStreamer(tokenizer, write=pieces.append)
    for number in ids:
        streamer.put(torch.tensor([number]))
    streamer.end()
    return "".join(pieces)
