#!/usr/bin/env python3
"""Writes the four .npy files of tabular.yaml into a folder: python3 make_tabular.py FOLDER [SEED]

Feature rows [n, 8] of float32, drawn uniformly from [-1, 1], and labels [n] of int64. The class, of
four, is the pair of signs of
    x0 x1 + sin(3 x2) / 2   and   x3 + x4 x5 - x6^2 / 2
x7 says nothing. Standard Python; with NumPy, a file of your own rows is
    numpy.save("train.npy", rows.astype("float32"))
"""

import array
import math
import os
import random
import struct
import sys

FEATURES = 8
TRAIN, HELD_OUT, TEST = 4500, 500, 1000


def npy(descr, dims, values):
    """The bytes of a .npy file, version 1.0: little-endian, rows first."""
    head = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (descr, dims)
    head = head.ljust((10 + len(head) + 1 + 63) // 64 * 64 - 10 - 1) + "\n"
    if sys.byteorder == "big":
        values.byteswap()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + values.tobytes()


def label_of(x):
    first = x[0] * x[1] + math.sin(3 * x[2]) / 2 > 0
    second = x[3] + x[4] * x[5] - x[6] * x[6] / 2 > 0
    return 2 * first + second


def write(folder, name, count, seed):
    rng = random.Random("%s %s" % (name, seed))
    rows, labels = array.array("f"), array.array("q")
    for _ in range(count):
        row = [rng.uniform(-1, 1) for _ in range(FEATURES)]
        rows.extend(row)
        labels.append(label_of(row))
    for file, data in ((name, npy("<f4", (count, FEATURES), rows)),
                       (name + "-labels", npy("<i8", (count,), labels))):
        with open(os.path.join(folder, file + ".npy"), "wb") as out:
            out.write(data)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    folder, seed = sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else "1"
    os.makedirs(folder, exist_ok=True)
    write(folder, "train", TRAIN + HELD_OUT, seed)
    write(folder, "test", TEST, seed)


if __name__ == "__main__":
    main()
