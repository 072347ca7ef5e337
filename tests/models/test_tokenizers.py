"""What holds for the tokenizer of every architecture that is installed."""

import json
import pickle
import random
import re
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import AddedToken, models
from tokenizers import Tokenizer as Backend
from tokenizers.models import Model

import tfx_core
from tests.cases import case_of
from tests.core.text.folders import write
from tests.models.tiny import random_ids, target_ids, tiny_config
from tfx_core.generation import TextStreamer
from tfx_core.model import load_architecture
from tfx_core.plugins import registry
from tfx_core.text import Tokenizer

NAMES = [spec.name for spec in registry.architectures() if load_architecture(spec.name).text is not None]
DATA = Path(__file__).parent / "data"
WRITTEN: dict[str, dict[str, dict[str, Any]]] = json.loads((DATA / "tokenizer_configs.json").read_text("utf-8"))
"""Architecture -> version of transformers -> the ``tokenizer_config.json`` that it wrote for the released files: read
with the family's class, with the general one, and from ``tokenizer.json`` alone; without ``added_tokens_decoder``.
Version 5 has no Transformer-XL.
"""

TEXTS = ["hello abc", "ab </s> [SEP] <eos>x", "", "<mask> [MASK] a<extra_id_3>b", "1,000 worlds"]
OF_THE_MODEL = ("model_input_names", "padding_side", "pad_token_type_id", "question_first")
ADDED = ["{", "\n", " ", "é", "ab", "abc", "ABC", "[E1]"]
SPECIAL = ["abc", "[E1]"]
CHANGED = ["naïve", "Ã©", "Ġx", "##xy", "a▁b", "▁q", "<0x41>", "a , b", "do n't", "1 @,@ 000", " lead", "日本"]
"""What decoders, or cleaning up, turn into something else where it is no added token."""


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


def released(name: str, folder: Path, **config: object) -> Path:
    """A folder with the family's released files, its model type and perhaps a ``tokenizer_config.json``."""
    files = case_of(name).released()
    assert files, f"tests/cases has no released tokenizer files of {name}"
    return write(folder, {**files, "config.json": {"model_type": name}, "tokenizer_config.json": config})


def released_with(role: str, token: str, name: str, folder: Path) -> Path:
    """The same; a family without a token of this role is given one, as its users do."""
    has = getattr(tfx_core.load_tokenizer(released(name, folder)), role) is not None
    return folder if has else released(name, folder, **{role: token})


def saved(tokenizer: Tokenizer, folder: Path, name: str) -> Path:
    tokenizer.save_pretrained(folder)
    return write(folder, {"config.json": {"model_type": name}})


def columns(tokenizer: Tokenizer, *texts: str) -> list[dict[str, Any]]:
    """What a model gets of each text."""
    return [dict(tokenizer(text)) for text in texts]


