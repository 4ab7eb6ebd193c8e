"""Metrics of a training for TensorBoard, without TensorBoard: event files as it reads them.

An event file is a row of records (TFRecord: length, masked CRC-32C of it, bytes, masked CRC-32C of them), each an Event in Protocol Buffers'
wire format (tensorflow/core/util/event.proto, summary.proto), of which scalars need four fields.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from os import PathLike

    from .training import TrainStep

_POLYNOMIAL = 0x82F63B78  # Castagnoli's, reflected
_MASK_DELTA = 0xA282EAD8


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """CRC-32C (RFC 3720, appendix B.4)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _bytes_field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _event(wall_time: float, step: int, payload: bytes) -> bytes:
    return _varint(1 << 3 | 1) + struct.pack("<d", wall_time) + _varint(2 << 3) + _varint(step) + payload


class TensorBoard:
    """A callback that writes an event file into ``folder``: ``train/...`` after each step, ``eval/...`` after each evaluation.

    Show it with ``tensorboard --logdir FOLDER``. ``close()`` ends the file; so does the end of a ``with`` block. Every record is on its way to
    the disk when the callback returns.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}"
        self.path = Path(folder) / name
        self._file: BinaryIO = self.path.open("xb")
        self._write(_event(time.time(), 0, _bytes_field(3, b"brain.Event:2")))

    def on_step(self, step: TrainStep) -> None:
        """Writes loss, learning rate, gradient norm, speed and memory."""
        self.add(
            step.step,
            {
                "train/loss": step.loss,
                "train/learning_rate": step.learning_rate,
                "train/gradient_norm": step.gradient_norm,
                "train/tokens_per_second": step.tokens_per_second,
                "train/rss_mb": step.rss_mb,
            },
        )

    def on_evaluate(self, step: TrainStep) -> None:
        """Writes the metrics."""
        self.add(step.step, {f"eval/{name.removeprefix('eval_')}": value for name, value in (step.metrics or {}).items()})

    def add(self, step: int, values: dict[str, float]) -> None:
        """Scalars of a step, by tag."""
        scalars = (
            _bytes_field(1, _bytes_field(1, tag.encode()) + _varint(2 << 3 | 5) + struct.pack("<f", value))
            for tag, value in values.items()
        )
        self._write(_event(time.time(), step, _bytes_field(5, b"".join(scalars))))

    def close(self) -> None:
        """Ends the file."""
        self._file.close()

    def __enter__(self) -> TensorBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, event: bytes) -> None:
        length = struct.pack("<Q", len(event))
        self._file.write(length + _masked(length) + event + _masked(event))
        self._file.flush()
