"""An architecture published by nobody of ours, registered at run time, has what ours have."""

import copy
import json
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tfx_core
from tests.core import stranger_llama
from tests.core.tasks import crf
from tests.core.tasks.crf import CRF
from tests.models.tiny import perturbed
from tfx_core import ArchitectureSpec, Model, hookimpl
from tfx_core.checkpoint import BackboneRules, Fuse, Rename
from tfx_core.errors import CheckpointError, ConfigError, InputError, TfxError, UnknownNameError
from tfx_core.model import (
    Architecture,
    Backbone,
    ExtendedConfig,
    HeadPlan,
    ModelConfig,
    ModelOutput,
    build_part,
    extended,
    load_architecture,
    part_rules,
)
from tfx_core.model.heads import token_classification
from tfx_core.nn import AttentionKernel, eager, initialise_normal, sdpa
from tfx_testing import toy

LENGTHS = (7, 3, 1)


@pytest.fixture(autouse=True)
def plugins() -> Iterator[None]:
    with tfx_core.register(stranger_llama), tfx_core.register(crf.Plugin(), name="crf"):
        yield


def tiny(head: str, **changes: Any) -> Model:
    sizes = {"vocab_size": 40, "hidden_size": 24, "intermediate_size": 20, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "eos_token_id": 39}
    model = tfx_core.new_model("stranger-llama", head=head, seed=1, **{**sizes, **heads, **changes})
    return perturbed(model.eval(), 2, 0.1)


def batch(side: str) -> tuple[Tensor, Tensor]:
    """Texts of different lengths, padded on one side."""
    texts = [torch.randint(3, 39, (length,), generator=torch.Generator().manual_seed(length)) for length in LENGTHS]
    missing = [max(LENGTHS) - length for length in LENGTHS]
    pads = [(count, 0) if side == "left" else (0, count) for count in missing]
    ids = torch.stack([nn.functional.pad(text, pad) for text, pad in zip(texts, pads, strict=True)])
    return ids, (ids > 0).long()


def test_its_number_of_tokens_changes_as_that_of_others() -> None:
    model: Any = tiny("causal-lm")
    before = model(batch("right")[0]).logits
    assert model.resize_token_embeddings(44) is model.get_input_embeddings()
    assert (model.get_input_embeddings().num_embeddings, model.get_output_embeddings().out_features) == (44, 44)
    torch.testing.assert_close(model(batch("right")[0]).logits[..., :40], before)


