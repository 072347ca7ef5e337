"""Loading: names that are imported, keywords of ``from_pretrained``."""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

import tfx_core
from tests.integration.habits.world import World
from tfx_core.errors import InputError
from tfx_core.habits import loading
from tfx_core.habits.habit import Habit

COMMIT = "c" * 40


def imported(name: str) -> object:
    namespace: dict[str, object] = {}
    exec(f"from tfx_core import {name}", namespace)
    return namespace[name]


def cache(world: World) -> Path:
    """What huggingface_hub has of ``org/tiny``: a folder under the tag ``v1``, and another one below it."""
    kept = world.root / "cache"
    repository = kept / "models--org--tiny"
    if not kept.exists():
        for place in ("", "part"):
            shutil.copytree(world.folder(), repository / "snapshots" / COMMIT / place)
        (repository / "refs").mkdir()
        for name in ("v1", "main"):
            (repository / "refs" / name).write_text(COMMIT)
    return kept


def from_hub(load: Callable[..., object], **keywords: Any) -> Callable[[World], object]:
    return lambda world: load("org/tiny", **{"cache_dir": cache(world), "local_files_only": True, **keywords})


def told(load: Callable[..., object], **keywords: Any) -> Callable[[World], object]:
    return lambda world: load(world.folder(), **keywords)


def hub_deeds(place: str, load: Callable[..., object]) -> Mapping[tuple[str, str], Callable[[World], object]]:
    taken: Mapping[str, Any] = {
        "revision": "v1",
        "subfolder": "part",
        "token": False,
        "use_auth_token": False,
        "resume_download": True,
    }
    deeds = {(place, f"{name}="): from_hub(load, **{name: value}) for name, value in taken.items()}
    return {
        **deeds,
        (place, "cache_dir="): from_hub(load),
        (place, "local_files_only="): from_hub(load),
        (place, "force_download="): told(load, force_download=True),  # of a folder it is as it is
        (place, "proxies="): told(load, proxies={"https": "proxy"}),
        (place, "mirror="): told(load, mirror="tuna"),
        (place, "code_revision="): told(load, code_revision="v1"),
    }


def check(truth: object) -> None:
    assert truth


def refused(habit: Habit, load: Callable[..., object], path: object, value: object) -> None:
    with pytest.raises(InputError) as raised:
        load(path, **{habit.name: value})
    assert habit.ours in str(raised.value)


def needless(theirs: str, nothing: object, something: object) -> Callable[[World], object]:
    """One value asks for what happens anyhow; another one is an error that says what the row says."""

    def deed(world: World) -> None:
        tfx_core.load_model(world.folder(), **{theirs: nothing})
        (habit,) = [each for each in loading.LOAD_MODEL if each.name == theirs]
        refused(habit, tfx_core.load_model, world.folder(), something)
        if not habit.works:
            tfx_core.load_model(world.folder(), **{theirs: something})

    return deed


def ignored(theirs: str, *values: object) -> Callable[[World], object]:
    return lambda world: [tfx_core.load_model(world.folder(), **{theirs: value}) for value in values]


def of_type(kind: torch.dtype, **keywords: Any) -> Callable[[World], object]:
    return lambda world: check(tfx_core.load_model(world.folder(), **keywords).dtype == kind)


def new(world: World, **keywords: Any) -> Any:
    return tfx_core.new_model("bert", **{**world.tiny("bert"), **keywords})


def placed(world: World) -> None:
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    there = (accelerator or torch.device("cpu")).type
    expected = {"auto": there, "balanced": there, "cpu": "cpu", None: "cpu"}
    for value, kind in expected.items():
        assert tfx_core.load_model(world.folder(), device_map=value).device.type == kind
    assert tfx_core.load_model(world.folder(), device_map={"": torch.device("cpu")}).device.type == "cpu"
    several = {"encoder": 0, "head": 1}
    (habit,) = [each for each in loading.LOAD_MODEL if each.name == "device_map"]
    with pytest.raises(InputError) as raised:
        tfx_core.load_model(world.folder(), device_map=several)
    assert habit.ours.partition("; ")[2] in str(raised.value)


def kernels(world: World) -> None:
    for name in ("sdpa", "eager", None):
        tfx_core.load_model(world.folder(), attn_implementation=name)
    with pytest.raises(InputError, match="leave it out, the kernel 'sdpa' is torch's flash attention"):
        tfx_core.load_model(world.folder(), attn_implementation="flash_attention_2")


def other_classes(world: World, **keywords: Any) -> tfx_core.Model:
    folder = world.folder("bert", "sequence-classification")
    with pytest.raises(tfx_core.TfxError, match="or let ignore_mismatched_sizes=True initialise these afresh"):
        tfx_core.load_model(folder, **keywords)
    return tfx_core.load_model(folder, ignore_mismatched_sizes=True, **keywords)


