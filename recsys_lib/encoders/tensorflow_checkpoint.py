"""TensorFlow checkpoints (version 2) read with NumPy alone.

A checkpoint is two files. `.data-00000-of-00001` holds the numbers of all tensors one after the other. `.index` is a
sorted table in the format of LevelDB that says where each tensor lies: blocks of (name, entry), an index of the
blocks, and a footer that says where that index is. An entry is a protocol buffer.

Source: LevelDB's doc/table_format.md; TensorFlow's tensor_bundle.proto (BundleEntryProto) and types.proto.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

FOOTER, MAGIC = 48, 0xDB4775248B80FB57
FLOAT32 = 1  # DT_FLOAT of types.proto
DTYPE, SHAPE, SHARD, OFFSET, SIZE = 1, 2, 3, 4, 5  # fields of BundleEntryProto


def read_checkpoint(prefix: str) -> dict[str, np.ndarray]:
    """The float32 tensors of the checkpoint `prefix`.index and `prefix`.data-00000-of-00001, by name.

    ValueError: the files are no such checkpoint, or one that is compressed or split into several data files.
    """
    index = Path(f"{prefix}.index").read_bytes()
    numbers = Path(f"{prefix}.data-00000-of-00001").read_bytes()
    if len(index) < FOOTER or struct.unpack("<Q", index[-8:])[0] != MAGIC:
        raise ValueError(f"{prefix}.index is no index of a TensorFlow checkpoint. Fetch the files anew")
    footer = index[-FOOTER:]
    _, position = _handle(footer, 0)  # of the block of meta data, which is empty
    place, _ = _handle(footer, position)
    tensors = {}
    for _, handle in _block(index, *place):
        for name, entry in _block(index, *_handle(handle, 0)[0]):
            fields = _message(entry)
            if not name or fields.get(DTYPE, [0])[0] != FLOAT32:  # the nameless entry is the header
                continue
            if fields.get(SHARD, [0])[0] != 0:
                raise ValueError(f"{prefix} is split into several data files. Save it as one")
            start, size = fields.get(OFFSET, [0])[0], fields[SIZE][0]
            found = np.frombuffer(numbers[start : start + size], "<f4")
            tensors[name.decode()] = found.reshape(_shape(fields)).astype(np.float32)
    return tensors


def _shape(fields: dict[int, list]) -> list[int]:
    """TensorShapeProto: its field 2 repeats for each dimension, whose field 1 is the size."""
    (message,) = fields.get(SHAPE, [b""])
    return [_message(dimension).get(1, [0])[0] for dimension in _message(message).get(2, [])]


def _block(data: bytes, start: int, size: int) -> list[tuple[bytes, bytes]]:
    """The (key, value) pairs of a block. A key is stored as what it does not share with the one before."""
    if data[start + size] != 0:  # the byte behind a block says how it is compressed
        raise ValueError("a block of the checkpoint's index is compressed, which TensorFlow does not do by itself")
    block = data[start : start + size]
    (n_restarts,) = struct.unpack("<I", block[-4:])
    end = size - 4 * (n_restarts + 1)
    pairs, key, position = [], b"", 0
    while position < end:
        n_shared, position = _varint(block, position)
        n_own, position = _varint(block, position)
        n_value, position = _varint(block, position)
        key = key[:n_shared] + block[position : position + n_own]
        position += n_own
        pairs.append((key, block[position : position + n_value]))
        position += n_value
    return pairs


def _handle(data: bytes, position: int) -> tuple[tuple[int, int], int]:
    """The (start, size) of a block, and the position behind it."""
    start, position = _varint(data, position)
    size, position = _varint(data, position)
    return (start, size), position


def _message(data: bytes) -> dict[int, list]:
    """A protocol buffer's values by field number: whole numbers, and bytes for everything else."""
    fields, position = {}, 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, position = _varint(data, position)
        else:
            size = {1: 8, 5: 4}.get(wire)
            if size is None:
                size, position = _varint(data, position)
            value, position = data[position : position + size], position + size
        fields.setdefault(number, []).append(value)
    return fields


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A whole number, seven bits a byte with the lowest first, and the position behind it."""
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
