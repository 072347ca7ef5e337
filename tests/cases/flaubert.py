"""FlauBERT."""

from dataclasses import replace

from tests.cases.xlm import CASE as XLM
from tests.cases.xlm import ENCODING, VARIANTS, WRITING, variant

CASE = replace(
    XLM,
    model_type="flaubert",
    variants=(
        *VARIANTS,
        variant("norms first", ENCODING, pre_norm=True, layer_norm_eps=1e-6),
        variant("causal, norms first", WRITING, pre_norm=True, causal=True),
    ),
    refused=(*XLM.refused, ({"layerdrop": 1.5}, "layerdrop=1.5: must be a number from 0 to 1")),
)
