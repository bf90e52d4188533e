"""Reads the memory files of `export --to mem` and runs them in plain numpy, by docs/mem-format.md alone.
tern2lava export build/ --to mem -o mem/; python examples/read_mem.py mem/ data.npz spikes.npz"""

import json
import re
import sys
from pathlib import Path

import numpy as np


def words(folder, entry):  # the words of a file in any of the three formats, by address
    text = (folder / entry["file"]).read_text()
    if entry["file"].endswith(".hex"):
        found = [line[9:-2] for line in text.split() if line[7:9] == "00"]
    else:
        found = re.findall(r"[0-9a-f]+", text.rpartition("=")[2])
    assert len(found) == entry["words"], entry["file"]
    return [int(digits, 16) for digits in found]


def signed(value, bits):
    return value - (value >> bits - 1 << bits)


def values(folder, entry):  # integers, one a word
    return np.array([signed(word, entry["width"]) for word in words(folder, entry)])


def codes(folder, entry, shape):  # the codes of a projection in their shape
    bits, each = entry["bits"], entry["width"] // entry["bits"]
    flat = [signed(word >> bits * i & (1 << bits) - 1, bits) for word in words(folder, entry) for i in range(each)]
    row = np.prod(shape[1:])
    return np.array(flat).reshape(shape[0], -1)[:, :row].reshape(shape)


def matrix(folder, p, neurons):  # what each spike of the source adds: (neurons of the target, neurons of the source)
    weight, seen = codes(folder, p["codes"], p["shape"]), np.arange(neurons)  # seen: the source's neurons, in order
    if p["reads"]:
        box = p["reads"]
        seen = seen.reshape(box["shape"])[tuple(map(slice, box["lo"], box["hi"]))].ravel()
    if p["pooling"]:
        (c, h, w), (y, x) = p["pooling"]["in_shape"], p["pooling"]["window"]
        image = seen.reshape(c, h, w)[:, : h // y * y, : w // x * x].reshape(c, h // y, y, w // x, x)
        seen = image.transpose(0, 1, 3, 2, 4).reshape(-1, y * x)  # those of a window add up
    seen, g = seen.reshape(len(seen), -1), p["geometry"]
    if g:
        (ic, ih, iw), (oc, oh, ow), (top, bottom, left, right) = g["in_shape"], g["out_shape"], g["padding"]
        (sy, sx), (dy, dx), (kh, kw) = g["stride"], g["dilation"], weight.shape[2:]
        whole = np.zeros((oc, oh, ow, ic, ih + top + bottom, iw + left + right), int)
        for o, y, x in np.ndindex(oc, oh, ow):
            first = o // (oc // g["groups"]) * weight.shape[1]
            rows, columns = y * sy + dy * np.arange(kh)[:, None], x * sx + dx * np.arange(kw)
            whole[o, y, x, first : first + weight.shape[1], rows, columns] = weight[o].transpose(1, 2, 0)
        weight = whole[..., top : top + ih, left : left + iw].reshape(oc * oh * ow, -1)
    result, gain = np.zeros((len(weight), neurons), int), values(folder, p["gain"])
    np.add.at(result.T, seen.ravel(), weight.T.repeat(seen.shape[1], axis=0))
    return result * gain.repeat(len(weight) // len(gain))[:, None]


def run(folder, inputs):  # spikes {population: (samples, steps, neurons)} of inputs {name: (samples, steps, neurons)}
    index = json.loads((folder / "index.json").read_text())
    bits, top = index["arithmetic"]["decay_bits"], 2 ** (index["arithmetic"]["state_bits"] - 1) - 1
    sizes = {n["name"]: int(np.prod(n["shape"])) for n in index["inputs"] + index["populations"]}
    matrices = [matrix(folder, p, sizes[p["source"]]) for p in index["projections"]]
    starts = {n["name"]: n.get("start", 0) for n in index["inputs"] + index["populations"]}
    samples, steps = next(iter(inputs.values())).shape[:2]
    sent = {**inputs} | {p["name"]: np.zeros((samples, steps, sizes[p["name"]]), int) for p in index["populations"]}
    state = {p["name"]: {"v": 0, "u": 0, "b": 0, "spiked": 0, "rest": 0} for p in index["populations"]}
    held = {p["name"]: {k: values(folder, e) for k, e in p["parameters"].items()} for p in index["populations"]}
    for name in state:
        state[name]["v"] = np.zeros((samples, sizes[name]), int) + held[name]["v_init"]
    slow = index["slowdown"]  # timesteps of a step
    for t in range(1, (steps - 1) * slow + 2 + max(starts.values())):
        for p in (p for p in index["populations"] if (t - 1 - p["start"]) / slow in range(steps)):
            s, n, half = state[p["name"]], held[p["name"]], 2 ** (bits - 1) * (p["decays"] == "nearest")
            u, v, b = (
                np.sign(s[k]) * (abs(s[k]) * (2**bits - n.get(f"decay_{m}", 0)) + half >> bits)
                for k, m in (("u", "u"), ("v", "v"), ("b", "a"))
            )
            u = u + n["bias_u"]
            for number in p["reads"]:
                link = index["projections"][number]
                k, late = divmod(t - 2 - link["delay"] - starts[link["source"]], slow)
                if late == 0 <= k < steps:
                    u = u + sent[link["source"]][:, k] @ matrices[number].T
            u = u - 2 * (top + 1) * (1 * (u > top + 1) - (u <= -top - 1))
            v, threshold, amount = v + u + n["bias"], n["threshold"], n["reset_amount"]
            if "gain_a" in n:  # a threshold that rises with spikes, and a subtraction one step late
                b = np.clip(b + n["gain_a"] * s["spiked"], -top, top)
                v, threshold = v - (amount + b) * s["spiked"], threshold + b
            v = np.where(s["rest"] > 0, s["v"], np.clip(v, -top, top))
            met = v - amount * (s["v"] > n["threshold"]) if p["rearm"] else v
            spikes = 1 * (met > threshold) - ((met < n["threshold_low"]) if "threshold_low" in n else 0)
            spikes = np.where(s["rest"] > 0, 0, met if p["relay"] else spikes)
            rest = np.where(spikes != 0, p["refractory"], np.maximum(s["rest"] - 1, 0))
            if p["reset"] == "zero":
                v = np.where(spikes != 0, 0, v)
            elif p["reset"] == "subtract" and "gain_a" not in n:
                v = np.clip(v - amount * spikes, -top, top)
            state[p["name"]] = {"u": u, "v": v, "b": b, "spiked": spikes, "rest": rest}
            sent[p["name"]][:, (t - 1 - p["start"]) // slow] = spikes
    return {p["name"]: sent[p["name"]] for p in index["populations"]}


if __name__ == "__main__":
    data = np.load(sys.argv[2])
    names = [each["name"] for each in json.loads((Path(sys.argv[1]) / "index.json").read_text())["inputs"]]
    given = {name: data[name if name in data.files else "spikes"] for name in names}
    flat = {name: each.reshape(*each.shape[:2], -1).astype(int) for name, each in given.items()}
    np.savez_compressed(sys.argv[3], **run(Path(sys.argv[1]), flat))