@pytest.mark.parametrize("head", ["backbone", "causal-lm", "sequence-classification", "token-classification"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_text_gives_in_any_batch_what_it_gives_alone(head: str, side: str) -> None:
    model = tiny(head)
    ids, mask = batch(side)
    together = model(ids, attention_mask=mask)
    name = "last_hidden_state" if head == "backbone" else "logits"
    for row, real in enumerate(mask.bool()):
        of_row = together[name][row]
        of_row = of_row[real] if of_row.dim() == 2 else of_row
        torch.testing.assert_close(of_row, model(ids[row : row + 1, real])[name][0], rtol=1e-4, atol=1e-5)


def test_greedy_search_with_its_cache_is_greedy_search_without() -> None:
    model = tiny("causal-lm", eos_token_id=None)
    ids, mask = batch("left")
    whole, real = ids, mask
    for _ in range(6):
        following = model(whole, attention_mask=real).logits[:, -1].argmax(-1, keepdim=True)
        whole, real = torch.cat((whole, following), 1), torch.cat((real, torch.ones_like(following)), 1)
    assert model.generate(ids, attention_mask=mask, max_new_tokens=6).tolist() == whole.tolist()


@pytest.mark.parametrize("options", [{}, {"num_return_sequences": 2, "no_repeat_ngram_size": 2}])
def test_beams_of_a_text_are_those_that_it_has_alone(options: dict[str, int]) -> None:
    model = tiny("causal-lm", eos_token_id=None)
    ids, mask = batch("left")
    together = model.generate(ids, attention_mask=mask, num_beams=3, max_new_tokens=5, **options)
    alone = [
        model.generate(ids[row : row + 1, real], num_beams=3, max_new_tokens=5, **options)[:, -5:]
        for row, real in enumerate(mask.bool())
    ]
    assert together[:, -5:].tolist() == torch.cat(alone).tolist()


def test_positions_that_the_caller_gives_are_not_ignored() -> None:
    model = tiny("backbone")
    ids, _ = batch("left")
    positions = torch.arange(ids.shape[1])[None]
    as_counted = model(ids).last_hidden_state
    torch.testing.assert_close(model(ids, position_ids=positions).last_hidden_state, as_counted)
    torch.testing.assert_close(model(ids, position_ids=positions + 5).last_hidden_state, as_counted)  # relative
    assert not torch.allclose(model(ids, position_ids=2 * positions).last_hidden_state, as_counted, atol=1e-3)


@pytest.mark.parametrize("head", ["backbone", "causal-lm", "sequence-classification", "token-classification", "crf"])
def test_saved_and_loaded_it_is_the_same(head: str, tmp_path: Path) -> None:
    model = tiny(head, num_labels=3)
    model.save_pretrained(tmp_path)
    again = tfx_core.load_model(tmp_path)
    assert (again.head_name, again.config.to_dict()) == (head, model.stored_config().to_dict())
    theirs = dict(again.named_parameters())
    assert all(torch.equal(parameter, theirs[name]) for name, parameter in model.named_parameters())


def test_a_head_of_somebody_else_is_there_where_its_capability_is() -> None:
    logits = tiny("crf", num_labels=3)(batch("right")[0]).logits
    assert logits.shape == (3, 7, 3)
    said = "head 'seeing-crf' needs a backbone with 'image-state'; stranger-llama has 'token-states'"
    with pytest.raises(UnknownNameError, match=said):
        tiny("seeing-crf")


def test_sizes_that_were_forgotten_are_told_by_the_first_checkpoint(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def equal(config: stranger_llama.LlamaConfig, parts: frozenset[str]) -> BackboneRules:
        rules = stranger_llama.backbone_rules(config, parts)
        core = [replace(rule, sizes=None) if isinstance(rule, Fuse) else rule for rule in rules.core]
        return replace(rules, core=core)

    tiny("backbone").save_pretrained(tmp_path)
    monkeypatch.setattr(stranger_llama, "ARCHITECTURE", replace(stranger_llama.ARCHITECTURE, weights=equal))
    with pytest.raises(CheckpointError, match=r"misshapen layers\.0\.self_attn\.q_proj\.weight: is \(24, 24\)"):
        tfx_core.load_model(tmp_path)


def test_parameters_that_nothing_fills_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tiny("backbone", num_labels=3).save_pretrained(tmp_path)
    monkeypatch.setattr(crf, "CRF", replace(CRF, initialise=None))
    said = r"stranger-llama with head 'crf': no `initialise`, .*, fills the new head\.transitions$"
    with pytest.raises(TypeError, match=said):
        tiny("crf")
    with pytest.raises(TypeError, match=said):
        tfx_core.load_model(tmp_path, head="crf")


class _Forgetful(nn.Module):
    """A norm, a bare parameter and buffers that nobody's `initialise` knows."""

    def __init__(self, *, persistent: bool) -> None:
        super().__init__()
        self.norm = _Norm()
        self.bare = nn.Parameter(torch.empty(3))
        self.partly = nn.Parameter(torch.empty(2))
        self.register_buffer("table", torch.empty(4))
        self.register_buffer("steps", torch.zeros(2, dtype=torch.long))
        self.register_buffer("open", torch.ones(2, dtype=torch.bool))
        self.register_buffer("angles", torch.empty(4), persistent=persistent)


class _Norm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))


def _forgetful(filled: bool, *, persistent: bool = True) -> HeadPlan[Any]:
    def build(config: Any, backbone: Any) -> Any:
        head = CRF.build(config, backbone)
        head.more = _Forgetful(persistent=persistent)
        return head

    def initialise(path: str, module: nn.Module, config: Any, generator: torch.Generator | None) -> None:
        assert CRF.initialise is not None
        if path.startswith("head.more"):
            with torch.no_grad():
                for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
                    if filled:
                        tensor.zero_()
                if not filled and isinstance(module, _Forgetful):
                    module.partly[0] = 1.0
        else:
            CRF.initialise(path, module, config, generator)

    rules = {"crf": (*CRF.rules["crf"], Rename("more.{x}", "head.more.{x}"))}
    return replace(CRF, build=build, initialise=initialise, rules=rules)


def test_all_that_nothing_fills_is_told_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tiny("backbone", num_labels=3).save_pretrained(tmp_path)
    names = ["bare", "partly", "norm.weight", "table", "steps", "open", "angles"]
    said = rf"fills the new {', '.join('head.more.' + name for name in names)}$"
    monkeypatch.setattr(crf, "CRF", _forgetful(filled=False))
    with pytest.raises(TypeError, match=said):
        tiny("crf")
    with pytest.raises(TypeError, match=said):
        tfx_core.load_model(tmp_path, head="crf")
    monkeypatch.setattr(crf, "CRF", _forgetful(filled=True))
    assert all(tensor.isfinite().all() for tensor in tiny("crf").head.more.state_dict().values())
    made = tfx_core.load_model(tmp_path, head="crf")
    assert not any(tensor.any() for tensor in made.head.more.state_dict().values())


def test_what_no_checkpoint_holds_is_refused_new_and_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tiny("backbone", num_labels=3).save_pretrained(tmp_path)
    monkeypatch.setattr(crf, "CRF", _forgetful(filled=True, persistent=False))
    with pytest.raises(TypeError, match=r"fills the new head\.more\.angles; what no checkpoint holds is computed in"):
        tiny("crf")
    with pytest.raises(
        ValueError, match=r"non-persistent buffers \['head\.more\.angles'\].*compute such values in forward"
    ):
        tfx_core.load_model(tmp_path, head="crf")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"capabilities": {}}, r"capabilities of the spec \['token-states'\], of .*:ARCHITECTURE \[\]"),
        ({"heads": {}}, r"heads of the spec \['causal-lm', .*\], of .*:ARCHITECTURE \[\]"),
        ({"config": toy.ToyConfig}, r"model_type of the spec \['stranger-llama'\], of .*:ARCHITECTURE \['toy'\]"),
    ],
)
def test_what_a_spec_promises_must_be_there(
    changes: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stranger_llama, "ARCHITECTURE", replace(stranger_llama.ARCHITECTURE, **changes))
    with pytest.raises(TypeError, match=f"architecture 'stranger-llama': {said}"):
        tfx_core.new_model("stranger-llama")


