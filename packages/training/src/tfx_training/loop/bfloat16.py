"""Whether a processor computes in bfloat16 itself."""

import torch


def is_emulated() -> bool:
    """Whether this machine's CPU has no instructions for it (AVX-512 on x86), so that it takes many times as long."""
    return not torch.ops.mkldnn._is_mkldnn_bf16_supported()
