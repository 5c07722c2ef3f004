"""Attention and rotary embedding, as operator set 23 has them."""

import math
from typing import Any

import torch

from .table import Compute, Site, operator


@operator("Attention")
def attention(site: Site) -> Compute:
    heads, others = site.attr("q_num_heads"), site.attr("kv_num_heads")
    causal, scale, cap = site.attr("is_causal", 0), site.attr("scale"), site.attr("softcap", 0.0)
    if any(site.has(index) for index in (4, 5, 6)):
        site.refuse("keys and values of the past")
    if sum(output.name not in (None, "") for output in site.node.outputs) > 1:
        site.refuse("further outputs")

    def compute(q: Any, k: Any, v: Any, mask: Any = None, *_: Any) -> Any:
        flat = q.dim() == 3
        if flat:
            q, k, v = _apart(q, heads), _apart(k, others), _apart(v, others)
        groups = q.shape[1] // k.shape[1]
        if groups > 1:
            k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        scores = q @ k.transpose(-1, -2) * (1.0 / math.sqrt(q.shape[-1]) if scale is None else scale)
        if mask is not None:
            mask = mask.to(scores.device)
            scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
        if causal:
            seen = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
            scores = scores.masked_fill(~seen, -math.inf)
        if cap:
            scores = cap * torch.tanh(scores / cap)
        result = torch.softmax(scores, -1) @ v
        return result.transpose(1, 2).flatten(2) if flat else result

    return compute


@operator("RotaryEmbedding")
def rotary(site: Site) -> Compute:
    turns, heads, size = site.attr("interleaved", 0), site.attr("num_heads"), site.attr("rotary_embedding_dim", 0)

    def compute(x: Any, cos: Any, sin: Any, places: Any = None) -> Any:
        flat = x.dim() == 3
        if flat:
            x = _apart(x, heads)
        if places is not None:
            cos, sin = (each[places.to(each.device).long()] for each in (cos, sin))
        cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)  # the same for all heads
        turned, rest = (x, None) if not size else (x[..., :size], x[..., size:])
        if turns:
            one, two = turned[..., 0::2], turned[..., 1::2]
        else:
            one, two = turned.chunk(2, -1)
        pair = one * cos - two * sin, one * sin + two * cos
        turned = torch.stack(pair, -1).flatten(-2) if turns else torch.cat(pair, -1)
        result = turned if rest is None else torch.cat([turned, rest], -1)
        return result.transpose(1, 2).flatten(2) if flat else result

    return compute


def _apart(x: Any, heads: int) -> Any:
    """[N, length, heads * size] -> [N, heads, length, size]."""
    return x.unflatten(2, (heads, -1)).transpose(1, 2)
