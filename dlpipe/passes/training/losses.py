"""What is made small: the labels' loss, and how far the student is from its teacher."""

from typing import Any

import torch
from dlpipe_worker import Refused
from torch.nn import functional

from .heads import Head


def labelled(values: Any, labels: Any) -> Any:
    """[N, *shape] against labels: cross-entropy for classes (samples with -1 do not count), squared error for
    numbers. The mean over the batch, so that equal parts of a batch have a mean of means that is its mean."""
    flat = values.flatten(1)
    if labels.is_floating_point():
        wanted = labels.reshape(len(flat), -1)
        if wanted.shape != flat.shape:
            raise Refused(f"the labels are {wanted.shape[1]} numbers a sample, and the model gives {flat.shape[1]}")
        return functional.mse_loss(flat, wanted)
    if flat.shape[1] == 1:
        loss = functional.binary_cross_entropy_with_logits(
            flat[:, 0], labels.clamp_min(0).to(flat.dtype), reduction="none"
        )
        return (loss * (labels >= 0)).sum() / len(flat)
    return functional.cross_entropy(flat, labels, ignore_index=-1, reduction="sum") / len(flat)


def softened(heads: tuple[Head, Head], student: Any, teacher: Any, temperature: float, *, classes: bool) -> Any:
    """Hinton et al. 2015: the divergence from the teacher's probabilities at that temperature, times its square, so
    that gradients keep their size. For numbers: the squared error in units of the teacher's own mean square. heads: the
    student's and the teacher's; one of them may leave its softmax or sigmoid to who reads it."""
    kinds = {head.kind for head in heads}
    if "sigmoid" in kinds or (classes and student.flatten(1).shape[1] == 1):
        return functional.binary_cross_entropy_with_logits(student, torch.sigmoid(teacher)) - (
            functional.binary_cross_entropy_with_logits(teacher, torch.sigmoid(teacher))
        )
    if "softmax" in kinds or classes:
        soft = functional.log_softmax(teacher / temperature, -1)
        own = functional.log_softmax(student / temperature, -1)
        rows = own.numel() // own.shape[-1]
        return functional.kl_div(own, soft, reduction="sum", log_target=True) / rows * temperature**2
    return relative(student, teacher)


def relative(student: Any, teacher: Any) -> Any:
    return functional.mse_loss(student, teacher) / teacher.square().mean().clamp_min(1e-8)


def attention(student: Any, teacher: Any) -> Any:
    """Zagoruyko and Komodakis 2017: where in the picture the energy is, whatever the number of channels. The values are
    [N, 1, channels, *space]: the batch of a sample is an axis of its own."""
    maps = [functional.normalize(each.square().mean(2).flatten(1), dim=1) for each in (student, teacher)]
    return (maps[0] - maps[1]).square().sum(1).mean()
