"""The similar ones among texts that were met before, for duplicates.py; not for texts that are equal, which a dict tells.

Texts are similar whose sets of character runs (rows.shingles) have a Jaccard similarity of at least ``near``. Candidates come from MinHash
signatures in bands (Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3; signatures by datasketch) and are
compared exactly, so what is reported is similar, and what is missed is what no band brought together. Where texts share a pattern, bands
bring nearly all of them together: then only the candidates whose signatures agree most are compared, which keeps the work per text the same
however many there are. Thread rule: one thread.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .rows import need, shingles

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PERMUTATIONS = 128
_BANDS, _ROWS = 32, 4
# Bands of 4 rows bring pairs of similarity s together with probability 1 - (1 - s**4)**32: 0.88 at 0.5, 0.9999 at 0.7.
LEAST_NEAR = 0.5
# Of a text that meets more others in its bands, only the first and last of each band are looked at, and so many of those compared.
_MOST_MET = 1024
_OF_EACH_BAND = 8
_COMPARED = 32
_AT_ONCE = 4096


class Signatures:
    """Sets of runs and signatures of texts, which several Neighbours may share."""

    def __init__(self, texts: Sequence[str]) -> None:
        numpy: Any = need("numpy")
        datasketch: Any = need("datasketch")
        self.sets = [shingles(text) for text in texts]
        self.values: NDArray[Any] = numpy.empty((len(texts), _PERMUTATIONS), dtype=numpy.uint32)
        for begin in range(0, len(texts), _AT_ONCE):
            encoded = [[run.encode("utf-8", "surrogatepass") for run in one] for one in self.sets[begin : begin + _AT_ONCE]]
            made = datasketch.MinHash.generator(encoded, num_perm=_PERMUTATIONS, seed=1)
            for at, signature in enumerate(made, begin):
                self.values[at] = signature.hashvalues

    def similarity(self, one: int, other: int, near: float) -> float:
        """0 where it is below ``near``."""
        a, b = self.sets[one], self.sets[other]
        if min(len(a), len(b)) < near * max(len(a), len(b)):
            return 0.0
        shared = len(a & b)
        similarity = shared / (len(a) + len(b) - shared)
        return similarity if similarity >= near else 0.0

    def bands(self, at: int) -> list[bytes]:
        """What two texts that meet have in common at one place at least."""
        row = self.values[at].tobytes()
        size = len(row) // _BANDS
        return [row[band * size : (band + 1) * size] for band in range(_BANDS)]


class Neighbours:
    """The texts that were added, by what they are similar to."""

    def __init__(self, signatures: Signatures, near: float) -> None:
        self._signatures = signatures
        self._near = near
        # Six standard deviations below what signatures of similar texts agree in on average: one in a thousand million does less.
        self._least = _PERMUTATIONS * near - 6 * math.sqrt(_PERMUTATIONS * near * (1 - near))
        self._tables: list[dict[bytes, list[int]]] = [{} for _ in range(_BANDS)]

    def add(self, at: int) -> None:
        if not self._signatures.sets[at]:
            return
        for table, band in zip(self._tables, self._signatures.bands(at), strict=True):
            table.setdefault(band, []).append(at)

    def of(self, at: int) -> list[tuple[int, float]]:
        """(text, similarity) of those that were added and are similar to the text ``at``, in their order."""
        if not self._signatures.sets[at]:
            return []
        bands = self._signatures.bands(at)
        met = [found for table, band in zip(self._tables, bands, strict=True) if (found := table.get(band))]
        scored = [(other, self._signatures.similarity(at, other, self._near)) for other in self._candidates(at, met)]
        return [(other, similarity) for other, similarity in scored if similarity > 0.0]

    def _candidates(self, at: int, met: list[list[int]]) -> list[int]:
        # Distinct ones: the same text may be met in every band. Where a single band holds too many there is no need to count.
        others: set[int] = set().union(*met) if max(map(len, met), default=0) <= _MOST_MET else set()
        few = 0 < len(others) <= _MOST_MET
        if not few:
            size = _OF_EACH_BAND
            others = set().union(*(found if len(found) <= 2 * size else found[:size] + found[-size:] for found in met))
        chosen = sorted(others)
        if len(chosen) <= _COMPARED:
            return chosen
        numpy: Any = need("numpy")
        values = self._signatures.values
        agreeing = (values[chosen] == values[at]).sum(axis=1)
        if few:
            return [chosen[place] for place in numpy.flatnonzero(agreeing >= self._least).tolist()]
        best = numpy.argsort(-agreeing, kind="stable")[:_COMPARED]
        return sorted(chosen[place] for place in best.tolist())
