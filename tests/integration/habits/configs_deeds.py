"""What is read from a config, set in it and asked of it."""

import copy
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import tfx_core
from tests.integration.habits.world import World

NAMES = ("bert", "gpt2", "t5", "bart", "xlnet", "transfo-xl")


def check(truth: object) -> None:
    assert truth


def config(world: World, head: str = "backbone") -> Any:
    return world.model("bert", head).config


def of_every_architecture(size: str) -> Callable[[World], None]:
    def read(world: World) -> None:
        for name in NAMES:
            made: Any = tfx_core.new_model(name, **world.tiny(name)).config
            assert isinstance(getattr(made, size), int)

    return read


def longest(world: World) -> None:
    for name in NAMES:
        made: Any = tfx_core.new_model(name, **world.tiny(name)).config
        assert made.max_position_embeddings is None or made.max_position_embeddings > 1


def set_to(**values: Any) -> Callable[[World], None]:
    """Each is set and read again."""

    def put(world: World) -> None:
        made = config(world)
        for name, value in values.items():
            setattr(made, name, value)
            assert getattr(made, name) == value

    return put


def problem_type(world: World) -> None:
    model = world.model("bert", "sequence-classification", num_labels=1)
    model.config.problem_type = "multi_label_classification"
    batch = world.batch()
    loss = model(**batch, labels=torch.ones(2, 1)).loss
    model.config.problem_type = "regression"
    assert model(**batch, labels=torch.ones(2, 1)).loss != loss


def asked_of_every_call(name: str, result: str) -> Callable[[World], None]:
    def ask(world: World) -> None:
        model = world.model()
        assert result not in model(**world.batch())
        setattr(model.config, name, True)
        assert result in model(**world.batch())
        assert result not in model(**world.batch(), **{name: False})
        assert result in tfx_core.load_model(world.folder(), **{name: True})(**world.batch())

    return ask


def overridden(world: World) -> None:
    made: Any = tfx_core.load_model(world.folder(), output_hidden_states=True, use_cache=False).config
    assert (made.output_hidden_states, made.use_cache) == (True, False)


def return_dict(world: World) -> None:
    model = world.model()
    model.config.return_dict = False
    assert isinstance(model(**world.batch()), tuple)
    assert isinstance(model(**world.batch(), return_dict=True), tfx_core.ModelOutput)


def update(world: World) -> None:
    made = config(world)
    made.update({"pad_token_id": 3, "use_cache": False, "hidden_size": made.hidden_size})
    assert (made.pad_token_id, made.use_cache) == (3, False)


def in_files(world: World) -> None:
    with tempfile.TemporaryDirectory() as folder:
        config(world).save_pretrained(folder)
        config(world).to_json_file(f"{folder}/another.json")
        assert (Path(folder) / "config.json").read_text() == (Path(folder) / "another.json").read_text()
        assert tfx_core.ModelConfig.from_pretrained(folder) == config(world)


DEEDS = {
    **{
        ("config", size): of_every_architecture(size)
        for size in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")
    },
    ("config", "max_position_embeddings"): longest,
    ("config", "config.pad_token_id = 5"): set_to(pad_token_id=5, eos_token_id=6, bos_token_id=None),
    ("config", "config.id2label = {0: 'no', 1: 'yes'}"): set_to(id2label={0: "no", 1: "yes"}),
    ("config", "config.label2id = {'no': 0, 'yes': 1}"): set_to(label2id={"no": 0, "yes": 1}),
    ("config", "config.problem_type = 'regression'"): problem_type,
    ("config", "config.use_cache = False"): set_to(use_cache=False),
    ("config", "config.output_hidden_states = True"): asked_of_every_call("output_hidden_states", "hidden_states"),
    ("config", "config.output_attentions = True"): asked_of_every_call("output_attentions", "attentions"),
    ("config", "config.return_dict = False"): return_dict,
    ("config", "config.update({…})"): update,
    ("config", "load_model(path, output_hidden_states=True)"): overridden,
    ("config", "model_type"): lambda world: check(config(world).model_type == "bert"),
    ("config", "num_labels"): lambda world: check(config(world).num_labels == 2),
    ("config", "is_encoder_decoder"): lambda world: check(not config(world).is_encoder_decoder),
    ("config", "name_or_path"): lambda world: check(config(world).name_or_path == str(world.folder())),
    ("config", "label2id"): lambda world: check(config(world).label2id == {"LABEL_0": 0, "LABEL_1": 1}),
    ("config", "use_return_dict"): lambda world: check(config(world).use_return_dict),
    ("config", "keys_to_ignore_at_inference"): lambda world: check(config(world).keys_to_ignore_at_inference),
    ("config", "torch_dtype"): lambda world: check(config(world).torch_dtype == "float32"),
    ("config", "to_dict()"): lambda world: check(config(world).to_dict()["model_type"] == "bert"),
    ("config", "to_json_string()"): lambda world: check(
        json.loads(config(world).to_json_string()) == config(world).to_dict()
    ),
    ("config", "to_json_file(path)"): in_files,
    ("config", "save_pretrained(folder)"): in_files,
    ("config", "AutoConfig.from_pretrained(folder)"): in_files,
    ("config", "copy.deepcopy(config)"): lambda world: check(copy.deepcopy(config(world)) == config(world)),
    ("config", "hasattr(config, 'x')"): lambda world: check(not hasattr(config(world), "x")),
    ("config", "config.hidden_size = 96"): set_to(hidden_size=96),
    ("config", "config.num_beams = 4"): set_to(num_beams=4),
    ("config", "to_diff_dict"): lambda world: config(world).to_diff_dict(),
}
