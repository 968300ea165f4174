"""Prints octet's KL divergence beside llm-compressor's and writes both to a JSON file.

usage: table.py WORK_DIR OUT_JSON    (WORK_DIR as filled by scripts/compare/run)
"""

import json
import pathlib
import sys

SCHEMES = ["w8a16", "w8a8-dynamic", "w8a8-static", "w4a16-g64"]


def figures(path):
    result = json.loads(path.read_text())
    return {"perplexity": result["perplexity"], "kl_mean": result["kl"]["mean"]}


def main():
    work, out = map(pathlib.Path, sys.argv[1:])
    rows = {}
    print(f"{'scheme':<14}{'KL llm-compressor':>18}{'KL octet':>12}{'ratio':>8}{'ppl llm-compressor':>20}{'ppl octet':>11}")
    for scheme in SCHEMES:
        peer, ours = (figures(work / f"{who}-{scheme}.json") for who in ("llmcompressor", "octet"))
        ratio = ours["kl_mean"] / peer["kl_mean"]
        rows[scheme] = {"llmcompressor": peer, "octet": ours, "kl_ratio": ratio}
        print(f"{scheme:<14}{peer['kl_mean']:>18.5f}{ours['kl_mean']:>12.5f}{ratio:>8.3f}"
              f"{peer['perplexity']:>20.4f}{ours['perplexity']:>11.4f}")
    absmax = figures(work / "octet-w4a16-g64-absmax.json")
    rows["w4a16-g64"]["octet_absmax"] = absmax
    print(f"w4a16-g64: KL of clip search / KL of round-to-nearest {rows['w4a16-g64']['kl_ratio']:.3f} (llm-compressor's), "
          f"{rows['w4a16-g64']['octet']['kl_mean'] / absmax['kl_mean']:.3f} (octet's)")
    text = json.dumps({"llmcompressor": "0.14.0.1", "calibration": {"samples": 32, "length": 512},
                       "evaluation": {"windows": 12, "length": 1024}, "schemes": rows}, indent=2)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text + "\n")


if __name__ == "__main__":
    main()
