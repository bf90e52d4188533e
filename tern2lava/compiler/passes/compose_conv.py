"""Composition of convolutions: the one convolution that two of them in a row are."""

from __future__ import annotations

import numpy as np

from tern2lava.compiler.ir.shapes import ConvGeometry, Reals, conv_out

Kernel = tuple[Reals, ConvGeometry]


def conv_after_conv(before: Kernel, after: Kernel) -> Kernel | None:
    """One convolution for two: kernel position s1 d2 j + d1 i holds the sum of products of taps i and j.

    None where the second pads what the first computes and zeros between the two would not stay zeros.
    """
    (first, inner), (second, own) = before, after
    reach = [(first.shape[2 + a] - 1) * inner.dilation[a] + 1 for a in (0, 1)]
    kernel = [reach[a] + inner.stride[a] * own.dilation[a] * (second.shape[2 + a] - 1) for a in (0, 1)]
    padding: list[int] = []
    for a in (0, 1):
        low, high = own.padding[2 * a], own.padding[2 * a + 1]
        length, count = inner.in_shape[1 + a], inner.out_shape[1 + a]
        inner_low = inner.padding[2 * a]
        # Zeros between the two layers must stay zeros: no window that starts or ends outside the inner output may
        # touch the input.
        if (low and reach[a] > inner.stride[a] + inner_low) or (high and inner.stride[a] * count - inner_low < length):
            return None
        stride = inner.stride[a] * own.stride[a]
        before_input = inner_low + inner.stride[a] * low
        needed = (own.out_shape[1 + a] - 1) * stride + kernel[a] - length - before_input
        padding += [before_input, max(needed, 0)]
        assert conv_out(length, kernel[a], stride, before_input + max(needed, 0), 1) >= own.out_shape[1 + a]
    groups = inner.groups if _channelwise(second, own) else own.groups if _channelwise(first, inner) else 1
    if groups == 1 and inner.groups > 1 and not _channelwise(first, inner):
        first = _in_one_group(first, inner)
    if groups == 1 and own.groups > 1 and not _channelwise(second, own):
        second = _in_one_group(second, own)
    channelwise = (_channelwise(first, inner), _channelwise(second, own))
    weight = np.zeros((second.shape[0], inner.in_shape[0] // groups, *kernel))
    for i in range(second.shape[2]):
        for j in range(second.shape[3]):
            y, x = inner.stride[0] * own.dilation[0] * i, inner.stride[1] * own.dilation[1] * j
            product = _channel_product(first, second[:, :, i, j], own.groups, channelwise)
            weight[:, :, y : y + reach[0] : inner.dilation[0], x : x + reach[1] : inner.dilation[1]] += product
    geometry = ConvGeometry(
        in_shape=inner.in_shape,
        out_shape=own.out_shape,
        stride=(inner.stride[0] * own.stride[0], inner.stride[1] * own.stride[1]),
        padding=(padding[0], padding[1], padding[2], padding[3]),
        dilation=(1, 1),
        groups=groups,
    )
    return weight, geometry


def _channelwise(kernel: Reals, geometry: ConvGeometry) -> bool:
    """Whether each channel goes through a kernel of its own."""
    return bool(geometry.groups == geometry.in_shape[0] == kernel.shape[0])


def _in_one_group(kernel: Reals, geometry: ConvGeometry) -> Reals:
    """The kernel with zeros for the channels of other groups."""
    out, own, kh, kw = kernel.shape
    whole = np.zeros((geometry.groups, out // geometry.groups, geometry.groups, own, kh, kw))
    for g in range(geometry.groups):
        whole[g, :, g] = kernel.reshape(geometry.groups, -1, own, kh, kw)[g]
    return whole.reshape(out, geometry.groups * own, kh, kw)


def _channel_product(first: Reals, tap: Reals, groups: int, channelwise: tuple[bool, bool]) -> Reals:
    """Kernel (out, in per group, kh, kw) of `first` followed by the single tap (out, mid per group) of the second."""
    if channelwise[0]:
        out, mid = tap.shape
        channel = (np.arange(out) // (out // groups))[:, None] * mid + np.arange(mid)[None, :]
        return np.asarray(tap[:, :, None, None] * first[channel, 0])
    if channelwise[1]:
        return np.asarray(tap[:, :1, None, None] * first)
    return np.asarray(np.einsum("om,mikl->oikl", tap, first, optimize=True))