def five_labels(world: World) -> None:
    model = other_classes(world, num_labels=5)
    assert model(**world.batch()).logits.shape == (2, 5)
    same = tfx_core.load_model(world.folder("bert", "sequence-classification")).backbone.state_dict()
    for name, tensor in model.backbone.state_dict().items():
        assert torch.equal(tensor, same[name])


def named_labels(world: World) -> None:
    labels = {0: "bad", 1: "good", 2: "fine"}
    assert dict(other_classes(world, id2label=labels).config.id2label) == labels
    assert (
        dict(tfx_core.load_model(world.folder(), head="sequence-classification", id2label=labels).config.id2label)
        == labels
    )


def configured(world: World) -> None:
    config = world.model().config.replace(num_labels=7)
    assert tfx_core.load_model(world.folder(), config=config).config.num_labels == 7
    assert tfx_core.load_model(world.folder(), config=config.to_dict()).config.num_labels == 7
    with pytest.raises(tfx_core.TfxError, match=r"config of model_type .gpt2.: .* holds a bert"):
        tfx_core.load_model(world.folder(), config=world.model("gpt2").config)
    with pytest.raises(tfx_core.TfxError, match=r"config='base': must be a config of tfx_core, or a dict"):
        tfx_core.load_model(world.folder(), config="base")


def variant(world: World) -> None:
    folder = world.root / "variant"
    shutil.copytree(world.folder(), folder)
    with pytest.raises(tfx_core.TfxError, match=r"holds no weights; looked for model.fp16.safetensors, model.safe"):
        tfx_core.load_model(folder, variant="fp16")
    (folder / "model.safetensors").rename(folder / "model.fp16.safetensors")
    tfx_core.load_model(folder, variant="fp16")
    (folder / "model.fp16.safetensors").unlink()
    world.model().save_pretrained(folder, max_shard_size="40KB")
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    weight_map = {name: file.replace("model-", "model.fp16-") for name, file in index["weight_map"].items()}
    for file in set(index["weight_map"].values()):
        (folder / file).rename(folder / file.replace("model-", "model.fp16-"))
    (folder / "model.safetensors.index.json").unlink()
    (folder / "model.safetensors.index.fp16.json").write_text(json.dumps({**index, "weight_map": weight_map}))
    tfx_core.load_model(folder, variant="fp16")


def saved(world: World, **keywords: Any) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        world.model().save_pretrained(folder, **keywords)
        return [path.name for path in Path(folder).iterdir()]


def saved_or_told(theirs: str, nothing: object, something: object) -> Callable[[World], object]:
    def deed(world: World) -> None:
        assert "model.safetensors" in saved(world, **{theirs: nothing})
        (habit,) = [each for each in loading.SAVE if each.name == theirs]
        refused(habit, world.model().save_pretrained, world.root / "never", something)
        if not habit.works:
            world.model().save_pretrained(world.root / "never", **{theirs: something})

    return deed


def no_class(name: str) -> Callable[[World], object]:
    return lambda world: imported(name)


def tokenizer(**keywords: Any) -> Callable[[World], object]:
    def deed(world: World) -> None:
        made = tfx_core.load_tokenizer(world.folder(), **keywords)
        for name, value in keywords.items():
            assert getattr(made, name) == value

    return deed


def same_tokenizer(**keywords: Any) -> Callable[[World], object]:
    return lambda world: tfx_core.load_tokenizer(world.folder(), **keywords)


SPREAD = ("max_memory", "offload_folder", "offload_state_dict", "offload_buffers", "tp_plan", "tp_size", "device_mesh")
UNSUPPORTED = {
    "from_tf": (False, True),
    "from_flax": (False, True),
    "output_loading_info": (False, True),
    "load_in_8bit": (False, True),
    "load_in_4bit": (None, True),
    "quantization_config": (None, {"bits": 4}),
    "use_kernels": (False, True),
    "use_safetensors": (True, False),
    "trust_remote_code": (False, True),
    **dict.fromkeys(SPREAD, (None, "some")),
}
REFUSED = ("gguf_file", "state_dict", "key_mapping", "generation_config", "adapter_name", "adapter_kwargs")

