"""What a data set is like: how long its texts are, whether it covers a domain, how varied it is, whether its annotators agree."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._arguments import number, whole
from ..errors import InvalidArgument
from .rows import Row, need, row_text, terms

if TYPE_CHECKING:
    from ..models import Encoder
    from ..tokenizer import Tokenizer


class LowAgreementWarning(UserWarning):
    """Annotators agree too little for their labels to be trusted."""


@dataclass(frozen=True)
class TokenStatistics:
    """Lengths in tokens. ``over``: places of the rows that are longer than ``max_tokens``."""

    rows: int
    total: int
    mean: float
    median: float
    p95: float
    longest: int
    empty: int
    over: list[int]

    def __str__(self) -> str:
        return (
            f"{self.rows} rows, {self.total} tokens: mean {self.mean:.1f}, median {self.median:.0f}, 95% up to {self.p95:.0f}, "
            f"longest {self.longest}; {self.empty} empty, {len(self.over)} too long"
        )


@dataclass(frozen=True)
class Coverage:
    """How much of a domain's texts a data set has seen."""

    terms: float
    """The share of the domain's term weight (TF-IDF) whose terms occur in the data, 0 to 1."""
    documents: float
    """The share of the domain's texts with a row of at least ``similar`` cosine, 0 to 1."""
    similarity: float
    """Mean cosine of the domain's texts to their nearest row."""
    missing: list[str]
    """The heaviest terms of the domain that the data lacks."""
    far: list[int]
    """Places of the domain's texts that no row is near to, the farthest first."""


@dataclass(frozen=True)
class Diversity:
    """Rows in clusters. ``evenness``: the entropy of the clusters' sizes over that of equal sizes; 1 is even, 0 is one cluster."""

    evenness: float
    sizes: list[int]
    clusters: list[int]
    """For each row its cluster; clusters are numbered from the largest."""
    examples: list[int]
    """For each cluster the row nearest to its centre."""


@dataclass(frozen=True)
class Agreement:
    """Cohen's kappa of two annotators: 1 is full agreement, 0 what chance gives."""

    kappa: float
    observed: float
    """The share of items with equal labels."""
    items: int
    disagreements: list[tuple[Any, Any, int]]
    """(label of the first, label of the second, how often), most frequent first."""


def token_statistics(
    rows: Iterable[Row], tokenizer: Tokenizer, *, max_tokens: int | None = None, fields: Sequence[str] | None = None
) -> TokenStatistics:
    """Lengths of the rows' texts in tokens of a librag Tokenizer, special tokens not counted."""
    most = None if max_tokens is None else whole("max_tokens", max_tokens, 1)
    texts = [row_text(row, fields) for row in rows]
    encodings = tokenizer.encode_batch(texts, add_special_tokens=False, truncation=False, padding=False) if texts else []
    lengths = [len(encoding.ids) for encoding in encodings]
    ordered = sorted(lengths)

    def quantile(share: float) -> float:
        return float(ordered[max(math.ceil(share * len(ordered)) - 1, 0)]) if ordered else 0.0

    return TokenStatistics(
        rows=len(lengths),
        total=sum(lengths),
        mean=sum(lengths) / len(lengths) if lengths else 0.0,
        median=quantile(0.5),
        p95=quantile(0.95),
        longest=max(ordered, default=0),
        empty=sum(not text.strip() for text in texts),
        over=[] if most is None else [place for place, length in enumerate(lengths) if length > most],
    )


def coverage(
    rows: Iterable[Row], domain: Iterable[Row | str], *, similar: float = 0.3, fields: Sequence[str] | None = None
) -> Coverage:
    """Does the data cover a domain, such as the questions that users ask or the documents of a knowledge base?

    Both are compared by TF-IDF over words, and pairs of characters in Chinese; weights come from the domain. ``similar``: the cosine from
    which on a row counts as near. InvalidArgument: one of the two holds no word.
    """
    least = number("similar", similar)
    if not 0.0 < least <= 1.0:
        raise InvalidArgument(f"similar is {similar}, it must be above 0 and at most 1")
    texts = [row_text(row, fields) for row in rows]
    wanted = [item if isinstance(item, str) else row_text(item, fields) for item in domain]
    if not any(terms(text) for text in texts) or not any(terms(text) for text in wanted):
        raise InvalidArgument("the rows or the domain hold no word, so there is nothing to compare")
    vectorizer = need("sklearn.feature_extraction.text").TfidfVectorizer(analyzer=terms, sublinear_tf=True)
    domain_vectors = vectorizer.fit_transform(wanted)
    vectors = vectorizer.transform(texts)
    weights = domain_vectors.sum(axis=0).A1
    present = vectors.sum(axis=0).A1 > 0
    nearest = _nearest(domain_vectors, vectors)
    names = vectorizer.get_feature_names_out()
    missing = sorted((place for place in range(len(names)) if not present[place]), key=lambda place: -weights[place])
    far = sorted((place for place, value in enumerate(nearest) if value < least), key=lambda place: nearest[place])
    return Coverage(
        terms=float(weights[present].sum() / weights.sum()),
        documents=1.0 - len(far) / len(nearest),
        similarity=sum(nearest) / len(nearest),
        missing=[str(names[place]) for place in missing[:20]],
        far=far,
    )


