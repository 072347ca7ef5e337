"""Where to compute: what the names stand for, and what this machine has."""

from pathlib import Path

import pytest
import torch

import tfx_core
from tfx_core.errors import InputError
from tfx_core.model.devices import device_of, devices
from tfx_testing.toy import Plugin, save


@pytest.mark.parametrize("name", ["cpu", "-1", -1, torch.device("cpu")])
def test_the_cpu_has_several_names(name: str | int | torch.device) -> None:
    assert device_of(name) == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "foo", "", "vulkan", 99, None])
def test_what_this_machine_lacks_is_told_with_what_it_has(name: object) -> None:
    with pytest.raises(InputError, match=f"^device=.*: on this machine it is one of {', '.join(devices())}"):
        device_of(name)  # type: ignore[arg-type]


def test_an_accelerator_is_known_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfx_core.model.devices._accelerator", lambda: "meta")
    assert [device_of(0), device_of("0")] == [torch.device("meta", 0)] * 2


def test_it_is_looked_at_before_anything_is_loaded(tmp_path: Path) -> None:
    with tfx_core.register(Plugin(), name="tfx-toy"):
        saved = save(tmp_path / "lm", "masked-lm")
        for load in (
            lambda path: tfx_core.load_model(path, device="gpu"),
            lambda path: tfx_core.load_encoder(path, device="gpu"),
            lambda path: tfx_core.pipeline("fill-mask", model=path, device="gpu"),
        ):
            for path in (saved, tmp_path / "absent"):
                with pytest.raises(InputError, match="device='gpu': on this machine it is one of cpu"):
                    load(path)


def test_a_new_model_is_where_it_is_asked_for_whatever_torchs_default_is() -> None:
    with tfx_core.register(Plugin(), name="tfx-toy"), torch.device("meta"):
        model = tfx_core.new_model("toy", seed=0)
    assert {each.device.type for each in (*model.parameters(), *model.buffers())} == {"cpu"}