DEEDS = {
    **{("tfx_core", habit.theirs): no_class(habit.theirs) for habit in loading.NAMES},
    **hub_deeds("load_model", tfx_core.load_model),
    **hub_deeds("load_tokenizer", tfx_core.load_tokenizer),
    **{("load_model", f"{name}="): needless(name, *values) for name, values in UNSUPPORTED.items()},
    **{("load_model", f"{name}="): told(tfx_core.load_model, **{name: "any"}) for name in REFUSED},
    ("load_model", "torch_dtype="): of_type(torch.bfloat16, torch_dtype=torch.bfloat16),
    ("load_model", "dtype="): of_type(torch.float16, dtype="torch.float16"),
    ("load_model", "device_map="): placed,
    ("load_model", "attn_implementation="): kernels,
    ("load_model", "config="): configured,
    ("load_model", "num_labels=2 where nothing has classes"): lambda world: tfx_core.load_model(
        world.folder("bert", "masked-lm"), num_labels=2
    ),
    ("load_model", "num_labels="): five_labels,
    ("load_model", "id2label="): named_labels,
    ("load_model", "label2id="): lambda world: check(
        tfx_core.load_model(world.folder("bert", "sequence-classification"), label2id={"a": 0, "b": 1}).config.id2label
        == {0: "a", 1: "b"}
    ),
    ("load_model", "output_hidden_states="): lambda world: check(
        tfx_core.load_model(world.folder(), output_hidden_states=True)(**world.batch()).hidden_states
    ),
    ("load_model", "return_dict="): lambda world: check(
        isinstance(tfx_core.load_model(world.folder(), return_dict=False)(**world.batch()), tuple)
    ),
    ("load_model", "ignore_mismatched_sizes="): lambda world: other_classes(world, num_labels=3),
    ("load_model", "variant="): variant,
    ("load_model", "weights_only="): ignored("weights_only", True, False),
    ("load_model", "low_cpu_mem_usage="): ignored("low_cpu_mem_usage", True, False),
    ("new_model", "new_model(config)"): lambda world: tfx_core.new_model(world.model().config),
    ("new_model", "torch_dtype="): lambda world: check(new(world, torch_dtype="bfloat16").dtype == torch.bfloat16),
    ("new_model", "dtype="): lambda world: check(new(world, dtype="torch.bfloat16").dtype == torch.bfloat16),
    ("new_model", "device_map="): lambda world: check(new(world, device_map="cpu").device.type == "cpu"),
    ("new_model", "attn_implementation="): lambda world: new(world, attn_implementation="eager"),
    ("new_model", "trust_remote_code="): lambda world: new(world, trust_remote_code=False),
    ("new_model", "config="): lambda world: check(
        tfx_core.new_model("bert", config=world.model().config).config.hidden_size == world.model().config.hidden_size
    ),
    ("new_model", "num_labels="): lambda world: check(new(world, num_labels=3).config.num_labels == 3),
    ("new_model", "id2label="): lambda world: check(new(world, id2label={0: "a"}).config.num_labels == 1),
    ("load_tokenizer", "use_fast="): same_tokenizer(use_fast=True),
    ("load_tokenizer", "from_slow="): same_tokenizer(from_slow=True),
    ("load_tokenizer", "trust_remote_code="): same_tokenizer(trust_remote_code=False),
    ("load_tokenizer", "padding_side="): tokenizer(padding_side="left"),
    ("load_tokenizer", "truncation_side="): tokenizer(truncation_side="left"),
    ("load_tokenizer", "model_max_length="): tokenizer(model_max_length=7),
    ("load_tokenizer", "pad_token="): tokenizer(pad_token="[EOS]"),
    ("load_tokenizer", "additional_special_tokens="): same_tokenizer(additional_special_tokens=["[BOS]"]),
    ("load_tokenizer", "clean_up_tokenization_spaces="): same_tokenizer(clean_up_tokenization_spaces=True),
    ("load_tokenizer", "lang="): same_tokenizer(lang="fr"),
    ("load_tokenizer", "config="): same_tokenizer(config={}),
    ("load_tokenizer", "tokenizer_type="): same_tokenizer(tokenizer_type="bert"),
    ("load_tokenizer", "gguf_file="): same_tokenizer(gguf_file="model.gguf"),
    ("model", "Model.from_pretrained(path)"): lambda world: check(
        tfx_core.Model.from_pretrained(world.folder(), dtype="bfloat16").dtype == torch.bfloat16
    ),
    ("model", "push_to_hub"): lambda world: world.model().push_to_hub("org/name"),
    ("save_pretrained", "max_shard_size="): lambda world: check(len(saved(world, max_shard_size="40KB")) > 3),
    ("save_pretrained", "is_main_process="): lambda world: check(saved(world, is_main_process=False) == []),
    ("save_pretrained", "save_function="): lambda world: check(saved(world, save_function=torch.save)),
    ("save_pretrained", "save_peft_format="): lambda world: check(saved(world, save_peft_format=True)),
    ("save_pretrained", "safe_serialization="): saved_or_told("safe_serialization", True, False),
    ("save_pretrained", "push_to_hub="): saved_or_told("push_to_hub", False, True),
    ("save_pretrained", "variant="): saved_or_told("variant", None, "fp16"),
    ("save_pretrained", "state_dict="): lambda world: saved(world, state_dict={}),
}
