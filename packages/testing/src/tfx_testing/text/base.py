"""What the checks of a tokenizer stand on: the files of its case."""

from collections.abc import Mapping
from typing import Any, ClassVar

from tfx_testing.architectures.base import CaseChecks
from tfx_testing.released import has_tokenizer

TEXTS = ("hello abc", "ab </s> [SEP] <eos>x", "", "<mask> [MASK] a<extra_id_3>b", "1,000 worlds")


class FileChecks(CaseChecks):
    """Checks of one tokenizer, whose files are in a case."""

    written: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Who wrote a folder of the same files -> its ``tokenizer_config.json``, which must be read as the files are."""

    @classmethod
    def is_declared(cls) -> bool:
        """With a case; raises `LookupError` where it has no files."""
        if not super().is_declared():
            return False
        if not has_tokenizer(cls.case):
            raise LookupError(
                f"{cls.__name__} checks a tokenizer, and its case of {cls.case.model_type!r} has no files of one: "
                "give small ones with ArchitectureCase(…, released=…); tfx_testing.vocabularies makes each kind"
            )
        return True
