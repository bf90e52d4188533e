"""Reads core images and runs them in plain numpy, by docs/image-format.md alone (plain neurons, codecs 0 to 6).
tern2lava export build/ --to image -o images/; python examples/read_image.py images/ data.npz spikes.npz"""

import struct
import sys
import zlib
from pathlib import Path

import numpy as np


def field(data, at, width):  # `width` bits from bit `at` on, lowest first
    return int.from_bytes(data[at // 8 : (at + width + 7) // 8], "little") >> at % 8 & ((1 << width) - 1)


def directory(data, at, groups, length):  # where groups start; the byte behind the directory
    w = length.bit_length()
    return [0] + [field(data, 8 * at + i * w, w) for i in range(groups - 1)], at + ((groups - 1) * w + 7) // 8


class Image:
    def __init__(self, data):
        assert zlib.crc32(data[:-4]) == field(data[-4:], 0, 32), "the checksum does not match"
        self.data, self.at = data, 0
        _, version, self.host, self.core, groups, axons, routes, *self.arithmetic = self.get("4sHHIIII8B")
        self.slow = self.get("H")[0] if version > 3 else 1  # hardware timesteps of a step
        self.groups = [self.group() for _ in range(groups)]
        self.axons = [(self.get("IIHH"), self.box()) for _ in range(axons)]
        self.routes = [(self.groups[self.get("I")[0]], *self.get("II"), self.box()) for _ in range(routes)]
        self.blocks = [self.block() for _ in range(self.get("I")[0])]

    def take(self, count):
        self.at += count
        return self.data[self.at - count : self.at]

    def uint(self):  # seven bits a byte, lowest first
        byte = self.take(1)[0]
        return byte if byte < 128 else byte - 128 + 128 * self.uint()

    def get(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))

    def box(self):  # the numbers of a box's neurons in their population, in the box's shape, filled to three axes
        axes, *v = self.get("10I")
        place = np.arange(np.prod(v[:3])).reshape(v[:3])[tuple(map(slice, v[3:6], v[6:]))]
        listed = self.take((len(place) + 7) // 8) if axes > 255 else b"\xff" * len(place)  # a bit for each index
        return place[np.unpackbits(np.frombuffer(listed, np.uint8), bitorder="little", count=len(place)) > 0]

    def group(self):
        g = {"name": self.take(*self.get("H")).decode(), "number": self.get("I")}
        g |= {"whole": np.prod(struct.unpack_from("<3I", self.data, self.at + 4)), "place": self.box().ravel()}
        if not self.host:
            g["start"], g["reset"], *unusual = self.get("IBHB")
            g["half"] = {(0, 0): 0, (0, 32): 2 ** (self.arithmetic[0] - 1)}[tuple(unusual)]  # others are not run here
            for key in ("decay_u", "decay_v", "bias_u", "bias", "threshold", "reset_amount", "v"):
                n, count = self.get("BxI")
                g[key] = np.frombuffer(self.take(n * count), f"<i{n}").astype(int).repeat(g["place"].size // count)
        return g

    def bitmap(self, data, rows, columns):
        r, n = struct.unpack_from("<II", data)  # rows a group, nonzero codes
        data = np.frombuffer(data[directory(data, 8, -(-rows // r), n)[1] :], np.uint8)
        codes, signs = np.split(np.unpackbits(data, bitorder="little").astype(int), [-(-rows * columns // 8) * 8])
        codes[codes == 1] = 1 - 2 * signs[:n]
        return codes

    def rice(self, data, rows, columns):
        k, mode, _, per_group, length = struct.unpack_from("<BBHII", data)
        at, codes = 8 * directory(data, 12, -(-rows // per_group), length)[1], np.zeros(rows * columns, int)
        for place in range(0, codes.size, per_group * columns):
            end = min(place + per_group * columns, codes.size)
            while place < end:
                ones = next(i for i in range(end) if not field(data, at + i, 1))
                gap, at = (ones << k) + field(data, at + ones + 1, k), at + ones + 1 + k
                for i in range(place, place + gap) if mode else range(place + gap, min(place + gap + 1, end)):
                    codes[i], at = 1 - 2 * field(data, at, 1), at + 1
                place += gap + 1
        return codes

    def rans(self, data, rows, columns):
        zero, plus, per_group = struct.unpack_from("<HHI", data)
        length, at = (field(data, 64, 32), 12) if per_group < rows else ((len(data) - 8) // 2, 8)
        starts, at = directory(data, at, -(-rows // per_group), length)
        words, digits = struct.unpack_from(f"<{length}H", data, at), np.arange(81)[:, None] // [1, 3, 9, 27] % 3
        products = np.array([2**15 - zero - plus, zero, plus])[digits].prod(axis=1)
        f = np.where(products > 0, np.maximum(1, products >> 46), 0)
        f[np.argsort(-((products >> 30) % 2**16), kind="stable")[: max(0, 2**14 - f.sum())]] += 1
        while f.sum() > 2**14:
            f[f.argmax()] -= 1
        first, lookup, f, codes = (np.cumsum(f) - f).tolist(), np.repeat(range(81), f).tolist(), f.tolist(), []
        for group, at in enumerate(starts):
            x, at, end = words[at] << 16 | words[at + 1], at + 2, min((group + 1) * per_group, rows) * columns
            while len(codes) < end:
                symbol = lookup[x % 2**14]
                x = f[symbol] * (x >> 14) + x % 2**14 - first[symbol]
                x, at = (x << 16 | words[at], at + 1) if x < 2**15 else (x, at)
                codes += (digits[symbol] - 1).tolist()
            del codes[end:]
        return np.array(codes)

    def block(self):  # target group, delay, and the matrix (neurons, axons) of what a spike adds
        first, (form, codec, group), delay = self.at, self.get("BBH"), self.uint()
        v = ([self.uint()] * n if form >> 7 and n != 3 else [self.uint() for _ in range(n)] for n in (3, 3, 2, 2, 4, 2))
        (ic, ih, iw), (oc, oh, ow), (kh, kw), (sy, sx), (top, bottom, left, right), (dy, dx) = v
        parts, size, width = self.uint(), self.uint(), 1 << (form >> 2 & 3)
        gain = np.frombuffer(self.take(width * (oc if form & 2 else 1)), f"<i{width}").astype(np.int64)
        data, _, n = self.take(size), self.take((first - self.at) % 8), oc // parts * kh * kw
        u8 = np.frombuffer(data, np.uint8).astype(int)[:, None]
        flat = ((u8 >> [0, 2, 4, 6] & 3) + 1) % 4 - 1, (u8 ^ 128) - 128, u8 // [1, 3, 9, 27, 81] % 3 - 1
        codes = flat[codec] if codec < 3 else (self.bitmap, self.rice, self.rans, self.rans)[codec - 3](data, ic, n)
        codes = codes.ravel()[: ic * n].reshape(ic, oc // parts, kh, kw)
        matrix = np.zeros((oc, oh, ow, ic, ih + top + bottom, iw + left + right), np.int64)
        for c, y, x in np.ndindex(ic, oh, ow):
            o = c // (ic // parts) * (oc // parts)
            matrix[o:, y, x, c, y * sy :: dy, x * sx :: dx][: oc // parts, :kh, :kw] = codes[c]
        matrix = matrix[..., top : top + ih, left : left + iw].reshape(oc * oh * ow, -1)
        return self.groups[group], delay, matrix * gain.repeat(len(matrix) // len(gain))[:, None]


def run(images, inputs):  # spikes {population: (samples, steps, neurons)} of inputs {name: (samples, steps, neurons)}
    cores, links = {image.core: image for image in images if not image.host}, []
    for source, core, number, seen in (link for image in images for link in image.routes):
        (_, block, wy, wx), _ = cores[core].axons[number]
        axon = np.arange(seen.size // (wy * wx)).reshape(len(seen), seen.shape[1] // wy, seen.shape[2] // wx)
        axon = axon.repeat(wy, axis=1).repeat(wx, axis=2).ravel()  # the neurons of a window share one
        _, sent, at = np.intersect1d(source["place"], seen, return_indices=True)
        links.append((source, sent, cores[core].blocks[block], axon[at]))
    groups, (samples, steps) = [g for c in cores.values() for g in c.groups], next(iter(inputs.values())).shape[:2]
    bits, top, slow = images[0].arithmetic[0], 2 ** (images[0].arithmetic[1] - 1) - 1, images[0].slow
    last = 1 + (steps - 1) * slow + max(g["start"] for g in groups)
    spikes = {g["name"]: np.zeros((samples, steps, g["whole"]), np.int64) for g in groups}
    for g in [g for image in images for g in image.groups]:  # out[:, t]: spikes of hardware timestep t, from 1 on
        g["out"], g["u"] = np.zeros((samples, last + 1, len(g["place"])), np.int64), 0
        g["out"][:, 1 : 2 + (steps - 1) * slow : slow] = inputs.get(g["name"], 0)
    for t in range(1, last + 1):
        sums = {id(g): g["bias_u"] for g in groups}
        for source, sent, (target, delay, matrix), at in (link for link in links if t - 1 - link[2][1] > 0):
            sums[id(target)] = sums[id(target)] + source["out"][:, t - 1 - delay, sent] @ matrix[:, at].T
        for g in (g for g in groups if (t - 1 - g["start"]) % slow == 0 <= t - 1 - g["start"] < steps * slow):
            u, v = (np.sign(g[k]) * (abs(g[k]) * (2**bits - g[f"decay_{k}"]) + g["half"] >> bits) for k in "uv")
            g["u"] = (u := u + sums[id(g)]) - 2 * (top + 1) * (1 * (u > top + 1) - (u <= -top - 1))
            v = np.clip(v + g["u"] + g["bias"], -top, top)
            g["out"][:, t] = spikes[g["name"]][:, (t - 1 - g["start"]) // slow, g["place"]] = v > g["threshold"]
            g["v"] = np.clip(v - (v, g["reset_amount"], 0)[g["reset"]] * g["out"][:, t], -top, top)
    return spikes


if __name__ == "__main__":
    read = [Image(path.read_bytes()) for path in sorted(Path(sys.argv[1]).glob("*.img"))]
    values, host = np.load(sys.argv[2])["spikes"], next(image for image in read if image.host)
    np.savez_compressed(sys.argv[3], **run(read, {host.groups[0]["name"]: values.reshape(*values.shape[:2], -1)}))