def diversity(
    rows: Iterable[Row],
    *,
    clusters: int | None = None,
    encoder: Encoder | None = None,
    seed: int = 1,
    fields: Sequence[str] | None = None,
) -> Diversity:
    """Are the rows about many things, or is one thing said again and again?

    k-means over the ``encoder``'s embeddings, or without one over TF-IDF in 64 dimensions (latent semantic analysis). ``clusters``: None
    is the root of half the number of rows, 2 to 50. InvalidArgument: fewer rows than clusters.
    """
    texts = [row_text(row, fields) for row in rows]
    count = max(2, min(50, round(math.sqrt(len(texts) / 2)))) if clusters is None else whole("clusters", clusters, 2)
    if len(texts) < count:
        raise InvalidArgument(f"{len(texts)} rows cannot make {count} clusters")
    vectors = _topic_vectors(texts, seed) if encoder is None else encoder.encode(texts)
    found = need("sklearn.cluster").KMeans(n_clusters=count, n_init=3, random_state=whole("seed", seed)).fit(vectors)
    distances = found.transform(vectors)
    sizes = Counter(int(label) for label in found.labels_)
    order = sorted(range(count), key=lambda label: (-sizes[label], label))
    renamed = {label: place for place, label in enumerate(order)}
    shares = [sizes[label] / len(texts) for label in order if sizes[label]]
    return Diversity(
        evenness=-sum(share * math.log(share) for share in shares) / math.log(count) + 0.0,
        sizes=[sizes[label] for label in order],
        clusters=[renamed[int(label)] for label in found.labels_],
        examples=[int(distances[:, label].argmin()) for label in order],
    )


def agreement(first: Iterable[Any], second: Iterable[Any]) -> Agreement:
    """How far two annotators of the same items agree beyond chance (Cohen 1960); below 0.8 comes a LowAgreementWarning."""
    one, two = list(first), list(second)
    if len(one) != len(two) or not one:
        raise InvalidArgument(f"{len(one)} labels stand beside {len(two)}: there must be as many of each, and at least one")
    names = {label: place for place, label in enumerate(dict.fromkeys([*one, *two]))}
    same = sum(a == b for a, b in zip(one, two))
    if len(names) == 1:  # one label for all: no chance to disagree, and 0 / 0 by the formula
        kappa = 1.0
    else:
        kappa = float(need("sklearn.metrics").cohen_kappa_score([names[a] for a in one], [names[b] for b in two]))
    pairs = Counter((a, b) for a, b in zip(one, two) if a != b)
    if kappa < 0.8:
        warnings.warn(
            f"annotators agree too little: Cohen's kappa is {kappa:.2f}, below 0.8, over {len(one)} items; "
            "settle the disagreements (and what the labels mean) before training on them",
            LowAgreementWarning,
            stacklevel=2,
        )
    return Agreement(kappa, same / len(one), len(one), [(a, b, count) for (a, b), count in pairs.most_common()])


def _nearest(queries: Any, rows: Any) -> list[float]:
    """The greatest cosine of each query, in blocks so that memory does not grow with both sides."""
    best: list[float] = []
    for begin in range(0, queries.shape[0], 256):
        product = queries[begin : begin + 256] @ rows.T
        best += [float(value) for value in product.max(axis=1).toarray().ravel()]
    return best


def _topic_vectors(texts: list[str], seed: int) -> Any:
    vectors = need("sklearn.feature_extraction.text").TfidfVectorizer(analyzer=terms, sublinear_tf=True).fit_transform(texts)
    size = min(64, vectors.shape[1] - 1, vectors.shape[0] - 1)
    if size < 2:
        return vectors.toarray()
    reduced = need("sklearn.decomposition").TruncatedSVD(size, random_state=seed).fit_transform(vectors)
    return need("sklearn.preprocessing").normalize(reduced)
