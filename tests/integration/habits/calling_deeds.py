"""Calling a model, what is done with its output, and what of a model is asked around a call."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from torch import Tensor

from tests.integration.habits.world import World


def check(truth: object) -> None:
    assert truth


def classifier(world: World) -> Any:
    return world.model("bert", "sequence-classification")


def decoder(world: World) -> Any:
    return world.model("gpt2", "causal-lm")


def output(world: World, **inputs: Any) -> Any:
    return classifier(world)(**world.batch(), labels=torch.tensor([0, 1]), **inputs)


def ids(world: World) -> Tensor:
    given: Tensor = world.batch()["input_ids"]
    return given


def by_place(world: World) -> None:
    out = output(world)
    assert out[0] is out.loss
    assert out[1] is out.logits


def unpacked_names(world: World) -> None:
    loss, _ = output(world)
    loss.backward()


def assigned(world: World) -> None:
    out = output(world)
    out.loss = out.loss / 2


def a_tuple(world: World) -> None:
    loss, logits = output(world, return_dict=False)
    assert (loss.shape, logits.shape) == ((), (2, 2))
    assert output(world, return_dict=None).keys() == {"loss", "logits"}


def rebuilt(world: World) -> None:
    out = output(world)
    again = type(out)({name: value.float() for name, value in out.items()})
    assert again.logits.equal(out.logits)


def ids_alone(world: World) -> None:
    assert world.model()(ids(world)).last_hidden_state.shape[:2] == ids(world).shape


def padding_does_not_count(world: World) -> None:
    model, batch = world.model(), world.batch()
    alone = world.batch(texts=("one text",))
    together = model(**batch).pooler_output[:1]
    torch.testing.assert_close(together, model(**alone).pooler_output, rtol=1e-4, atol=1e-5)


def given(world: World, **inputs: Any) -> None:
    assert world.model()(**{**world.batch(), **inputs}).last_hidden_state.isfinite().all()


def vectors(world: World) -> None:
    model = world.model()
    by_vectors = model(inputs_embeds=model.backbone.embed(ids(world))).last_hidden_state
    torch.testing.assert_close(by_vectors, model(ids(world)).last_hidden_state)


def asked_for(name: str) -> Callable[[World], None]:
    return lambda world: check(len(getattr(world.model()(ids(world), **{f"output_{name}": True}), name)) >= 2)


def goes_on(world: World) -> None:
    model, text = decoder(world), ids(world)
    cache = model(text[:, :3], use_cache=True).past_key_values
    rest = model(text[:, 3:], past_key_values=cache).logits
    torch.testing.assert_close(rest, model(text).logits[:, 3:], rtol=1e-4, atol=1e-5)


def pairs_of_keys_and_values(world: World) -> None:
    pair = torch.zeros(2, 4, 3, 6), torch.zeros(2, 4, 3, 6)
    decoder(world)(ids(world), past_key_values=(pair, pair))


def computed_again(world: World) -> None:
    model = classifier(world).train()
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": True})
    assert model.is_gradient_checkpointing
    model.activation_checkpointing_enable({"use_reentrant": False}, every_n_layers=2, offload=True)
    assert model.is_activation_checkpointing
    model(**world.batch(), labels=torch.tensor([0, 1])).loss.backward()
    assert all(each.grad is not None for each in model.parameters())
    model.gradient_checkpointing_disable()
    assert not model.is_gradient_checkpointing


def frozen_below(world: World) -> None:
    model = world.model().requires_grad_(False)
    model.enable_input_require_grads()
    assert model(ids(world)).last_hidden_state.requires_grad


def hooked(world: World) -> None:
    model, seen = world.model(), []
    layer = model.backbone.stack.layers[0]
    layer.register_forward_hook(lambda module, inputs, states: seen.append(states.shape))
    model(**world.batch())
    model.packed = False
    model(**world.batch())
    batch, length = ids(world).shape
    assert [tuple(each) for each in seen] == [(int(world.batch()["attention_mask"].sum()), 24), (batch, length, 24)]


def counted(world: World) -> None:
    model = world.model()
    everything = model.num_parameters()
    tables = sum(each.weight.numel() for each in model.modules() if isinstance(each, torch.nn.Embedding))
    assert model.num_parameters(exclude_embeddings=True) == everything - tables
    model.backbone.embeddings.requires_grad_(False)
    assert model.num_parameters(only_trainable=True) < everything - tables


def generates(world: World) -> None:
    assert decoder(world).can_generate()
    assert world.model("t5", "conditional-generation").can_generate()
    assert not classifier(world).can_generate()
    assert not world.model("bert", "causal-lm", is_decoder=False).can_generate()
    assert not world.model("gpt2").can_generate()


def based(world: World) -> None:
    model = classifier(world)
    assert model.base_model is getattr(model, model.base_model_prefix)
    assert model.base_model(**world.batch()).last_hidden_state.shape[:2] == ids(world).shape


def exported(world: World) -> None:
    model, batch = world.model(), dict(world.batch())
    program = torch.export.export(model, (), batch)
    torch.testing.assert_close(program.module()(**batch).pooler_output, model(**batch).pooler_output)


def traced(world: World) -> None:
    model, batch = world.model(), dict(world.batch())
    program: Any = torch.jit.trace(model, example_kwarg_inputs=batch, strict=False)
    torch.testing.assert_close(program(**batch)["pooler_output"], model(**batch).pooler_output)


@contextmanager
def group(folder: Path) -> Iterator[None]:
    store = torch.distributed.FileStore(str(folder / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def in_parallel(world: World) -> None:
    with group(world.root):
        model = torch.nn.parallel.DistributedDataParallel(classifier(world), find_unused_parameters=True)
        for _ in range(2):
            model(**world.batch(), labels=torch.tensor([0, 1])).loss.backward()


def compiled(world: World) -> None:
    model: Any = torch.compile(world.model(), backend="eager", fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(model(**world.batch()).pooler_output, world.model()(**world.batch()).pooler_output)


def compiled_layers(world: World) -> None:
    ran: list[object] = []

    def watched(graph: torch.fx.GraphModule, inputs: object) -> Any:
        return lambda *given: (ran.append(graph), graph(*given))[1]

    model = decoder(world)
    expected = model.generate(ids(world), max_new_tokens=3)
    for layer in model.backbone.stack.layers:
        layer.compile(backend=watched)
    assert torch.equal(model.generate(ids(world), max_new_tokens=3), expected)
    assert ran


def functional(world: World) -> None:
    model = world.model()
    zeros = {name: torch.zeros_like(each) for name, each in model.named_parameters()}
    assert not torch.func.functional_call(model, zeros, (), dict(world.batch())).pooler_output.any()


DEEDS = {
    ("model(…)", "model(**batch)"): lambda world: given(world),
    ("model(…)", "model(ids)"): ids_alone,
    ("model(…)", "model(ids, mask)"): lambda world: world.model()(ids(world), world.batch()["attention_mask"]),
    ("model(…)", "model(batch)"): lambda world: world.model()(world.batch()),
    ("model(…)", 'model("a text")'): lambda world: world.model()(["a text", "another"]),
    ("model(…)", "model([[1, 2]])"): lambda world: world.model()(ids(world).numpy()),
    ("model(…)", "model(torch.tensor([1, 2]))"): lambda world: world.model()(torch.tensor([1, 2])),
    ("model(…)", 'model(ids.to("cuda"))'): lambda world: world.model()(ids(world).to("meta")),
    ("model(…)", "labels=torch.tensor([0, 1])"): lambda world: output(world).loss.backward(),
    ("model(…)", "labels=[0, 1]"): lambda world: classifier(world)(**world.batch(), labels=[0, 1]),
    ("model(…)", "labels=torch.tensor([0.0, 1.0])"): lambda world: classifier(world)(
        **world.batch(), labels=torch.tensor([0.0, 1.0])
    ),
    ("model(…)", "labels=torch.tensor([0, 9])"): lambda world: classifier(world)(
        **world.batch(), labels=torch.tensor([0, 9])
    ),
    ("model(…)", "labels="): lambda world: world.model()(**world.batch(), labels=torch.tensor([0, 1])),
    ("model(…)", "attention_mask="): padding_does_not_count,
    ("model(…)", "token_type_ids="): lambda world: given(world, token_type_ids=torch.zeros_like(ids(world))),
    ("model(…)", "position_ids="): lambda world: given(world, position_ids=torch.arange(ids(world).shape[1])),
    ("model(…)", "inputs_embeds="): vectors,
    ("model(…)", "head_mask="): lambda world: given(world, head_mask=torch.ones(4)),
    ("model(…)", "output_attentions="): asked_for("attentions"),
    ("model(…)", "output_hidden_states="): asked_for("hidden_states"),
    ("model(…)", "use_cache="): lambda world: check(
        "past_key_values" in decoder(world)(ids(world), use_cache=True)
        and "past_key_values" not in decoder(world)(ids(world))
    ),
    ("model(…)", "past_key_values="): goes_on,
    ("model(…)", 'langs="fr"'): lambda world: world.model("xlm")(ids(world), langs="fr"),
    ("model(…)", "past_key_values=((keys, values), …)"): pairs_of_keys_and_values,
    ("model(…)", "cache_position="): lambda world: decoder(world)(ids(world), cache_position=torch.arange(3)),
    ("model(…)", "lm_labels="): lambda world: decoder(world)(ids(world), lm_labels=ids(world)),
    ("model(…)", "masked_lm_labels="): lambda world: world.model("bert", "masked-lm")(
        ids(world), masked_lm_labels=ids(world)
    ),
    ("output", "out[0]"): by_place,
    ("output", "out[:2]"): lambda world: check(len(output(world)[:2]) == 2),
    ("output", "out.to_tuple()"): lambda world: check(isinstance(output(world).to_tuple(), tuple)),
    ("output", "out.keys()"): lambda world: check(list(output(world).keys()) == ["loss", "logits"]),
    ("output", "'logits' in out"): lambda world: check("logits" in output(world)),
    ("output", "out.loss"): lambda world: check(classifier(world)(**world.batch()).loss is None),
    ("output", "type(out)({name: value})"): rebuilt,
    ("output", "torch.utils._pytree.tree_map(f, out)"): lambda world: check(
        torch.utils._pytree.tree_map(lambda x: x.half(), output(world)).logits.dtype == torch.half
    ),
    ("output", "model(…, return_dict=False)"): a_tuple,
    ("output", "loss, logits = out"): unpacked_names,
    ("output", "out.loss = loss"): assigned,
    ("model", "gradient_checkpointing_enable()"): computed_again,
    ("model", "gradient_checkpointing_disable()"): computed_again,
    ("model", "gradient_checkpointing_kwargs={'use_reentrant': …}"): computed_again,
    ("model", "gradient_checkpointing_enable(…, every_n_layers=2, offload=True)"): computed_again,
    ("model", "activation_checkpointing_enable()"): computed_again,
    ("model", "is_gradient_checkpointing"): computed_again,
    ("model", "supports_gradient_checkpointing"): lambda world: check(world.model().supports_gradient_checkpointing),
    ("model", "enable_input_require_grads()"): frozen_below,
    ("model", "register_forward_hook(hook)"): hooked,
    ("model", "base_model"): based,
    ("model", "base_model_prefix"): based,
    ("model", "num_parameters(only_trainable=, exclude_embeddings=)"): counted,
    ("model", "can_generate()"): generates,
    ("model", "name_or_path"): lambda world: check(Path(world.model().name_or_path) == world.folder()),
    ("model", "device"): lambda world: check(world.model().device == torch.device("cpu")),
    ("model", "dtype"): lambda world: check(world.model().dtype == torch.float32),
    ("model", "half()"): lambda world: check(world.model().half().dtype == torch.half),
    ("model", "to(torch.bfloat16)"): lambda world: check(world.model().to(torch.bfloat16).dtype == torch.bfloat16),
    ("model", "train()"): lambda world: check(world.model().train().training and not world.model().eval().training),
    ("model", "torch.compile(model)"): compiled,
    ("model", "layer.compile()"): compiled_layers,
    ("model", "torch.export.export(model, …)"): exported,
    ("model", "torch.jit.trace(model, …, strict=False)"): traced,
    ("model", "DistributedDataParallel(model, find_unused_parameters=True)"): in_parallel,
    ("model", "torch.func.functional_call(model, …)"): functional,
}