# A model made of another one


@dataclass(kw_only=True)
class OuterConfig(ModelConfig):
    """Nests the config of any architecture."""

    model_type = "stranger-outer"

    text: ModelConfig = field(default_factory=toy.ToyConfig)
    head: str = "backbone"


class Outer(Backbone):
    """Another model's states, and one state before them."""

    def __init__(self, text: Model) -> None:
        super().__init__(text.backbone.width, causal=text.backbone.causal)
        self.text = text
        self.first = nn.Linear(1, self.width)

    def forward(self, input_ids: Tensor, attention: AttentionKernel = sdpa) -> ModelOutput:
        first = self.first(input_ids.new_ones(len(input_ids), 1, 1, dtype=torch.float32))
        return self.text(inputs_embeds=torch.cat((first, self.embed(input_ids)), 1), attention=attention)

    def embed(self, input_ids: Tensor) -> Tensor:
        return self.text.backbone.embed(input_ids)


def _names(config: OuterConfig, parts: frozenset[str]) -> BackboneRules:
    own = Rename("first.{p}", "backbone.first.{p}")
    return BackboneRules((own, *part_rules(config.text, config.head, name="text", theirs="text.")))


OUTER = Architecture(
    config=OuterConfig,
    backbone=lambda config, parts: Outer(build_part(config.text, config.head)),
    heads={"token-classification": token_classification()},
    weights=_names,
    initialise=lambda path, module, config, generator: initialise_normal(module, 0.02, generator),
    capabilities={"token-states": ()},
    join=lambda parts: {"text": parts["text"].config.to_dict(), "head": parts["text"].head_name},
)


class OuterPlugin:
    @hookimpl
    def tfx_architectures(self) -> list[ArchitectureSpec]:
        heads = ("token-classification",)
        return [ArchitectureSpec("stranger-outer", f"{__name__}:OUTER", heads=heads, capabilities=("token-states",))]


@pytest.mark.parametrize("head", ["backbone", "token-classification", "crf"])
def test_a_model_may_be_made_of_another(head: str, tmp_path: Path) -> None:
    text = tiny("backbone").config.to_dict()
    with tfx_core.register(OuterPlugin(), name="outer"), tfx_core.register(toy.Plugin(), name="toy"):
        model = tfx_core.new_model("stranger-outer", head=head, seed=1, text=text).eval()
        ids, _ = batch("right")
        output = model(ids)
        assert output.last_hidden_state.shape == (3, 8, 24)
        model.save_pretrained(tmp_path)
        again = tfx_core.load_model(tmp_path, attention=eager)
        torch.testing.assert_close(again(ids).last_hidden_state, output.last_hidden_state)
        with pytest.raises(ConfigError, match="must name an architecture; installed are"):
            tfx_core.new_model("stranger-outer", text={"hidden_size": 24})


