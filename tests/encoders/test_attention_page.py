"""``tfx-core attention`` on an encoder, and what is Longformer's own on a page."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import tfx_core
from tests.core.attention_pages import addresses, parsed, shown
from tests.core.cli.running import run
from tests.models.test_attention_maps import made
from tfx_core.attention import attention_maps, attention_page
from tfx_core.model import ModelOutput
from tfx_core.nn import FirstTokens, Window

TEXT = "hello abc </script><script>alert(1)</script> & b"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bert")
    model, tokenizer = made("bert", tmp_path_factory.mktemp("released"))
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def test_the_page_and_the_numbers_are_written(folder: Path, tmp_path: Path) -> None:
    page, numbers = tmp_path / "page.html", tmp_path / "numbers.json"
    page.write_text("an old one")
    done = run("attention", str(folder), TEXT, "--html", str(page), "--json", str(numbers))
    assert (done.exit_code, done.stdout) == (0, "")
    assert {*tmp_path.iterdir()} == {page, numbers}
    written = page.read_text(encoding="utf-8")
    maps = attention_maps(tfx_core.load_model(folder), tfx_core.load_tokenizer(folder), TEXT)
    assert written == attention_page(maps)
    assert json.loads(numbers.read_text(encoding="utf-8")) == maps.to_dict()
    assert f"<title>Attention of {folder.name}</title>" in written
    assert str(folder) not in written


def test_a_text_can_come_from_a_pipe_and_the_page_go_into_one(folder: Path, tmp_path: Path) -> None:
    expected = run("attention", str(folder), TEXT, "--html", "-").stdout
    assert run("attention", str(folder), "-", "--html", "-", stdin=f"{TEXT}\n").stdout == expected
    told = run("attention", str(folder), TEXT, "--html", str(tmp_path / "page.html"), "--json", "-").stdout
    assert json.loads(told)["model"] == folder.name
    assert told.count("\n") == 1


def test_page_and_numbers_are_two_files(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    (tmp_path / "same.json").symlink_to(page)
    done = run("attention", str(folder), TEXT, "--html", str(page), "--json", str(tmp_path / "same.json"))
    assert (done.exit_code, page.exists()) == (2, False)
    assert f"--html and --json both want {page}; give one of them another file" in done.stderr


def test_a_folder_may_have_a_name_that_no_file_can_hold(folder: Path, tmp_path: Path) -> None:
    strange = tmp_path / "caf\udce9"  # é in Latin-1, as Python reads it from the system
    strange.symlink_to(folder, target_is_directory=True)
    page = tmp_path / "page.html"
    assert run("attention", str(strange), TEXT, "--html", str(page)).exit_code == 0
    assert "<title>Attention of caf\\udce9</title>" in page.read_text(encoding="utf-8")


def test_no_token_becomes_part_of_the_page(folder: Path) -> None:
    page, plain = (run("attention", str(folder), text, "--html", "-").stdout for text in (TEXT, "hello"))
    assert parsed(page).tags == parsed(plain).tags
    assert addresses(page) == []
    tokens = [text for text, _ in shown(page)[0].rows[0]]
    assert tokens[:5] == ["[CLS]", "hello", "abc", "<", "/"]


def test_options_say_what_is_read_and_how(folder: Path) -> None:
    whole = ("attention", str(folder), "hello abc hello", "--html", "-")
    (pair,) = shown(run(*whole, "--pair", "world", "--max-tokens", "6").stdout)
    assert [text for text, _ in pair.rows[0]] == ["[CLS]", "hello", "abc", "[SEP]", "world", "[SEP]"]
    (narrow,) = shown(run(*whole, "--attention", "window(1)").stdout)
    places = torch.arange(5)
    assert all(each.equal(Window(1, 1).at(places, places)) for each in narrow.allowed[0])
    (causal,) = shown(run(*whole, "--head", "causal-lm").stdout)
    assert (pair.name, narrow.name, causal.name) == ("encoder", "encoder", "decoder")
    assert causal.allowed[0][0].equal(torch.ones(5, 5).tril().bool())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["", "--html", "-"], "text: there is nothing in it to attend to"),
        (["a", "--html", "-", "--pair", " "], "pair: there is nothing in it to attend to"),
        (["hello " * 300, "--html", "-"], "302 tokens, but the model takes at most"),
        (["a", "--html", "-", "--max-tokens", "2"], "--max-tokens 2: leaves no room beside the 2 special tokens"),
        (["a", "--html", "-", "--max-tokens", "0"], "0 is not in the range x>=1"),
        (["a", "--html", "-", "--max-tokens", "5000"], "--max-tokens 5000: the model takes at most"),
        (["a", "--html", "-", "--attention", "widow(3)"], "did you mean 'window'?"),
        (["a", "--html", "-", "--target", "b"], "target: a bert model with the head 'backbone' has no decoder"),
        (["a", "--html", "-", "--tgt-lang", "de"], "--tgt-lang de: "),
        (["a", "--html", "-", "--head", "no-head"], "no head 'no-head' for bert"),
        (["a", "--html", "-", "--json", "-"], "both want standard output"),
        (["a", "--html", "/no/such/folder/page.html"], "the folder '/no/such/folder' does not exist"),
        (["a"], "Missing option '--html'"),
    ],
)
def test_mistakes_are_told_in_a_line(arguments: list[str], said: str, folder: Path) -> None:
    done = run("attention", str(folder), *arguments)
    assert done.exit_code in (1, 2)
    assert done.stdout == ""
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_is_not_utf8_is_refused(folder: Path) -> None:
    done = run("attention", str(folder), "-", "--html", "-", stdin=b"a \xff")
    assert "standard input: is not UTF-8" in done.stderr


def test_a_folder_without_a_tokenizer_is_refused_before_a_model_is_loaded(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    done = run("attention", str(tmp_path), "a", "--html", str(tmp_path / "page.html"))
    assert done.exit_code == 1
    assert "tokenizer.json" in done.stderr
    assert not (tmp_path / "page.html").exists()


def test_a_model_s_own_pattern_is_named(folder: Path) -> None:
    model, tokenizer = tfx_core.load_model(folder, attention="window(2)"), tfx_core.load_tokenizer(folder)
    assert attention_maps(model, tokenizer, TEXT).attention == "Window"
    assert attention_maps(model, tokenizer, TEXT, attention="full").attention == "full"
    first = FirstTokens(Window(1, 1), 2)
    (side,) = attention_maps(model, tokenizer, TEXT, attention=first).sides
    assert [place for place, row in enumerate(side.layers[0].rows) if row.is_global] == [0, 1]


def test_a_model_in_training_is_read_without_dropout_and_left_as_it_was(folder: Path) -> None:
    model = tfx_core.load_model(folder, attention_probs_dropout_prob=0.5, hidden_dropout_prob=0.5).train()
    tokenizer, counted = tfx_core.load_tokenizer(folder), []
    first, again = (attention_maps(model, tokenizer, TEXT, progress=counted.append).sides[0] for _ in range(2))
    assert all(one.weights.equal(other.weights) for one, other in zip(first.layers, again.layers, strict=True))
    assert model.training
    assert counted == [1] * 2 * len(first.layers)


def of_pairs(output: ModelOutput, layer: int, window: Window, chosen: list[int]) -> Tensor:
    """What Longformer reports by neighbour and by global token, for every pair, ``(H, T, T)``."""
    near, far = output.attentions[layer][0], output.global_attentions[layer][0]
    heads, length, _ = near.shape
    dense = torch.zeros(heads, length, length)
    reach = window.before or 0
    for row in range(length):
        for step in range(-reach, reach + 1):
            column = row + step * window.dilation
            if 0 <= column < length and column not in chosen:
                dense[:, row, column] = near[:, row, len(chosen) + step + reach]
        dense[:, row, chosen] = near[:, row, : len(chosen)]
    for number, row in enumerate(chosen):
        dense[:, row] = far[:, :, number]
    return dense


@pytest.mark.parametrize(
    "config",
    [{"attention_window": [2, 6, 4]}, {"attention_dilation": [1, 2, 3]}, {"attention_window": 64}],
    ids=str,
)
def test_longformer_s_weights_are_shown_for_every_pair(config: dict[str, Any], tmp_path: Path) -> None:
    model, tokenizer = made("longformer", tmp_path, "question-answering", **config)
    question, context = "ab?", "hello abc"
    batch = tokenizer(question, context, return_tensors="pt")
    with torch.no_grad():
        output = model(
            **{name: each for name, each in batch.items() if name in model.input_names}, output_attentions=True
        )
    (side,) = attention_maps(model, tokenizer, question, context).sides
    separator = batch["input_ids"][0].tolist().index(tokenizer.sep_token_id)
    for number, layer in enumerate(side.layers):
        chosen = [place for place, row in enumerate(layer.rows) if row.is_global]
        assert chosen == list(range(separator))
        wanted = of_pairs(output, number, model.backbone.windows[number], chosen)
        torch.testing.assert_close(layer.weights, wanted)
        assert layer.allowed[:, chosen].all()
        assert layer.allowed[:, :, chosen].all()
        far = (
            model.backbone.windows[number]
            .at(torch.arange(len(layer.rows)), torch.arange(len(layer.rows)))
            .logical_not()
        )
        far[chosen] = far[:, chosen] = False
        assert not layer.allowed[:, far].any()
