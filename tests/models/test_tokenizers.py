"""The conformance kit, of the tokenizer of every architecture of ours that is installed."""

import json
from pathlib import Path
from typing import Any

from tests.cases import case_of
from tests.models.released import NAMES
from tfx_testing import TokenizerChecks

WRITTEN: dict[str, dict[str, dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "data" / "tokenizer_configs.json").read_text("utf-8")
)
"""Architecture -> version of transformers -> the ``tokenizer_config.json`` that it wrote for the released files: read
with the family's class, with the general one, and from ``tokenizer.json`` alone; without ``added_tokens_decoder``.
Version 5 has no Transformer-XL.
"""

for _name in NAMES:
    _class = "Test" + "".join(part.capitalize() for part in _name.split("-"))
    _facts = {"case": case_of(_name), "written": WRITTEN.get(_name, {}), "__module__": __name__}
    globals()[_class] = type(_class, (TokenizerChecks,), _facts)
