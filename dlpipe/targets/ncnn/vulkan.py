"""What ncnn says of where it computes. It goes on with the CPU, silently, where there is no Vulkan device, and for each
layer that it has no shader for."""

from __future__ import annotations

from collections import Counter
from typing import Any

import ncnn

_SOFTWARE = 3  # ncnn.GpuInfo.type: 0 discrete, 1 integrated, 2 virtual, 3 a CPU
_DO_NOTHING = ("Input", "Split", "Noop")


def placement(net: ncnn.Net) -> dict[str, Any]:
    """Of a loaded net: the device as `ran_on`, how many layers compute on it. RuntimeError where none does."""
    if not net.opt.use_vulkan_compute or net.vulkan_device() is None:
        raise RuntimeError("ncnn did not take the Vulkan device")
    info = ncnn.get_gpu_info(ncnn.get_default_gpu_index())
    name = info.device_name()
    layers = [layer for layer in net.layers() if layer.type not in _DO_NOTHING]
    elsewhere = Counter(layer.type for layer in layers if not layer.support_vulkan)
    if elsewhere.total() == len(layers):
        raise RuntimeError(f"ncnn has a Vulkan shader for no layer of this model ({', '.join(sorted(elsewhere))})")
    return {
        "ran_on": f"vulkan:{name.partition(' (')[0]}" if info.type() == _SOFTWARE else f"device:{name}",
        "device": name,
        "layers_on_device": len(layers) - elsewhere.total(),
        "layers_on_processor": dict(sorted(elsewhere.items())),
    }
