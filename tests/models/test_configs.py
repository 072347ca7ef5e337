"""What holds for the config of every architecture: the keys that it knows, what it refuses, what it says of ties."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tfx_core
from tests.cases import case_of, readers_of_text
from tests.models.tiny import perturbed, random_ids, target_ids, tiny_config
from tfx_core.errors import CheckpointError, ConfigError, UnknownNameError
from tfx_core.model import Model, load_architecture
from tfx_core.model.config import LARGEST, MOST_LABELS, ModelConfig
from tfx_core.model.known_keys import NEUTRAL_VALUES
from tfx_testing.cases import CHOICE_HEADS

ARCHITECTURES = [spec.name for spec in readers_of_text()]
KEYS: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("reference_keys.json").read_text("utf-8"))
"""What two versions of the reference write (``to_dict`` and a saved folder), and what released files have besides."""


@pytest.fixture(params=ARCHITECTURES)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A tiny model with the head that has ties, where there is one."""
    name: str = request.param
    config = load_architecture(name).config.of(**tiny_config(name))
    heads = load_architecture(name).heads
    head = next((head for head, plan in heads.items() if plan.ties_of(config)), "backbone")
    tfx_core.new_model(name, head=head, seed=1, **tiny_config(name)).save_pretrained(tmp_path)
    return tmp_path


def rewrite(folder: Path, **values: Any) -> dict[str, Any]:
    """Change keys of the folder's config; returns what the file held before."""
    path = folder / "config.json"
    before: dict[str, Any] = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**before, **values}), encoding="utf-8")
    return before


def config_class(model_type: str) -> type[ModelConfig]:
    config: type[ModelConfig] = load_architecture(model_type).config
    return config


# keys


@pytest.mark.parametrize("era", KEYS)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_key_that_the_reference_writes_is_honoured_or_declared(name: str, era: str) -> None:
    made, keys = config_class(name)(), KEYS[era]["every"].split() + KEYS[era].get(name, "").split()
    others = [key for key in keys if made.aliases.get(key, key) not in made.field_names()]
    assert made.replace(extra=dict.fromkeys(others)).unknown_keys == ()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_is_declared_is_no_field(name: str) -> None:
    config = config_class(name)
    declared = {*config.inert_keys, *config.neutral_values}
    assert not declared & {*config.field_names(), *config.aliases}


