"""Makes the `precompiled_charsmap` of a Precompiled normalizer from a dict of texts and what they become, for tests.

The format is SentencePiece's: the size of a double-array trie (uint32), the trie (uint32 units as Darts-clone lays them), and the
replacements, each ended by a NUL; a key's value is the place of its replacement. Base64 around all of it."""

import base64
import struct

_IS_LEAF = 1 << 8
_IS_VALUE = 1 << 31
_MAX_UNITS = 1 << 21  # offsets above need a wider form, which is not made here

_Node = dict[int, "_Node"]  # by byte; 0 leads to nothing: a key ends here


def _trie(keys: list[bytes]) -> _Node:
    root: _Node = {}
    for key in keys:
        node = root
        for byte in key:
            node = node.setdefault(byte, {})
        node[0] = {}
    return root


def _double_array(values: dict[bytes, int]) -> list[int]:
    units = {0: 0}
    taken = {0}

    def place(node: _Node, index: int, prefix: bytes) -> None:
        labels = sorted(node)
        base = 1
        while any((base ^ label) in taken for label in labels):
            base += 1
        taken.update(base ^ label for label in labels)
        units[index] |= (index ^ base) << 10 | (_IS_LEAF if 0 in node else 0)
        for label in labels:
            units[base ^ label] = label if label else values[prefix] | _IS_VALUE
        for label in labels:
            if label:
                place(node[label], base ^ label, prefix + bytes([label]))

    place(_trie(list(values)), 0, b"")
    size = (max(units) | 0xFF) + 1  # a look-up may touch any of a block's 256 units
    if size > _MAX_UNITS:
        raise ValueError(f"{size} units, more than the {_MAX_UNITS} that this form can hold")
    return [units.get(index, 0) for index in range(size)]


def charsmap(replacements: dict[str, str]) -> str:
    """Keys and replacements without NUL, keys not empty."""
    texts = bytearray()
    values = {}
    for key, replacement in replacements.items():
        values[key.encode()] = len(texts)
        texts += replacement.encode() + b"\0"
    units = _double_array(values)
    trie = struct.pack(f"<{len(units)}I", *units)
    return base64.b64encode(struct.pack("<I", len(trie)) + trie + bytes(texts)).decode()