def test_a_model_may_begin_with_the_weights_and_ties_of_others(tmp_path: Path) -> None:
    with tfx_core.register(OuterPlugin(), name="outer"):
        text = tiny("causal-lm", tie_word_embeddings=True)
        text.save_pretrained(tmp_path / "text")
        model = tfx_core.new_model("stranger-outer", seed=1, parts={"text": tmp_path / "text"}).eval()
        inner = model.backbone.text
        assert [*model.parts] == ["backbone.text"]
        assert "backbone.text._extra_state" not in model.state_dict()
        assert inner.head.predictions.decoder.weight is inner.backbone.embeddings.token.weight
        assert all(torch.equal(tensor, text.state_dict()[name]) for name, tensor in inner.state_dict().items())
        model.save_pretrained(tmp_path / "outer")
        again = tfx_core.load_model(tmp_path / "outer")
        loaded = again.backbone.text
        assert loaded.head.predictions.decoder.weight is loaded.backbone.embeddings.token.weight
        again.load_state_dict(model.state_dict())
        assert pickle.loads(pickle.dumps(again)).config == again.config
        inner.head.predictions.decoder.weight = nn.Parameter(inner.head.predictions.decoder.weight + 1)
        model.save_pretrained(tmp_path / "untied")
        untied = tfx_core.load_model(tmp_path / "untied")
        assert torch.equal(untied.backbone.text.head.predictions.decoder.weight, inner.head.predictions.decoder.weight)
        assert not untied.config.text.tie_word_embeddings
    with pytest.raises(InputError, match="parts: a stranger-llama is not made of other models"):
        tfx_core.new_model("stranger-llama", parts={"text": text})


@dataclass(kw_only=True)
class Scaled(ExtendedConfig):
    """Any text model's config, and a factor."""

    model_type = "stranger-scaled"
    default_text_model_type = "toy"

    factor: float = 1.0


def test_a_config_may_have_the_keys_of_any_other() -> None:
    with tfx_core.register(toy.Plugin(), name="toy"):
        kind = extended(Scaled)
        assert issubclass(kind, toy.ToyConfig)
        assert extended(Scaled) is kind
        usual = kind.from_dict({"factor": 2, "hidden_size": 32})
        assert (usual.factor, usual.hidden_size, usual.to_dict()["model_type"]) == (2.0, 32, "stranger-scaled")
        assert "text_model_type" not in usual.to_dict()
        assert usual.vocab_size == toy.ToyConfig().vocab_size
        other = kind.from_dict({"text_model_type": "stranger-llama", "num_key_value_heads": 2, "unknown": 1})
        llama = load_architecture("stranger-llama").config
        assert isinstance(other, llama)
        assert not isinstance(other, kind)
        assert (other.factor, other.num_key_value_heads, other.unknown_keys) == (1.0, 2, ("unknown",))
        assert {each: getattr(other, each) for each in llama.field_names() if each != "extra"} == {
            each: getattr(llama(num_key_value_heads=2), each) for each in llama.field_names() if each != "extra"
        }
        assert other.replace(factor=3.0).factor == 3.0
        assert kind.of(text_model_type="stranger-llama", rms_norm_eps=0.5).rms_norm_eps == 0.5
        assert kind.from_dict(other.to_dict()) == other
        assert pickle.loads(pickle.dumps(other)) == other
        assert copy.deepcopy(other) == other
        assert other.text_architecture is stranger_llama.ARCHITECTURE
        with pytest.raises(ConfigError, match="hidden_size=0"):
            other.replace(hidden_size=0)
        with pytest.raises(UnknownNameError, match=r"config: text_model_type='nobody': no architecture 'nobody'"):
            kind.from_dict({"text_model_type": "nobody"})


SCALED = replace(toy.ARCHITECTURE, config=Scaled)


def test_a_config_with_the_keys_of_another_is_nobodys_text() -> None:
    class Plugin:
        @hookimpl
        def tfx_architectures(self) -> list[ArchitectureSpec]:
            heads = tuple(toy.ARCHITECTURE.heads)
            offers = tuple(toy.ARCHITECTURE.capabilities)
            return [ArchitectureSpec("stranger-scaled", f"{__name__}:SCALED", heads, capabilities=offers)]

    told = r"text_model_type='stranger-scaled'.* is built on another text"
    with (
        tfx_core.register(toy.Plugin(), name="toy"),
        tfx_core.register(Plugin(), name="scaled"),
        pytest.raises(UnknownNameError, match=told),
    ):
        extended(Scaled).from_dict({"text_model_type": "stranger-scaled"})


@pytest.mark.parametrize("key", ["model_type", "tfx_head"])
def test_a_name_of_any_length_leaves_room_for_the_cure(tmp_path: Path, key: str) -> None:
    with tfx_core.register(toy.Plugin(), name="tfx-toy"):
        folder = Path(toy.save(tmp_path / "toy", "masked-lm"))
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, key: "x" * 100_000}))
        with pytest.raises(TfxError, match=rf"config\.json: {key}='x+…: no .*(installed|it has).*") as caught:
            tfx_core.load_model(folder)
    assert len(str(caught.value)) < 1_000
