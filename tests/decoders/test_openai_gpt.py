"""GPT: its config, its text, the words of its corpus, and tasks that read and write them."""

import pickle
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import tfx_core
from tests.cases import case_of
from tests.core.text.folders import read, write
from tests.models.tiny import perturbed, texts_differ, tiny_config
from tfx_core.errors import ConfigError, InputError, TextError
from tfx_core.text import Tokenizer
from tfx_decoders.openai_gpt import OpenAIGPTConfig, corpus_words
from tfx_decoders.openai_gpt.text import RECIPE

FILES: dict[str, Any] = dict(case_of("openai-gpt").released())
FILES["vocab.json"] |= {token: len(FILES["vocab.json"]) + at for at, token in enumerate(("é</w>", "\n</w>"))}


def released(folder: Path, **options: Any) -> Tokenizer:
    return read(write(folder, FILES), RECIPE, **options)


# config


def test_sizes_have_their_common_names() -> None:
    config = OpenAIGPTConfig(n_embd=24, n_layer=3, n_head=4, n_positions=40)
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (24, 3, 4)
    assert config.max_position_embeddings == 40
    with pytest.raises(TypeError, match="takes no 'intermediate_size': feed-forward layers are four times as wide"):
        config.replace(intermediate_size=96)


def test_a_score_of_a_choice_needs_its_projection() -> None:
    for key in ("summary_use_proj", "summary_proj_to_labels"):
        with pytest.raises(ConfigError, match=f"{key}=False: must be true for double-heads"):
            tfx_core.new_model("openai-gpt", head="double-heads", **{**tiny_config("openai-gpt"), key: False})


def test_a_text_beyond_the_positions_is_refused() -> None:
    model = tfx_core.new_model("openai-gpt", **tiny_config("openai-gpt"))
    with pytest.raises(InputError, match=r"41 .*40"):
        model(torch.ones(1, 41, dtype=torch.long))


# text


def test_words_are_small_and_without_accents_and_marks_stand_alone(tmp_path: Path) -> None:
    tokens = released(tmp_path)
    assert tokens.tokenize("Ábc ab's\nC日") == ["abc</w>", "ab</w>", "'</w>", "s</w>", "c</w>", "<unk>"]
    assert tokens("a", "b").input_ids == [*tokens("a").input_ids, *tokens("b").input_ids]
    ids = tokens("Ábc, ab").input_ids
    assert tokens.decode(ids) == "abc , ab"
    assert tokens.decode(ids, clean_up_tokenization_spaces=True) == "abc, ab"
    assert (tokens.unk_token, tokens.bos_token, tokens.pad_token) == ("<unk>", None, None)


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules that mend a few signs, and find the words that have one, in place of ftfy and spaCy."""

    def fix_text(text: str) -> str:
        return re.sub("^!", "a!", text.replace("“", '"').replace("ﬁ", "bc").replace("\0", ""))

    def tokenizer(text: str) -> list[Any]:
        found = re.finditer(r"\n |n't|\w+?(?=n't)|\w+(?:\.(?!\.))?|([^\w ])\1*", text)
        return [SimpleNamespace(idx=match.start()) for match in found]

    monkeypatch.setitem(sys.modules, "ftfy", SimpleNamespace(fix_text=fix_text))
    monkeypatch.setitem(
        sys.modules, "spacy.lang.en", SimpleNamespace(English=lambda: SimpleNamespace(tokenizer=tokenizer))
    )
    forget()


def forget() -> None:
    corpus_words._mending.cache_clear()
    corpus_words._starts.cache_clear()


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Don't", [("do", "Do"), ("n't", "n't")]),
        ("Mr.  a", [("mr.", "Mr."), ("a", "a")]),
        ("“ab…—é", [('"', "“"), ("ab", "ab"), ("...", "…"), ("-", "—"), ("é", "é")]),
        ("ﬁa\0b b", [("bcab", "ﬁa\0b"), ("b", "b")]),
        ("!b", [("a", "!"), ("!", "!"), ("b", "b")]),
        (" (a)\n\n  b--c ", [("(", "("), ("a", "a"), (")", ")"), ("\n", " "), ("b", "b"), ("--", "--"), ("c", "c")]),
        ("", []),
    ],
)
def test_words_of_the_corpus_are_found(text: str, found: list[tuple[str, str]], tmp_path: Path) -> None:
    tokens = released(tmp_path, corpus_words=True)
    batch = tokens(text, return_offsets_mapping=True)
    words: dict[int, list[Any]] = {}
    for word, token, (begin, end) in zip(batch.word_ids(), batch.tokens(), batch.offset_mapping, strict=True):
        written, first, _ = words.get(word, ("", begin, end))
        words[word] = [written + token.removesuffix("</w>"), first, end]
    assert [(word, text[begin:end]) for word, begin, end in words.values()] == found


@pytest.mark.usefixtures("stand_ins")
def test_such_a_tokenizer_is_saved_without_a_tokenizer_json_and_pickled(tmp_path: Path) -> None:
    tokens = released(tmp_path / "a", corpus_words=True)
    ids = tokens("“Don't\nab”").input_ids
    assert ids != released(tmp_path / "a")("“Don't\nab”").input_ids
    written = {Path(path).name for path in tokens.save_pretrained(tmp_path / "b")}
    assert written == {"merges.txt", "special_tokens_map.json", "tokenizer_config.json", "vocab.json"}
    assert read(tmp_path / "b", RECIPE)("“Don't\nab”").input_ids == ids
    assert pickle.loads(pickle.dumps(tokens))("“Don't\nab”").input_ids == ids


@pytest.mark.usefixtures("stand_ins")
def test_the_option_goes_over_tokenizer_json(tmp_path: Path) -> None:
    released(tmp_path / "a").save_pretrained(tmp_path / "b")
    assert "Don't" not in FILES["vocab.json"]
    found = [read(tmp_path / "b", RECIPE, corpus_words=words)("Don't").input_ids for words in (True, False)]
    assert found == [released(tmp_path / "c", corpus_words=words)("Don't").input_ids for words in (True, False)]
    assert found[0] != found[1]


@pytest.mark.parametrize("module", ["ftfy", "spacy.lang.en"])
@pytest.mark.usefixtures("stand_ins")
def test_a_package_that_is_not_there_is_named(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        TextError, match=rf"corpus_words is true, .*{module}.*: pip install 'tfx-decoders\[segmenters\]'"
    ):
        released(tmp_path, corpus_words=True)
    assert released(tmp_path)("a").input_ids


# tasks


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with the family's own files."""
    folder = write(tmp_path_factory.mktemp("openai_gpt"), FILES)
    config = {**tiny_config("openai-gpt"), "vocab_size": len(FILES["vocab.json"])}
    model = tfx_core.new_model("openai-gpt", head="causal-lm", seed=4, **config).eval()
    perturbed(model, 5, texts_differ).save_pretrained(folder)
    return folder


