"""Checkpoint folders and hub ids: files, tensors, names, loading and saving.

Nothing in a checkpoint is executed. Names are imported on first use, so that reading a folder's JSON files (all that a
tokenizer needs) does not import torch.
"""

from typing import TYPE_CHECKING

from tfx_core.first_use import on_first_use

if TYPE_CHECKING:
    from tfx_core.checkpoint.atomic import replacing, replacing_files, replacing_folder, save_errors
    from tfx_core.checkpoint.collecting import collect_weights, save_tensors, write_folder
    from tfx_core.checkpoint.filling import Packing, load_weights
    from tfx_core.checkpoint.folder import Folder, Subfolder, parse_json, written_json
    from tfx_core.checkpoint.journal import kept_workplace, to_disk
    from tfx_core.checkpoint.naming import as_in_files, entries_as_in_files, from_files, tensors_of
    from tfx_core.checkpoint.opening import HubOptions, open_folder, read_whole, taken_hub_options
    from tfx_core.checkpoint.rules import (
        Computed,
        Constant,
        Drop,
        Fuse,
        Legacy,
        Rename,
        Reshape,
        Rule,
        Same,
        Transpose,
        moved,
    )
    from tfx_core.checkpoint.table import BackboneRules, WeightTable
    from tfx_core.checkpoint.tensor_files import TensorFiles, read_tensor_file, read_tensors
    from tfx_core.checkpoint.unfilled import unfilled_modules
    from tfx_core.checkpoint.weight_file import TensorEntry

_HOMES = {
    "BackboneRules": "table",
    "Computed": "rules",
    "Constant": "rules",
    "Drop": "rules",
    "Folder": "folder",
    "Fuse": "rules",
    "HubOptions": "opening",
    "Legacy": "rules",
    "Packing": "filling",
    "Rename": "rules",
    "Reshape": "rules",
    "Rule": "rules",
    "Same": "rules",
    "Subfolder": "folder",
    "TensorEntry": "weight_file",
    "TensorFiles": "tensor_files",
    "Transpose": "rules",
    "WeightTable": "table",
    "as_in_files": "naming",
    "collect_weights": "collecting",
    "entries_as_in_files": "naming",
    "from_files": "naming",
    "kept_workplace": "journal",
    "load_weights": "filling",
    "moved": "rules",
    "open_folder": "opening",
    "parse_json": "folder",
    "read_tensor_file": "tensor_files",
    "read_tensors": "tensor_files",
    "read_whole": "opening",
    "replacing": "atomic",
    "replacing_files": "atomic",
    "replacing_folder": "atomic",
    "save_errors": "atomic",
    "save_tensors": "collecting",
    "taken_hub_options": "opening",
    "tensors_of": "naming",
    "to_disk": "journal",
    "unfilled_modules": "unfilled",
    "write_folder": "collecting",
    "written_json": "folder",
}

__all__ = [
    "BackboneRules",
    "Computed",
    "Constant",
    "Drop",
    "Folder",
    "Fuse",
    "HubOptions",
    "Legacy",
    "Packing",
    "Rename",
    "Reshape",
    "Rule",
    "Same",
    "Subfolder",
    "TensorEntry",
    "TensorFiles",
    "Transpose",
    "WeightTable",
    "as_in_files",
    "collect_weights",
    "entries_as_in_files",
    "from_files",
    "kept_workplace",
    "load_weights",
    "moved",
    "open_folder",
    "parse_json",
    "read_tensor_file",
    "read_tensors",
    "read_whole",
    "replacing",
    "replacing_files",
    "replacing_folder",
    "save_errors",
    "save_tensors",
    "taken_hub_options",
    "tensors_of",
    "to_disk",
    "unfilled_modules",
    "write_folder",
    "written_json",
]

__getattr__, __dir__ = on_first_use(__name__, _HOMES, __all__)
