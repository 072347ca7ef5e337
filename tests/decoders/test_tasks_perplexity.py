"""Perplexity of decoders: by windows and by memory it is what calls of the model, token by token, say."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import tfx_core
from tests.cases import case_of
from tests.decoders.texts import IDS, save
from tests.models.tiny import tiny_config
from tfx_core.cli import cli
from tfx_core.errors import InputError
from tfx_core.tasks import ItemError, perplexity

TEXT = "The dog lives in New York; naïve café 日本, where the cat sings."


def measured(folder: str, text: str = TEXT, **options: Any) -> Any:
    return tfx_core.pipeline("perplexity", model=folder)(text, **options)


def figures(losses: list[float], size: int) -> dict[str, Any]:
    mean = sum(losses) / len(losses)
    return {
        "perplexity": pytest.approx(math.exp(mean), rel=1e-5),
        "bits_per_byte": pytest.approx(sum(losses) / math.log(2) / size, rel=1e-5),
        "bits_per_token": pytest.approx(mean / math.log(2), rel=1e-5),
        "tokens": len(losses),
        "bytes": size,
    }


def loss_after(model: Any, seen: list[int], token: int) -> float:
    given = {}
    if "target_mapping" in model.input_names:  # XLNet predicts a place that it reads but does not see
        seen = [*seen, 0]
        given = {
            "perm_mask": torch.ones(len(seen), len(seen)).triu()[None],
            "target_mapping": torch.eye(len(seen))[None, -1:],
        }
    with torch.no_grad():
        return -float(model(torch.tensor([seen]), **given).logits[0, -1].log_softmax(-1)[token])


def losses_by_windows(model: Any, ids: list[int], size: int, step: int) -> list[float]:
    losses: list[float] = []
    begin, done = 0, 1
    while done < len(ids):
        for place in range(done, min(begin + size, len(ids) - 1) + 1):
            losses.append(loss_after(model, ids[begin:place], ids[place]))
            assert place <= size or place - begin > size - step
        done, begin = begin + size + 1, begin + step
    return losses


def tokens(folder: str, text: str = TEXT) -> list[int]:
    ids: list[int] = tfx_core.load_tokenizer(folder)(text)["input_ids"]
    return ids


# by windows


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save(tmp_path_factory.mktemp("gpt2") / "model", "gpt2")


@pytest.mark.parametrize(("window", "stride"), [(8, 1), (8, 3), (8, 8), (40, None), (None, None), (1, 1)])
def test_windows_give_each_token_its_context(window: int | None, stride: int | None, gpt2: str) -> None:
    size = window or 40
    losses = losses_by_windows(tfx_core.load_model(gpt2), [0, *tokens(gpt2)], size, stride or size // 2)
    assert measured(gpt2, window=window, stride=stride) == figures(losses, len(TEXT.encode()))


def test_without_a_begin_token_the_first_token_does_not_count(gpt2: str) -> None:
    model = tfx_core.load_model(gpt2)
    ids = tokens(gpt2, "ébc")
    losses = [loss_after(model, ids[:place], ids[place]) for place in range(1, len(ids))]
    # of é, two tokens, the second one is predicted, but no whole character
    assert measured(gpt2, "ébc", begin_token=False) == figures(losses, 2)


def test_figures_do_not_depend_on_the_batch(gpt2: str) -> None:
    task = tfx_core.pipeline("perplexity", model=gpt2, window=9)
    texts = [TEXT, "a", "the dog", TEXT[:20]]
    together = task(texts)
    for found, text in zip(together, texts, strict=True):
        alone = task(text, batch_tokens=1)
        assert found == {**alone, **{key: pytest.approx(alone[key], rel=1e-5) for key in list(alone)[:3]}}
    task.tokenizer.padding_side = "left"
    assert [each["bits_per_byte"] for each in task(texts)] == pytest.approx([e["bits_per_byte"] for e in together])


def test_logits_are_computed_in_parts(gpt2: str, monkeypatch: pytest.MonkeyPatch) -> None:
    task = tfx_core.pipeline("perplexity", model=gpt2)
    expected = task(TEXT)
    rows: list[int] = []
    task.model.head.predictions.register_forward_hook(lambda module, args, output: rows.append(len(output)))
    monkeypatch.setattr(perplexity, "LOGITS_BYTES", 4 * len(IDS) * 10)
    assert task(TEXT)["bits_per_byte"] == pytest.approx(expected["bits_per_byte"])
    assert max(rows) == 10
    rows.clear()
    task(TEXT, window=8, stride=1)
    assert sum(rows) == len(tokens(gpt2))  # no logits of tokens that were scored before


# by memory


@pytest.mark.parametrize("segment", [1, 5, 300])
def test_transformer_xl_reads_on_from_its_memory(segment: int, tmp_path: Path) -> None:
    folder = save(tmp_path / "m", "transfo-xl", begins=False, cutoffs=[60, 120], mem_len=9)
    model = tfx_core.load_model(folder)
    ids = tokens(folder)
    losses: list[float] = []
    mems = None
    with torch.no_grad():
        for begin in range(0, len(ids) - 1, segment):
            read = torch.tensor([ids[begin : begin + segment]])[:, : len(ids) - 1 - begin]
            output = model(read, mems=mems)
            following = ids[begin + 1 : begin + 1 + read.shape[1]]
            chosen = output.logits[0].log_softmax(-1)[range(len(following)), following]
            losses.extend((-chosen).tolist())
            mems = output.mems
    size = len(TEXT.encode()) - 1
    assert measured(folder, segment=segment) == figures(losses, size)
    assert measured(folder, segment=segment, memory=9) == figures(losses, size)
    if segment < len(ids):
        assert measured(folder, segment=segment, memory=2)["bits_per_byte"] != measured(folder)["bits_per_byte"]


@pytest.fixture(scope="module")
def xlnet(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save(tmp_path_factory.mktemp("xlnet") / "model", "xlnet", mem_len=200)


@pytest.mark.parametrize(("window", "stride"), [(8, 3), (8, 8), (1, 1), (200, None)])
def test_xlnet_goes_from_left_to_right(window: int, stride: int | None, xlnet: str) -> None:
    losses = losses_by_windows(tfx_core.load_model(xlnet), [0, *tokens(xlnet)], window, stride or window)
    assert measured(xlnet, window=window, stride=stride) == figures(losses, len(TEXT.encode()))


@pytest.mark.parametrize("segment", [1, 7, 300])
def test_xlnet_remembers_what_it_has_read(segment: int, xlnet: str) -> None:
    losses = losses_by_windows(tfx_core.load_model(xlnet), [0, *tokens(xlnet)], 200, 200)
    assert measured(xlnet, segment=segment) == figures(losses, len(TEXT.encode()))


# what cannot be


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "memory"}, "method='memory' needs a model with a memory"),
        ({"window": 41}, "window=41: the model takes at most 40 tokens"),
        ({"window": 8, "stride": 9}, "stride=9 is more than window=8"),
        ({"memory": 3}, "memory=3 is for method='memory'"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], said: str, gpt2: str) -> None:
    with pytest.raises(InputError) as caught:
        measured(gpt2, **options)
    assert said in str(caught.value)


def test_more_memory_than_the_model_has_is_refused(tmp_path: Path) -> None:
    folder = save(tmp_path / "m", "transfo-xl", cutoffs=[60, 120], mem_len=9)
    with pytest.raises(InputError, match="the model remembers 9 tokens; load it with mem_len=10"):
        measured(folder, memory=10)
    with pytest.raises(InputError, match="window=3 is for method='window'"):
        measured(folder, method="memory", window=3)


def test_nothing_to_predict_is_an_error(gpt2: str) -> None:
    task = tfx_core.pipeline("perplexity", model=gpt2)
    assert task([]) == []
    with pytest.raises(ItemError, match=r"inputs\[1\]: 1 tokens: there is nothing to predict"):
        task(["a", ""])
    with pytest.raises(ItemError, match=r"inputs\[0\]: 1 tokens"):
        task(["a"], begin_token=False)


def test_a_file_from_the_command_line(gpt2: str, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text(TEXT + "\n" + TEXT, encoding="utf-8")
    arguments = ["run", "perplexity", "-m", gpt2, "--file", str(path), "--read-as", "whole", "--window", "8", "--json"]
    result = CliRunner().invoke(cli, arguments, prog_name="tfx-core")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == measured(gpt2, TEXT + "\n" + TEXT, window=8)
    path.write_bytes(b"abc\xff")
    result = CliRunner().invoke(cli, arguments, prog_name="tfx-core")
    assert result.exit_code == 1
    assert "byte 3 (0xff) is not UTF-8" in result.stderr


def test_bytes_that_two_tokens_stand_for_are_predicted(tmp_path: Path) -> None:
    for name, data in case_of("reformer").released().items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "config.json").write_text('{"model_type": "reformer"}', encoding="utf-8")
    tokenizer = tfx_core.load_tokenizer(tmp_path)
    tfx_core.new_model(
        "reformer", head="causal-lm", seed=1, **{**tiny_config("reformer"), "vocab_size": len(tokenizer)}
    ).save_pretrained(tmp_path)
    ids = tokenizer("%%")["input_ids"]  # the mark of a word's beginning, and what it marks
    assert len(ids) > 1
    assert measured(str(tmp_path), "%%", begin_token=False)["bytes"] == 2
