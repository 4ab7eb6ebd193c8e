"""Training data before training: duplicates, leaks, splits, balance, personal data, and what a set of texts covers.

    from librag import data

    rows = data.read("questions.jsonl")
    rows, found = data.deduplicate(rows)
    rows, report = data.redact_rows(rows)
    parts = data.split(rows, {"train": 0.8, "test": 0.2}, stratify="label")
    assert not data.find_leaks(parts["train"], parts["test"])

A row is a dict as training takes it: ``{"text", "label"}``, ``{"query", "positive", "negatives"}``, ``{"messages": [...]}``, Alpaca's and
ShareGPT's members. Functions give new lists and leave their arguments alone; equal arguments and seeds give equal results. English and
Chinese count the same. Needs ``pip install 'librag[data]'`` (scikit-learn, datasketch, phonenumbers, python-stdnum); nothing is sent
anywhere. docs/training-data.md tells how well each finder finds.
"""

from .describe import (
    Agreement,
    Coverage,
    Diversity,
    LowAgreementWarning,
    TokenStatistics,
    agreement,
    coverage,
    diversity,
    token_statistics,
)
from .duplicates import DuplicateReport, Leak, deduplicate, duplicate_groups, find_leaks
from .personal import PERSONAL_KINDS, PersonalData, RedactionReport, find_personal_data, redact, redact_rows
from .read import Rows, read
from .rows import Row, row_text
from .splits import balance, split

__all__ = [
    "PERSONAL_KINDS",
    "Agreement",
    "Coverage",
    "Diversity",
    "DuplicateReport",
    "Leak",
    "LowAgreementWarning",
    "PersonalData",
    "RedactionReport",
    "Row",
    "Rows",
    "TokenStatistics",
    "agreement",
    "balance",
    "coverage",
    "deduplicate",
    "diversity",
    "duplicate_groups",
    "find_leaks",
    "find_personal_data",
    "read",
    "redact",
    "redact_rows",
    "row_text",
    "split",
    "token_statistics",
]
