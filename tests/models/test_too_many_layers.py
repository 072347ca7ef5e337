"""A new model of our architectures with more layers than any has is refused while they are counted."""

import pytest

import tfx_core
from tests.cases import case_of, readers_of_text
from tfx_core.errors import ConfigError
from tfx_core.model import load_architecture


@pytest.mark.parametrize("name", [spec.name for spec in readers_of_text()])
def test_layers_of_a_new_model_are_counted_before_all_are_built(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfx_core.model.loading._MOST_NEW", 200)
    config, case = load_architecture(name).config, case_of(name)
    deep = {config.aliases.get(key, key): value for key, value in case.deepest.items()}
    # layers that share their weights are counted by the config itself
    with pytest.raises(ConfigError, match=r"^(asks for more than 200 tensors|num_hidden_layers=)"):
        tfx_core.new_model(name, **{**case.tiny, **deep})
