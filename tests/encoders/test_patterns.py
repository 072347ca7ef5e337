"""A pattern of attention is selected wherever a model is loaded: in pipelines, encoders and on the command line."""

from pathlib import Path

import numpy as np
import pytest

import tfx_core
from tests.core.cli.running import run
from tests.models.released import released
from tests.models.tiny import tiny_config
from tfx_core.embedding import load_encoder
from tfx_core.errors import InputError
from tfx_core.nn import Window

TEXT = "hello abc worlds, 1,000 hello worlds"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tokenizer = tfx_core.load_tokenizer(released("bert", tmp_path))
    sizes = {**tiny_config("bert"), "vocab_size": len(tokenizer)}
    tfx_core.new_model("bert", head="masked-lm", seed=0, **sizes).save_pretrained(tmp_path)
    return tmp_path


def test_a_pipeline_and_an_encoder_have_it(folder: Path) -> None:
    def vectors(attention: object) -> np.ndarray:
        features = tfx_core.pipeline("feature-extraction", model=folder, attention=attention)(TEXT)
        return np.asarray(features, dtype=np.float32)

    assert np.array_equal(vectors("window(1)"), vectors(Window(1, 1)))
    assert not np.allclose(vectors("window(1)"), vectors("full"), atol=1e-4)
    encoded = [load_encoder(folder, pooling="mean", attention=each).encode(TEXT) for each in ("window(1)", "full")]
    assert not np.allclose(*encoded, atol=1e-4)


def test_the_command_line_has_it(folder: Path) -> None:
    def scores(*options: str) -> str:
        result = run("run", "fill-mask", "--model", str(folder), *options, "--json", f"{TEXT} [MASK]")
        assert (result.exit_code, result.stderr) == (0, "")
        return result.stdout

    assert scores("--attention", "window(1, 0)") != scores() == scores("--attention", "full")
    result = run("run", "fill-mask", "--model", str(folder), "--attention", "window(-1)", f"{TEXT} [MASK]")
    assert result.exit_code == 1
    assert "--attention 'window(-1)': window: before=-1: must be an integer at least 0" in result.stderr


def test_a_call_of_it_alone(folder: Path) -> None:
    model = tfx_core.load_model(folder)
    with pytest.raises(InputError, match="'window' takes arguments"):
        model(tfx_core.load_tokenizer(folder)(TEXT, return_tensors="pt").input_ids, attention="window")