def test_a_prompt_goes_on_with_blanks_between_words(folder: Path) -> None:
    task = tfx_core.pipeline("text-generation", model=str(folder))
    model, tokens = tfx_core.load_model(folder), tfx_core.load_tokenizer(folder)
    for prompt in ("ABC ab", "ab, c"):
        inputs = tokens(prompt, return_tensors="pt")
        (ids,) = model.generate(**inputs, max_new_tokens=12, do_sample=False).tolist()
        (result,) = task(prompt, max_new_tokens=12, do_sample=False)
        assert result["generated_text"] == prompt + tokens.decode(ids)[len(tokens.decode(inputs["input_ids"][0])) :]
        pieces: list[str] = []
        assert task.follow(prompt, pieces.append, max_new_tokens=12, do_sample=False) == result
        assert "".join(pieces) == result["generated_text"]


def test_perplexity_is_that_of_the_tokens_behind_the_first(folder: Path) -> None:
    model, tokens = tfx_core.load_model(folder), tfx_core.load_tokenizer(folder)
    text = "Ab abc, hello ab world"
    ids = tokens(text, return_tensors="pt").input_ids
    found = tfx_core.pipeline("perplexity", model=str(folder))(text)
    assert found["tokens"] == ids.shape[1] - 1
    with torch.no_grad():
        loss = model(ids, labels=ids).loss
    assert found["perplexity"] == pytest.approx(float(loss.exp()), rel=1e-4)


def test_choices_are_scored_by_the_token_that_is_named(folder: Path, tmp_path: Path) -> None:
    """As the paper classifies: a token is added to the vocabulary, the table grows, and its state is read."""
    tokens = tfx_core.load_tokenizer(folder)
    tokens.add_special_tokens({"cls_token": "[CLS]", "pad_token": "[PAD]"})
    model = tfx_core.load_model(folder, head="double-heads").eval()
    model.resize_token_embeddings(len(tokens))
    batch = tokens(["ab abc [CLS]", "ab hello world [CLS]"], padding=True, return_tensors="pt")
    choices = {name: value[None] for name, value in batch.items()}
    places = (batch["input_ids"] == tokens.cls_token_id).int().argmax(-1)[None]
    named, last = model(**choices, mc_token_ids=places), model(**choices)
    torch.testing.assert_close(named.mc_logits, last.mc_logits)
    assert named.logits.shape == (1, 2, batch["input_ids"].shape[1], len(tokens))
