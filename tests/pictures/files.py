"""Photographs' files written byte by byte, so that what they hold is known without a reader."""

import struct
import zlib

import numpy as np

CODES = {1: "B", 3: "H", 4: "I"}


def tiff(tags, strips, order="<"):
    """Strips of data, and tags as {number: (type, values)}."""
    starts = [8 + sum(map(len, strips[:n])) for n in range(len(strips) + 1)]
    tags = dict(tags) | {273: (4, starts[:-1]), 279: (4, list(map(len, strips)))}
    entries, extra, at = b"", b"", starts[-1] + 2 + 12 * len(tags) + 4
    for tag, (kind, values) in sorted(tags.items()):
        place = b"".join(struct.pack(order + CODES[kind], v) for v in values)
        if len(place) > 4:
            place, extra = struct.pack(order + "I", at + len(extra)), extra + place
        entries += struct.pack(order + "HHI", tag, kind, len(values)) + place.ljust(4, b"\0")
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, starts[-1])
    count = struct.pack(order + "H", len(tags))
    return head + b"".join(strips) + count + entries + struct.pack(order + "I", 0) + extra


def packed(numbers, bits, order):
    """Rows of numbers (H, N) in that many bits each, every row filled up to whole bytes."""
    if bits in (16, 32):
        return numbers.astype(numbers.dtype.newbyteorder(order)).tobytes()
    rows = []
    for row in numbers:
        text = "".join(format(int(n) & ((1 << bits) - 1), f"0{bits}b") for n in row)
        text += "0" * (-len(text) % 8)
        rows.append(int(text, 2).to_bytes(len(text) // 8, "big"))
    return b"".join(rows)


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(values, bits, key=None, size=None, more=b""):
    """Grey or RGB numbers (H, W, 1 or 3) as a PNG, `key` its transparent colour, `size` what it declares."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + packed(row.reshape(1, -1).astype(np.uint16), bits, ">") for row in values)
    width, height = size or (width, height)
    header = struct.pack(">IIBBBBB", width, height, bits, 2 if channels == 3 else 0, 0, 0, 0)
    marks = b"" if key is None else chunk(b"tRNS", struct.pack(f">{len(key)}H", *key))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + marks + more + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b""))
