"""librag: a private knowledge base with local language models, inside your program.

    import librag

    with librag.Engine("my-knowledge", embedder="models/encoder", generator="models/generator.gguf") as engine:
        engine.add(["Returns are accepted within 30 days."])
        print(engine.ask("How long can I return something?").marked())

Importing it costs milliseconds: numpy, tqdm and LibTorch come when something first needs them. It sets one environment variable
unless it is there, GOMP_SPINCOUNT: see librag._waiting.
"""

from ._evaluate import compare, evaluate, evaluate_answers, evaluate_labels
from ._librag import version as _version
from ._new_encoder import new_encoder
from ._train_config import TrainConfig
from ._waiting import set_default as _set_waiting
from .engine import AnswerStream, Engine, Reembedding
from .errors import (
    AlreadyExists,
    BackendMissing,
    Busy,
    Corrupt,
    InternalError,
    InvalidArgument,
    InvalidState,
    IoError,
    NotFound,
    OutOfMemory,
    RagError,
    ReadOnly,
    Stopped,
    Unsupported,
    VersionMismatch,
)
from .indexes import BM25Index, VectorIndex
from .models import CachedText, Classification, Classifier, CrossEncoder, Encoder, Generator, inspect
from .readers import read_bytes, read_documents
from .report import Report
from .tensorboard import TensorBoard
from .text import Chunk, chunk, clean
from .tokenizer import AddedToken, DecodeStream, Encoding, Tokenizer
from .training import Trainer, TrainResult, TrainStep
from .types import Answer, Batching, Change, Changes, Citation, Document, Generation, Hit, Hits, Link, Token, Usage, VerifyReport

__version__: str = _version()
_set_waiting()

__all__ = [
    "AddedToken",
    "AlreadyExists",
    "Answer",
    "AnswerStream",
    "BM25Index",
    "BackendMissing",
    "Batching",
    "Busy",
    "CachedText",
    "Change",
    "Changes",
    "Chunk",
    "Citation",
    "Classification",
    "Classifier",
    "Corrupt",
    "CrossEncoder",
    "DecodeStream",
    "Document",
    "Encoder",
    "Encoding",
    "Engine",
    "Generation",
    "Generator",
    "Hit",
    "Hits",
    "InternalError",
    "InvalidArgument",
    "InvalidState",
    "IoError",
    "Link",
    "NotFound",
    "OutOfMemory",
    "RagError",
    "ReadOnly",
    "Reembedding",
    "Report",
    "Stopped",
    "TensorBoard",
    "Token",
    "Tokenizer",
    "TrainConfig",
    "TrainResult",
    "TrainStep",
    "Trainer",
    "Unsupported",
    "Usage",
    "VectorIndex",
    "VerifyReport",
    "VersionMismatch",
    "__version__",
    "chunk",
    "clean",
    "compare",
    "evaluate",
    "evaluate_answers",
    "evaluate_labels",
    "inspect",
    "new_encoder",
    "read_bytes",
    "read_documents",
]
