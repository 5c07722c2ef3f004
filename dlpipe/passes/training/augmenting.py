"""Light augmentation of pictures, only where it is asked for: the same choice for every channel, by sample."""

from collections.abc import Collection
from typing import Any

import torch

_SHARE = 8  # of a picture's side, by which it is shifted at most


def augment(feeds: dict[str, Any], kinds: Collection[str], seed: list[int]) -> dict[str, Any]:
    """Inputs of [N, 1, channels, height, width]; others are left as they are. flip: left and right change places for
    half of the samples. shift: by up to an eighth of each side, what comes in repeats the edge."""
    if not kinds:
        return feeds
    random = torch.Generator().manual_seed(hash(tuple(seed)) % (1 << 63))
    return {name: _picture(tensor, kinds, random) if _is_picture(tensor) else tensor for name, tensor in feeds.items()}


def _is_picture(tensor: Any) -> bool:
    return bool(tensor.dim() == 5 and tensor.is_floating_point() and min(tensor.shape[3:]) >= _SHARE)


def _picture(tensor: Any, kinds: Collection[str], random: Any) -> Any:
    count = len(tensor)
    if "flip" in kinds:
        turned = (torch.rand(count, generator=random) < 0.5).to(tensor.device)
        tensor = torch.where(turned.reshape(-1, 1, 1, 1, 1), tensor.flip(-1), tensor)
    if "shift" in kinds:
        for axis in (3, 4):
            size = tensor.shape[axis]
            most = size // _SHARE
            by = torch.randint(-most, most + 1, (count, 1), generator=random)
            places = (torch.arange(size).unsqueeze(0) + by).clamp(0, size - 1).to(tensor.device)
            view = [count, 1, 1, 1, 1]
            view[axis] = size
            tensor = tensor.gather(axis, places.reshape(view).expand(tensor.shape))
    return tensor
