"""Measures the codecs of ternary weights: bits per weight against the share of zeros, and speed.

    uv run python benchmarks/codec_sizes.py                                   # about two minutes
    uv run python benchmarks/codec_sizes.py -o benchmarks/results/codec_sizes.md   # and writes what it printed
    uv run python benchmarks/codec_sizes.py --quick --check                   # under one minute

Weights are random: an exact share of zeros at random places, random signs. Sizes are those of whole streams (rANS,
Golomb-Rice, bitmap, base 3, dense: header of 16 bytes with checksum, codec header, row pointers, padding) or of all
64-bit words of synapse lists (Loihi 1, as NxTF counts them: without the axon table). Speed is in trits, one byte each,
over CPU seconds of one thread, best of several runs, so that other programs on the machine disturb it little.

--check ends with exit code 1 and names the bars that were missed:

    storage     at most 1 % over the entropy, for every share of zeros up to 0.95 and every shape of 100,000 weights
    access      at most 5 % over the entropy, row pointers counted, likewise
    loihi 1     no more words than the smallest of NxTF's encodings
    speed       200 MB of trits a second, encoding and decoding, every codec of the ternary core and of storage
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tern2lava.compiler.image.codecs import CODECS
from tern2lava.compiler.image.codecs.loihi import decode_lists, encode_lists, stored_words
from tern2lava.compiler.image.codecs.loihi_entries import ENCODINGS, optimal, split
from tern2lava.compiler.image.codecs.stream import write_stream
from tern2lava.compiler.mapper.cost.nxtf import list_words

SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 1 / 3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0)
QUICK_SHARES = (0.0, 0.2, 1 / 3, 0.5, 0.7, 0.9, 0.95, 1.0)
# All of about 100,000 weights, rows x columns; a row is one input axon.
SHAPES = ((784, 128), (128, 784), (10_000, 10), (10, 10_000), (100_003, 1), (1, 100_003), (317, 331))
TABLE_SHAPE = (784, 512)
STREAMS = ("packed2", "base3", "bitmap", "rice", "rans", "rans_storage")
ACCESS = ("rice", "rans")
# Formats of ternary language models, bits per weight with their scales: BitNet's I2_S, llama.cpp's TQ1_0 and TQ2_0.
OTHERS = {"I2_S": 2.0, "TQ1_0": 1.6875, "TQ2_0": 2.0625}
STORAGE_BAR, ACCESS_BAR, SPEED_BAR = 1.01, 1.05, 200.0
TRITS = 1 << 22


def weights(shape: tuple[int, int], zeros: float, seed: int) -> Any:
    """Random ternary codes, int8, with an exact share of zeros."""
    rng = np.random.default_rng(seed)
    codes = (2 * rng.integers(0, 2, shape[0] * shape[1]) - 1).astype(np.int8)
    codes[rng.permutation(codes.size)[: round(zeros * codes.size)]] = 0
    return codes.reshape(shape)


def entropy(codes: Any) -> float:
    """Bits per weight below which no code of these frequencies can be: h(p) + (1 - p) where signs are balanced."""
    counts = np.unique(codes, return_counts=True)[1] / codes.size
    return float(-(counts * np.log2(counts)).sum()) + 0.0


def list_bits(codes: Any) -> tuple[float, float]:
    """Bits per weight of Loihi 1's synapse memory: the smallest of NxTF's encodings, and ours."""
    index = np.arange(codes.shape[1])
    nxtf = min(int(list_words(codes, index, name, 2, 0, 60).sum()) for name in ENCODINGS)
    ours = int(stored_words(optimal(codes, index, ENCODINGS, 2), index, 2, 0, codes.shape[0]).sum())
    return 64 * nxtf / codes.size, 64 * ours / codes.size


def fastest(action: Callable[[], Any], runs: int) -> float:
    """CPU seconds of the fastest run, after one that compiles and warms up."""
    action()
    times = []
    for _ in range(runs):
        start = time.thread_time()
        action()
        times.append(time.thread_time() - start)
    return min(times)


def density_table(shares: tuple[float, ...], missed: list[str]) -> list[str]:
    names = {"packed2": "dense", "base3": "base 3", "rans_storage": "storage"}
    heads = ["zeros", "entropy", *(names.get(n, n) for n in STREAMS), "over", "NxTF", "Loihi 1", *OTHERS]
    lines = [
        f"Bits per weight, {TABLE_SHAPE[0]} x {TABLE_SHAPE[1]} random ternary weights. over: what `storage` takes more "
        "than the entropy.", "", "| " + " | ".join(heads) + " |", "|" + "---:|" * len(heads),
    ]  # fmt: skip
    for zeros in shares:
        codes = weights(TABLE_SHAPE, zeros, 1)
        bound = entropy(codes)
        sizes = {name: 8 * len(write_stream(codes, name)) / codes.size for name in STREAMS}
        nxtf, ours = list_bits(codes)
        if ours > nxtf:
            missed.append(f"loihi 1: {ours:.4f} bits at {zeros:.2f} zeros, NxTF takes {nxtf:.4f}")
        over = f"{100 * (sizes['rans_storage'] / bound - 1):.2f} %" if bound else "-"
        lines.append(
            "| " + " | ".join([
                f"{zeros:.2f}", f"{bound:.4f}", *(f"{sizes[n]:.4f}" for n in STREAMS), over, f"{nxtf:.3f}",
                f"{ours:.3f}", *(f"{bits:g}" for bits in OTHERS.values()),
            ]) + " |"
        )  # fmt: skip
    return lines


def worst_table(shares: tuple[float, ...], missed: list[str]) -> list[str]:
    """The most that streams take over the entropy, over all shares of zeros up to 0.95, for each shape."""
    lines = [
        "Most that a stream takes over the entropy at shares of zeros from 0 to 0.95 (in brackets: where), row "
        "pointers counted. rows decoded: most rows that are decoded to read one.", "",
        "| rows x columns | storage | rans | rows decoded | rice |", "|---|---:|---:|---:|---:|",
    ]  # fmt: skip
    for shape in SHAPES:
        worst = dict.fromkeys((*ACCESS, "rans_storage"), (0.0, 0.0))
        rows = 0
        for zeros in (z for z in shares if z <= 0.95):
            codes = weights(shape, zeros, 2)
            bound = entropy(codes)
            for name in worst:
                stream = write_stream(codes, name)
                worst[name] = max(worst[name], (8 * len(stream) / codes.size / bound, zeros))
                if name == "rans":
                    rows = max(rows, int.from_bytes(stream[20:24], "little"))
        best = min(worst[name] for name in ACCESS)
        bars = ("storage", worst["rans_storage"], STORAGE_BAR), ("access", best, ACCESS_BAR)
        for what, (ratio, zeros), bar in bars:
            if ratio > bar:
                missed.append(f"{what}: {shape[0]} x {shape[1]} at {zeros:.2f} zeros takes {ratio:.4f} of the entropy")
        cells = [f"{100 * (worst[n][0] - 1):.2f} % ({worst[n][1]:.2f})" for n in ("rans_storage", "rans", "rice")]
        lines.append(f"| {shape[0]:,} x {shape[1]:,} | {cells[0]} | {cells[1]} | {rows:,} | {cells[2]} |")
    return lines


def speed_table(shares: tuple[float, ...], runs: int, missed: list[str]) -> list[str]:
    shares = tuple(z for z in shares if z in (0.0, 1 / 3, 0.5, 0.7, 0.9, 0.95))
    side = int(TRITS**0.5)
    lines = [
        f"MB of trits a second on one thread, encode / decode, {side:,} x {side:,} weights (synapse lists: 300 x 512).",
        "", "| codec | " + " | ".join(f"{z:.2f}" for z in shares) + " |", "|---|" + "---:|" * len(shares),
    ]  # fmt: skip
    matrices = [weights((side, side), z, 3) for z in shares]
    for name in STREAMS:
        codec = CODECS.get(name)
        cells = []
        for zeros, codes in zip(shares, matrices, strict=True):
            data = codec.encode(codes)
            rates = [
                codes.size / 1e6 / fastest(lambda c=codec, x=codes: c.encode(x), runs),  # type: ignore[misc]
                codes.size / 1e6 / fastest(lambda c=codec, d=data, s=codes.shape: c.decode(d, *s), runs),  # type: ignore[misc]
            ]
            cells.append(f"{rates[0]:,.0f} / {rates[1]:,.0f}")
            for what, rate in zip(("encodes", "decodes"), rates, strict=True):
                if rate < SPEED_BAR:
                    missed.append(f"speed: {name} {what} {rate:.0f} MB/s at {zeros:.2f} zeros, not {SPEED_BAR:.0f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    index = np.arange(512)
    small = [weights((300, 512), z, 4) for z in shares]
    cuts: dict[str, Callable[[Any], Any]] = {
        f"NxTF {name}": partial(split, index=index, encoding=name, each=2) for name in ENCODINGS
    }
    cuts["loihi (best cut)"] = lambda codes: optimal(codes, index, ENCODINGS, 2)
    for title, cut in cuts.items():
        cells = []
        for codes in small:
            data = encode_lists(codes, index, cut(codes), 2)
            encode = fastest(lambda x=codes, f=cut: encode_lists(x, index, f(x), 2), runs)  # type: ignore[misc]
            decode = fastest(lambda d=data, x=codes: decode_lists(d, x.shape[0], index, 2), runs)  # type: ignore[misc]
            cells.append(f"{codes.size / 1e6 / encode:,.0f} / {codes.size / 1e6 / decode:,.0f}")
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer shares of zeros and runs: under one minute")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a bar is missed")
    parser.add_argument("-o", "--out", type=Path, help="also write the tables to this Markdown file")
    args = parser.parse_args()
    shares = QUICK_SHARES if args.quick else SHARES
    missed: list[str] = []
    command = "uv run python benchmarks/codec_sizes.py" + (" --quick" if args.quick else "")
    lines = [
        "# Codecs of ternary weights", "", f"Made by `{command}` on Python {platform.python_version()}, "
        f"numpy {np.__version__}, {platform.machine()}. The head of that file says what is measured, and how.", "",
        "## Speed", "", *speed_table(shares, 3 if args.quick else 7, missed), "",
        "## Over the entropy, by shape", "", *worst_table(shares, missed), "",
        "## Bits per weight, by share of zeros", "", *density_table(shares, missed),
    ]  # fmt: skip
    bars = "All bars are met." if not missed else "Bars missed:\n\n" + "\n".join(f"- {line}" for line in missed)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text("\n".join([*lines, "", "## Bars", "", bars]) + "\n", encoding="utf-8")
    print("\n".join(lines[2:]))
    for line in missed:
        print(f"MISSED {line}", file=sys.stderr)
    return 1 if args.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