@pytest.mark.parametrize(
    ("name", "version"), [(name, version) for name in NAMES for version in WRITTEN.get(name, ["of ours"])]
)
def test_a_folder_of_any_version_is_its_family_s(name: str, version: str, tmp_path: Path) -> None:
    original = tfx_core.load_tokenizer(released(name, tmp_path / "released"))
    folder = saved(original, tmp_path / "folder", name)
    if name in WRITTEN:
        (folder / "special_tokens_map.json").unlink()
        write(folder, {"tokenizer_config.json": WRITTEN[name][version]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tokenizer = tfx_core.load_tokenizer(folder)
    for fact in OF_THE_MODEL:
        assert getattr(tokenizer, fact) == getattr(original, fact), fact
    stated = WRITTEN.get(name, {}).get(version, {}).get("extra_special_tokens", ())
    assert {*tokenizer.all_special_tokens} == {*original.all_special_tokens, *stated}
    assert len(tokenizer) == len(original)
    assert columns(tokenizer, *TEXTS) == columns(original, *TEXTS)


def test_a_model_takes_what_its_tokenizer_makes(name: str, tmp_path: Path) -> None:
    tokenizer = tfx_core.load_tokenizer(released(name, tmp_path, tokenizer_class="TokenizersBackend"))
    ids = random_ids(name, 1, 4)
    inputs = {column: ids if column == "input_ids" else ids * 0 + 1 for column in tokenizer("a")}
    model = tfx_core.new_model(name, seed=1, **tiny_config(name)).eval()
    given, alone = (
        model(**each, **target_ids(name, "backbone", 1)).last_hidden_state for each in (inputs, {"input_ids": ids})
    )
    assert given.shape == alone.shape


@pytest.mark.parametrize("name", [name for name in NAMES if case_of(name).tokenizer_json])
def test_a_class_of_another_family_changes_nothing_that_the_model_takes(name: str, tmp_path: Path) -> None:
    original = tfx_core.load_tokenizer(released(name, tmp_path / "released"))
    folder = saved(original, tmp_path / "folder", name)
    classes = {spec.name: {*spec.tokenizer_classes} for spec in registry.architectures()}
    for other in ("BertJapaneseTokenizer", *sorted(set().union(*classes.values()) - classes[name])):
        write(folder, {"tokenizer_config.json": {"tokenizer_class": other}})
        with pytest.warns(UserWarning, match=f"class '{other.removesuffix('Fast')}' is none of model_type '{name}'"):
            tokenizer = tfx_core.load_tokenizer(folder)
        for fact in OF_THE_MODEL:
            assert getattr(tokenizer, fact) == getattr(original, fact), (other, fact)


def add(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.add_tokens([token for token in ADDED if token not in SPECIAL])
    tokenizer.add_tokens(SPECIAL, special_tokens=True)
    return tokenizer


def without_tokenizer_json(folder: Path) -> Path:
    (folder / "tokenizer.json").unlink(missing_ok=True)
    return folder


def in_a_file_of_their_own(folder: Path) -> Path:
    """The folder as older versions wrote it, without flags of added tokens."""
    config = json.loads((folder / "tokenizer_config.json").read_text())
    added = {token["content"]: int(number) for number, token in config.pop("added_tokens_decoder").items()}
    return write(without_tokenizer_json(folder), {"tokenizer_config.json": config, "added_tokens.json": added})


def normalized(folder: Path) -> Path:
    """The folder as the reference writes it: added words are to be looked for in the normalized text."""
    contents = json.loads((folder / "tokenizer.json").read_text())
    for token in contents["added_tokens"]:
        token["normalized"] = token["content"] in ADDED and token["content"] not in SPECIAL
    config = json.loads((folder / "tokenizer_config.json").read_text())
    del config["added_tokens_decoder"]
    (folder / "added_tokens.json").unlink(missing_ok=True)
    return write(folder, {"tokenizer.json": contents, "tokenizer_config.json": config})


ROUTES: dict[str, Callable[[Path], Path]] = {
    "tokenizer.json": lambda folder: folder,
    "tokenizer.json, normalized": normalized,
    "tokenizer_config.json": without_tokenizer_json,
    "added_tokens.json": in_a_file_of_their_own,
}
"""How added tokens come to a tokenizer that is read from a folder."""


def routes(name: str) -> list[str]:
    """Those that there are for an architecture."""
    return [route for route in ROUTES if case_of(name).tokenizer_json or ROUTES[route] is not normalized]


WAYS = [(name, route) for name in NAMES for route in ("add_tokens", *routes(name))]


def added_texts() -> Iterator[str]:
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


@pytest.mark.parametrize(("name", "route"), WAYS)
def test_an_added_token_is_found_wherever_it_stands_and_nothing_else_is_taken_for_it(
    name: str, route: str, tmp_path: Path
) -> None:
    tokenizer = add(tfx_core.load_tokenizer(released(name, tmp_path / "released")))
    if route in ROUTES:
        tokenizer = tfx_core.load_tokenizer(ROUTES[route](saved(tokenizer, tmp_path / "saved", name)))
    numbers = {tokenizer.convert_tokens_to_ids(token): token for token in ADDED}
    assert len(numbers) == len(ADDED)
    longest_first = re.compile("|".join(map(re.escape, sorted(ADDED, key=len, reverse=True))))
    for text in added_texts():
        for cut in ({}, {"truncation": True, "max_length": 100}):
            ids = tokenizer(text, add_special_tokens=False, **cut).input_ids
            assert [numbers[number] for number in ids if number in numbers] == longest_first.findall(text), text


@pytest.mark.parametrize("special", [False, True])
def test_an_added_token_keeps_its_flags(name: str, special: bool, tmp_path: Path) -> None:
    tokenizer = tfx_core.load_tokenizer(released(name, tmp_path / "released"))
    flags = {"zzz": "single_word", "<l>": "lstrip", "<r>": "rstrip"}
    tokenizer.add_tokens([AddedToken(token, special=special, **{flag: True}) for token, flag in flags.items()])
    kept = [route for route in routes(name) if route != "added_tokens.json"]
    folders = [ROUTES[route](saved(tokenizer, tmp_path / route, name)) for route in kept]
    read = [tokenizer, *map(tfx_core.load_tokenizer, folders)]
    for each in read:
        batch = each("a  <l>bzzz zzz zzzb <r>  c", add_special_tokens=False)
        numbers = [each.convert_tokens_to_ids(token) for token in flags]
        taken = [token for token, number in zip(batch.tokens(), batch.input_ids, strict=True) if number in numbers]
        assert taken == ["  <l>", "zzz", "<r>  "]


def test_an_added_token_is_found_in_any_case_where_the_model_has_none(name: str, tmp_path: Path) -> None:
    tokenizer = tfx_core.load_tokenizer(released(name, tmp_path))
    # the library would take the blank that texts begin with for a part of the token
    has_no_case = tokenizer.tokenize("X") == tokenizer.tokenize("x") and "▁" not in tokenizer.tokenize("x")[0]
    tokenizer.add_tokens(["Covid", "é"])
    word, accented = tokenizer.convert_tokens_to_ids(["Covid", "é"])
    assert word in tokenizer("a Covid b").input_ids
    assert (word in tokenizer("a covid b").input_ids) is has_no_case
    assert accented not in tokenizer("a e E b").input_ids
    tokenizer.add_tokens("covid")  # now there are two to tell apart
    other = tokenizer.convert_tokens_to_ids("covid")
    assert [each for each in tokenizer("covid Covid").input_ids if each in (word, other)] == [other, word]


@pytest.mark.parametrize(("name", "route"), WAYS)
def test_an_added_token_is_decoded_as_it_is_written(name: str, route: str, tmp_path: Path) -> None:
    tokenizer = tfx_core.load_tokenizer(released(name, tmp_path / "released"))
    tokenizer.add_tokens(CHANGED)
    if route in ROUTES:
        tokenizer = tfx_core.load_tokenizer(ROUTES[route](saved(tokenizer, tmp_path / "saved", name)))
    generator = random.Random(3)
    for token in CHANGED:
        number = tokenizer.convert_tokens_to_ids(token)
        for text in (token, f"ab {token} cd", f"{token}{token}", f"ab{token}cd"):
            ids = tokenizer(text, add_special_tokens=False).input_ids
            assert number in ids, text
            for clean in (False, True):
                # some families leave out blanks at the ends of a text
                assert token in f" {tokenizer.decode(ids, clean_up_tokenization_spaces=clean)} ", text
            assert token in tokenizer.convert_tokens_to_string(tokenizer.convert_ids_to_tokens(ids)), text
        ids = [*generator.sample(range(len(tokenizer)), 3), number, *generator.sample(range(len(tokenizer)), 2), number]
        pieces: list[str] = []
        streamer = TextStreamer(tokenizer, write=pieces.append)
        for each in ids:
            streamer.put(torch.tensor([each]))
        streamer.end()
        assert "".join(pieces) == tokenizer.decode(ids, clean_up_tokenization_spaces=False)


@pytest.mark.parametrize(
    "model",
    [
        models.BPE({"[UNK]": 0, "a": 1, "b": 2, "ab": 3}, [("a", "b")], unk_token="[UNK]"),
        models.Unigram([("[UNK]", 0.0), ("a", -1.0), ("b", -2.0), ("ab", -1.5)], unk_id=0),
        models.WordLevel({"[UNK]": 0, "ab": 1}, unk_token="[UNK]"),
        models.WordPiece({"[UNK]": 0, "a": 1, "##b": 2}, unk_token="[UNK]"),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_tokenizer_json_of_any_model_is_saved_without_files_of_another(
    name: str, model: Model, tmp_path: Path
) -> None:
    folder = write(tmp_path / "folder", {"config.json": {"model_type": name}})
    Backend(model).save(str(folder / "tokenizer.json"))
    tokenizer = tfx_core.load_tokenizer(folder)
    written = {Path(path).name for path in tokenizer.save_pretrained(tmp_path / "saved")}
    again = tfx_core.load_tokenizer(write(tmp_path / "saved", {"config.json": {"model_type": name}}))
    assert columns(again, "ab") == columns(tokenizer, "ab")
    legacy = {"vocab.json", "merges.txt", "vocab.txt"} & written
    theirs = {"BPE": {"vocab.json", "merges.txt"}, "WordPiece": {"vocab.txt"}, "WordLevel": {"vocab.txt"}}
    assert legacy <= theirs.get(type(model).__name__, set())


def test_a_piece_of_the_model_stays_one_where_it_is_added_too(name: str, tmp_path: Path) -> None:
    tokenizer = tfx_core.load_tokenizer(released(name, tmp_path))
    ids = tokenizer("ab abc a", add_special_tokens=False).input_ids
    before = tokenizer.decode(ids)
    tokenizer.add_tokens(tokenizer.convert_ids_to_tokens(ids))
    assert tokenizer.decode(ids) == before


@pytest.mark.parametrize("token", ["<new>", "$$$", "$A", "a:b"])
def test_a_token_that_a_folder_declares_and_the_vocabulary_lacks_is_added(
    name: str, token: str, tmp_path: Path
) -> None:
    size = len(tfx_core.load_tokenizer(released(name, tmp_path)))
    recipe = load_architecture(name).text
    assert recipe is not None
    options = {"add_bos_token": True} if "add_bos_token" in recipe.options else {}
    for role in ("bos_token", "eos_token", "pad_token", "cls_token", "sep_token", "mask_token"):
        tokenizer = tfx_core.load_tokenizer(released(name, tmp_path, **{role: token}, **options))
        assert (getattr(tokenizer, role), getattr(tokenizer, f"{role}_id")) == (token, size)
        assert tokenizer(f"hello {token}", add_special_tokens=False).input_ids[-1] == size
        if options and role == "bos_token":
            assert tokenizer("hello").input_ids[0] == size
        again = tfx_core.load_tokenizer(saved(tokenizer, tmp_path / role, name))
        assert columns(again, *TEXTS) == columns(tokenizer, *TEXTS)


def columns_and_types(pickled: bytes) -> list[object]:
    """In another process: what tokenizers give, and which models there are."""
    tokenizers, models = pickle.loads(pickled)
    return [*(columns(each, *TEXTS) for each in tokenizers), *((each.config, each.head_name) for each in models)]


def test_long_runs_of_a_sign_are_read_once(name: str, tmp_path: Path) -> None:
    """Read once for every sign in them, they would take minutes."""
    tokenizer = tfx_core.load_tokenizer(released(name, tmp_path))
    for run in (".", "a.", "!.", "\xa0", " ", "▁", "'", "e\u0301"):
        assert tokenizer(f"a{run * 50_000}b", truncation=True, max_length=9).input_ids, run


def test_tokenizers_and_models_go_to_a_process_that_knows_nothing_of_this_one(tmp_path: Path) -> None:
    tokenizers = [add(tfx_core.load_tokenizer(released(name, tmp_path / name))) for name in NAMES]
    models = [
        tfx_core.new_model(spec.name, head=head, **tiny_config(spec.name))
        for spec in registry.architectures()
        for head in ("backbone", *spec.heads)
    ]
    pickled = pickle.dumps((tokenizers, models))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(columns_and_types, pickled).result() == columns_and_types(pickled)
