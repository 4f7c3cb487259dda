"""BatchNorm over the clips of all processes of a run."""

from __future__ import annotations

import torch
import torch.distributed.nn.functional
from torch import Tensor, nn


class SyncedBatchNorm(nn.BatchNorm2d):
    """BatchNorm whose mean and variance are those of the whole batch, across all processes.

    Like `torch.nn.SyncBatchNorm`, which does not support the CPU. With `together` off, every process has the same,
    whole batch.
    """

    together = True

    def forward(self, x: Tensor) -> Tensor:  # (n, c, h, w)
        if not (self.training and self.together):
            return super().forward(x)
        wide = x.float()
        count, total = _summed(torch.stack([wide.new_tensor(x[:, 0].numel()).expand(x.shape[1]), wide.sum((0, 2, 3))]))
        mean = total / count
        centred = wide - mean[:, None, None]
        (squares,) = _summed(centred.square().sum((0, 2, 3))[None])
        with torch.no_grad():  # the running variance is the unbiased one
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(squares / (count - 1), self.momentum)
            self.num_batches_tracked.add_(1)
        scale = (squares / count + self.eps).rsqrt()
        if self.affine:
            return (centred * (self.weight * scale)[:, None, None] + self.bias[:, None, None]).to(x.dtype)
        return (centred * scale[:, None, None]).to(x.dtype)


def _summed(values: Tensor) -> Tensor:
    """The sum over all processes; gradients flow through it."""
    return torch.distributed.nn.functional.all_reduce(values)


def synced(network: nn.Module) -> list[SyncedBatchNorm]:
    """Let every BatchNorm2d of `network` see the whole batch; returns these layers.

    Raises `ValueError` for a BatchNorm of another kind, as some backbones have.
    """
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and type(layer) is not nn.BatchNorm2d:
            raise ValueError(f"{type(layer).__name__} cannot be shared among processes: use one process")
    layers = [layer for layer in network.modules() if type(layer) is nn.BatchNorm2d]
    for layer in layers:
        layer.__class__ = SyncedBatchNorm  # same parameters, same names
    return layers
