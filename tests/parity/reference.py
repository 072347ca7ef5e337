"""The reference library's side of a case."""

from pathlib import Path
from typing import Any

import torch
import transformers

from tests.parity.case import Case


def reference_model(case: Case, seed: int = 0) -> Any:
    """The reference's model of the case, random, with all that learns perturbed, norms and biases included."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        cls = getattr(transformers, case.reference_class)
        config = case.config
        pruned = {int(layer): heads for layer, heads in config.pop("pruned_heads", {}).items()}
        settings = cls.config_class(**config, attn_implementation=case.variant.kernel)
        model = cls(settings)
        if pruned:
            model.base_model.prune_heads(pruned)
        with torch.no_grad():
            for parameter in (each for each in model.parameters() if each.requires_grad):  # not what is computed
                parameter.add_(torch.randn_like(parameter) * 0.1)
    if case.variant.patch is not None:
        case.variant.patch(model)
    return model.eval()


def read_reference(case: Case, folder: Path) -> tuple[Any, dict[str, Any]]:
    """What the reference reads from a folder that we wrote, and its report of what did not fit."""
    cls = getattr(transformers, case.reference_class)
    model, report = cls.from_pretrained(
        folder, output_loading_info=True, attn_implementation=case.variant.kernel, local_files_only=True
    )
    if case.variant.patch is not None:
        case.variant.patch(model)
    return model.eval(), report
