"""nn.MultiheadAttention whose heads can be removed: the same tensors under the same names.

torch's own computes the width of a head from the width of the stream, so that no head can go. This
one takes their number from an attribute, and their widths from the tensors.

Shapes: B batch, L queries, S keys and values, H heads, D a head's width, E the stream's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SlimAttention(nn.MultiheadAttention):
    """nn.MultiheadAttention with any number of heads, each as wide as its rows say."""

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        inputs_BLE = [self._batch_first(tensor) for tensor in (query, key, value)]
        query_BHLD, key_BHSD, value_BHSD = (
            F.linear(x, weight, bias).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for x, (weight, bias) in zip(inputs_BLE, self._projections(), strict=True)
        )
        mask = _as_added(attn_mask, key_padding_mask, query_BHLD, self.num_heads)
        dropout = self.dropout if self.training else 0.0
        weights_BHLS = None
        if need_weights:
            scores_BHLS = query_BHLD @ key_BHSD.mT * query_BHLD.shape[-1] ** -0.5
            weights_BHLS = (scores_BHLS if mask is None else scores_BHLS + mask).softmax(-1)
            weights_BHLS = F.dropout(weights_BHLS, dropout, self.training)
            mixed_BHLD = weights_BHLS @ value_BHSD
        else:
            mixed_BHLD = F.scaled_dot_product_attention(
                query_BHLD, key_BHSD, value_BHSD, attn_mask=mask, dropout_p=dropout
            )
        out_BLE = self.out_proj(mixed_BHLD.transpose(1, 2).flatten(2))
        return self._as_given(out_BLE, query), _weights_told(
            weights_BHLS, average_attn_weights, query.dim() == 2
        )

    def _projections(self) -> list[tuple[Tensor, Tensor | None]]:
        """Weight and bias of queries, keys and values."""
        weights: tuple[Tensor, ...]
        if self.in_proj_weight is not None:
            weights = self.in_proj_weight.chunk(3)
        else:
            weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        if self.in_proj_bias is None:
            return [(weight, None) for weight in weights]
        return list(zip(weights, self.in_proj_bias.chunk(3), strict=True))

    def _batch_first(self, tensor: Tensor) -> Tensor:
        if tensor.dim() == 2:
            return tensor[None]
        return tensor if self.batch_first else tensor.transpose(0, 1)

    def _as_given(self, out_BLE: Tensor, query: Tensor) -> Tensor:
        if query.dim() == 2:
            return out_BLE[0]
        return out_BLE if self.batch_first else out_BLE.transpose(0, 1)


def _weights_told(weights_BHLS: Tensor | None, average: bool, unbatched: bool) -> Tensor | None:
    if weights_BHLS is None:
        return None
    told = weights_BHLS.mean(1) if average else weights_BHLS
    return told[0] if unbatched else told


def _as_added(
    mask: Tensor | None, padding: Tensor | None, query_BHLD: Tensor, num_heads: int
) -> Tensor | None:
    """The two masks as one that is added to the scores; -inf where nothing is to be seen."""
    if mask is not None:
        if mask.dim() == 3:  # one for each head of each image
            mask = mask.unflatten(0, (-1, num_heads))
        mask = _float(mask, query_BHLD)
    if padding is None:
        return mask
    padding_B11S = _float(padding if padding.dim() == 2 else padding[None], query_BHLD)[
        :, None, None
    ]
    return padding_B11S if mask is None else mask + padding_B11S


def _float(mask: Tensor, like: Tensor) -> Tensor:
    if mask.dtype != torch.bool:
        return mask.to(like.dtype)
    return torch.zeros_like(mask, dtype=like.dtype).masked_fill(mask, float("-inf"))


def with_removable_heads(model: nn.Module) -> int:
    """Makes the heads of every plain nn.MultiheadAttention removable, in place; says how many."""
    plain = [
        module
        for module in model.modules()
        if type(module) is nn.MultiheadAttention
        and module.bias_k is None
        and not module.add_zero_attn
    ]
    for module in plain:
        module.__class__ = SlimAttention
        # torch's Transformer layers call a kernel of their own instead of such a module where this
        # says that they may, and that kernel computes the heads' width from the stream's.
        module._qkv_same_embed_dim = False
    return len(plain)
