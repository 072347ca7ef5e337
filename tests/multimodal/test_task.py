"""The task multimodal-classification, in Python and on the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import tfx_core
from tests.core.text.folders import write
from tests.multimodal.test_mmbt import with_pixels
from tfx_core.cli import cli
from tfx_core.errors import InputError
from tfx_multimodal import ImageReader
from tfx_testing.vocabularies import word_pieces

READER = ImageReader(shortest_edge=40, crop_size=(36, 32))
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with a tokenizer and what says how images are read, and two images."""
    folder = tmp_path_factory.mktemp("mmbt")
    files = word_pieces(SPECIAL)
    model = with_pixels(vocab_size=len(files["vocab.txt"]), num_labels=3)  # type: ignore[arg-type]
    model.save_pretrained(folder)
    write(folder, {**files, "tokenizer_config.json": {"tokenizer_class": "BertTokenizer"}})
    READER.save_pretrained(folder)
    (folder / "images").mkdir()
    for name, colour in (("red", (200, 0, 0)), ("blue", (0, 9, 200))):
        Image.new("RGB", (50, 60), colour).save(folder / f"images/{name}.png")
    return folder


def test_text_and_image_are_read_as_the_paper_says(folder: Path) -> None:
    task = tfx_core.pipeline("multimodal-classification", folder)
    red = folder / "images/red.png"
    result = task({"text": "hello abc", "image": red}, top_k=None)
    ids = task.tokenizer("hello abc", add_special_tokens=False)["input_ids"]
    around = {"modal_start_tokens": torch.tensor([2]), "modal_end_tokens": torch.tensor([3])}
    logits = task.model(torch.tensor([[*ids, 3]]), input_modal=READER(red)[None], **around).logits[0]
    scores = logits.softmax(-1)
    assert {each["label"]: pytest.approx(each["score"], abs=1e-6) for each in result} == {
        f"LABEL_{number}": float(score) for number, score in enumerate(scores)
    }
    for image in (str(red), red.read_bytes(), Image.open(red)):
        assert task(("hello abc", image), top_k=None) == result


def test_a_batch_gives_what_each_input_gives_alone(folder: Path) -> None:
    task = tfx_core.pipeline("multimodal-classification", folder)
    images = [folder / f"images/{name}.png" for name in ("red", "blue")]
    pairs: list[Any] = [(text, image) for text in ("a", "hello world " * 9, "") for image in (*images, None)]
    together = task(pairs, batch_size=4)
    for pair, result in zip(pairs, together, strict=True):
        alone = task(pair)
        assert (alone["label"], pytest.approx(alone["score"], abs=1e-5)) == (result["label"], result["score"])
    assert len({round(result["score"], 6) for result in together}) == len(pairs)


def test_what_is_no_text_with_an_image_is_told(folder: Path) -> None:
    task = tfx_core.pipeline("multimodal-classification", folder)
    for given, said in (
        ("a text", "a dict or a pair of text and image is needed, not str"),
        ({"text": "a"}, r"keys \['text'\]: a dict has 'text' and 'image'"),
        (("a", "none.png"), "none.png: cannot be read"),
        ((3, None), "a text"),
        (("a " * 99, None), r"101 tokens, but the model takes at most 40; truncation=True"),
    ):
        with pytest.raises(InputError, match=said):
            task([given])
    assert task(("a " * 99, None), truncation=True)["score"] > 0
    blind = tfx_core.new_model("mmbt", head="multimodal-classification", vocab_size=99, hidden_size=24)
    with pytest.raises(InputError, match="this model has no image encoder, only features"):
        tfx_core.pipeline("multimodal-classification", model=blind, tokenizer=task.tokenizer)


def test_it_is_written_with_how_images_are_read(folder: Path, tmp_path: Path) -> None:
    task = tfx_core.pipeline("multimodal-classification", folder)
    task.save_pretrained(tmp_path)
    again = tfx_core.pipeline("multimodal-classification", tmp_path)
    assert again.images == READER
    pair = ("abc", folder / "images/blue.png")
    assert again(pair) == task(pair)


def test_the_command_reads_images_beside_the_file_and_one_bad_line_keeps_no_other(folder: Path) -> None:
    lines = [{"text": "abc", "image": "images/red.png"}, {"text": "abc", "image": "gone.png"}, {"text": "abc"}]
    lines += [{"text": "abc", "image": str(folder / "images/blue.png")}]
    (folder / "in.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    arguments = ["run", "multimodal-classification", "--model", str(folder), "--file", str(folder / "in.jsonl")]
    answer = CliRunner().invoke(cli, [*arguments, "--json"], prog_name="tfx-core")
    assert answer.exit_code == 1
    results = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [[*result] for result in results] == [["label", "score"], ["error"], ["error"], ["label", "score"]]
    assert "line 2" in results[1]["error"]
    assert f"{folder}/gone.png: cannot be read" in results[1]["error"]
    answer = CliRunner().invoke(cli, [*arguments[:-2], "a text"], prog_name="tfx-core")
    assert answer.exit_code == 1
    assert 'give lines of {"text": …, "image": "a.png"}' in answer.output