def test_a_key_that_nothing_knows_is_told_kept_and_written_back(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rewrite(folder, swing="\x1b[2J", _note=[1], extra=3)
    model = tfx_core.load_model(folder)
    assert [record.getMessage() for record in caplog.records] == [
        f"{folder}/config.json: keys that nothing here knows, kept and without effect: swing, extra"
    ]
    model.save_pretrained(tmp_path / "again")
    written = rewrite(tmp_path / "again")
    assert (written["swing"], written["_note"], written["extra"]) == ("\x1b[2J", [1], 3)


def test_a_key_that_changes_results_and_is_not_honoured_is_refused(folder: Path) -> None:
    name = rewrite(folder)["model_type"]
    for key, values in {**NEUTRAL_VALUES, **config_class(name).neutral_values}.items():
        for value in (*values, None):
            before = rewrite(folder, **{key: value})
            tfx_core.load_model(folder)
        rewrite(folder, **{key: {"another": 1}})
        with pytest.raises(ConfigError, match=rf"^{folder}/config\.json: {key}=\{{'another': 1\}}: changes results"):
            tfx_core.load_model(folder)
        (folder / "config.json").write_text(json.dumps(before), encoding="utf-8")


def test_the_type_of_the_weights_has_one_name_in_a_file(folder: Path, tmp_path: Path) -> None:
    rewrite(folder, dtype="float16")
    tfx_core.load_model(folder, dtype="bfloat16").save_pretrained(tmp_path / "again")
    written = rewrite(tmp_path / "again")
    assert ("dtype" in written, written["torch_dtype"]) == (False, "bfloat16")


def test_errors_of_what_is_installed_name_file_and_key(folder: Path) -> None:
    before = rewrite(folder, architectures=[], tfx_head="absent")
    with pytest.raises(UnknownNameError, match=rf"^{folder}/config\.json: tfx_head='absent': no head 'absent' for"):
        tfx_core.load_model(folder)
    assert tfx_core.load_model(folder, head="backbone").head_name == "backbone"
    for wrong, error in (("absent", UnknownNameError), ([1], ConfigError), ("", ConfigError), (None, ConfigError)):
        rewrite(folder, **{**before, "model_type": wrong})
        with pytest.raises(error, match=rf"^{folder}/config\.json: model_type="):
            tfx_core.load_model(folder)


# numbers


NUMBERS = (-1, LARGEST, LARGEST + 1, 2**64, 10**400, 0.5, 1e308, float("inf"))


def test_any_number_is_used_or_refused_by_name(folder: Path) -> None:
    before = rewrite(folder)
    keys = [key for key, value in before.items() if isinstance(value, int | float) and not isinstance(value, bool)]
    assert len(keys) > 10
    said = []
    for key in keys:
        for number in NUMBERS:
            rewrite(folder, **{**before, key: number})
            try:
                tfx_core.load_model(folder)
            except (ConfigError, CheckpointError) as error:
                said.append((key, number, str(error)))
    begins = (f"{folder}/config.json: ", f"{folder}: its tensors do not fit its config.json")
    assert not [each for each in said if not each[-1].startswith(begins)]
    assert len(said) > 4 * len(keys)


def test_layers_are_counted_before_all_are_built(folder: Path) -> None:
    before = rewrite(folder)
    config = config_class(before["model_type"])
    depths = {config.aliases.get("num_hidden_layers", "num_hidden_layers"), "decoder_layers", "num_decoder_layers"}
    for key in depths & {*config.field_names()}:
        rewrite(folder, **{**before, key: LARGEST})
        said = rf"asks for more than 1\d\d\d tensors|{key}={LARGEST}: must be (an integer )?from [01] to \d+"
        with pytest.raises(ConfigError, match=rf"^{folder}/config\.json: ({said})"):
            tfx_core.load_model(folder)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_new_model_without_measure_is_an_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfx_core.model.loading._MOST_NEW", 200)
    config = config_class(name).of(**tiny_config(name))
    values = {key: getattr(config, key) for key in config.field_names() if key != "extra"}
    deep, width = case_of(name).deepest, 24 * 10**7
    wide = {"vocab_size": LARGEST, "hidden_size": width, **case_of(name).goes_with("hidden_size", width)}
    # layers that share their weights are counted by the config itself
    for sizes, said in ((deep, "asks for more than 200 tensors|num_hidden_layers="), (wide, "a model of these sizes")):
        with pytest.raises(ConfigError, match=f"^({said})"):
            tfx_core.new_model(
                name, **{**values, **{config.aliases.get(key, key): size for key, size in sizes.items()}}
            )


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_epsilons_deviations_and_classes_have_bounds(name: str) -> None:
    config = config_class(name)
    floats = [key for key in config.field_names() if type(getattr(config(), key)) is float]
    assert floats
    for key in floats:
        for value in (1e308, float("inf"), float("nan"), -1.0):
            with pytest.raises(ConfigError, match=f"^{key}="):
                config.of(**{key: value})
    for key in (key for key in floats if "eps" in key):
        with pytest.raises(ConfigError, match=f"^{key}=1e"):
            config.of(**{key: 1e30})
    with pytest.raises(ConfigError, match=rf"^num_labels=1000000000: must be an integer from 0 to {MOST_LABELS}$"):
        config.of(num_labels=10**9)
    with pytest.raises(ConfigError, match=rf"^id2label: names 100000 classes; must be at most {MOST_LABELS}$"):
        config.of(id2label=dict.fromkeys(range(100000), "a"))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_heads_are_pruned_where_they_can_be_and_refused_where_not(name: str) -> None:
    config, tiny = config_class(name), config_class(name).of(**tiny_config(name))
    if tiny.prunable is None:
        with pytest.raises(ConfigError, match=f"pruned_heads=.*must be empty: heads of {name} cannot be pruned"):
            tiny.replace(pruned_heads={0: (0,)})
        return
    layers, heads = tiny.prunable
    made = config.from_dict({**tiny.to_dict(), "pruned_heads": {"0": [-1, 0, heads - 1], "-1": [1]}})
    assert made.pruned_heads == {0: (0, heads - 1), layers - 1: (1,)}
    assert config.from_dict(made.to_dict()) == made
    for wrong in ({0: (heads,)}, {0: (-heads - 1,)}, {layers: (0,)}, {-layers - 1: (0,)}, {0: (0,), -layers: (1,)}):
        with pytest.raises(ConfigError, match=r"pruned_heads=.*must be some, not all, of"):
            tiny.replace(pruned_heads=wrong)


# ties


TIED_HEADS = [
    (name, head)
    for name in ARCHITECTURES
    for head, plan in load_architecture(name).heads.items()
    if plan.ties_of(config_class(name).of(**tiny_config(name)))
]


def untie(model: Model, noise: float) -> None:
    """Give every parameter that shares a tensor one of its own, with noise."""
    for name, to in model.ties:
        owner, _, attribute = name.rpartition(".")
        if model.get_parameter(name).shape == model.get_parameter(to).shape:
            own = model.get_parameter(to).detach().clone()
            setattr(model.get_submodule(owner), attribute, nn.Parameter(own + noise * torch.rand(own.shape)))


def ties(model: Model) -> list[bool]:
    return [model.get_parameter(name) is model.get_parameter(to) for name, to in model.ties]


def outputs(model: Model) -> dict[str, Tensor]:
    name, head = model.config.model_type, model.head_name
    ids = random_ids(name, 2, 7)
    ids = ids[:, None].repeat(1, 2, 1) if head in CHOICE_HEADS else ids
    with torch.no_grad():
        output = model(ids, **target_ids(name, head, 2))
    return {name: value for name, value in output.items() if isinstance(value, Tensor)}


@pytest.mark.parametrize("state", ["tied", "untied", "untied by hand", "equal by hand"])
@pytest.mark.parametrize(("name", "head"), TIED_HEADS)
def test_saved_and_loaded_ties_outputs_and_files_are_as_before(
    name: str, head: str, state: str, tmp_path: Path
) -> None:
    made = tfx_core.new_model(name, head=head, seed=1, tie_word_embeddings=state != "untied", **tiny_config(name))
    perturbed(made.eval(), 2, 0.1)
    if state.endswith("by hand"):
        untie(made, 0.0 if state.startswith("equal") else 0.1)
    assert state in ("tied", "untied") or not any(ties(made))
    first, second = tmp_path / "first", tmp_path / "second"
    made.save_pretrained(first)
    again = tfx_core.load_model(first)
    again.save_pretrained(second)
    assert ties(again) == ties(made)
    for key, value in outputs(made).items():
        torch.testing.assert_close(outputs(again)[key], value, rtol=1e-5, atol=1e-6)
    for file in ("config.json", "model.safetensors"):
        assert (first / file).read_bytes() == (second / file).read_bytes()


@pytest.mark.parametrize(("name", "head"), TIED_HEADS)
def test_where_the_key_says_nothing_the_contents_decide(name: str, head: str, tmp_path: Path) -> None:
    if not config_class(name)().tie_word_embeddings:
        return
    made = tfx_core.new_model(name, head=head, seed=1, **tiny_config(name))
    for noise, one in ((0.0, True), (0.1, False)):
        untie(made, noise)
        made.save_pretrained(tmp_path)
        rewrite(tmp_path, tie_word_embeddings=True)
        model = tfx_core.load_model(tmp_path)
        of_head = [tied for (parameter, _), tied in zip(model.ties, ties(model), strict=True) if "head." in parameter]
        assert of_head[0] is one
