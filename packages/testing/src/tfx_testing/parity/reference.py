"""The reference library's side of a case."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from tfx_testing.parity.case import Case

REPORT: dict[str, Any] = {"mismatched_keys": [], "error_msgs": []}


def reference_model(case: Case, seed: int = 0) -> Any:
    """The reference's model of the case, random, with all that learns perturbed, norms and biases included."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        build = case.architecture.reference or _of_its_class
        model = build(case)
        with torch.no_grad():
            for parameter in (each for each in model.parameters() if each.requires_grad):  # not what is computed
                parameter.add_(torch.randn_like(parameter) * 0.1)
    if case.variant.patch is not None:
        case.variant.patch(model)
    return model.eval()


def _of_its_class(case: Case) -> Any:
    cls = case.reference_type
    config = case.config
    pruned = {int(layer): heads for layer, heads in config.pop("pruned_heads", {}).items()}
    settings = cls.config_class(**config, attn_implementation=case.variant.kernel)
    model = cls(settings)
    if pruned:
        model.base_model.prune_heads(pruned)
    return model


def read_reference(case: Case, folder: Path) -> tuple[Any, dict[str, Any]]:
    """What the reference reads from a folder that we wrote, and its report of what did not fit."""
    build = case.architecture.reference
    if build is not None:
        model = build(case)
        missing, unexpected = model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
        return model.eval(), {**REPORT, "missing_keys": missing, "unexpected_keys": unexpected}
    cls = case.reference_type
    model, report = cls.from_pretrained(
        folder, output_loading_info=True, attn_implementation=case.variant.kernel, local_files_only=True
    )
    if case.variant.patch is not None:
        case.variant.patch(model)
    return model.eval(), report
