#!/usr/bin/env python3
"""Tables of what scripts/bench_gpu left in a folder. usage: bench_table.py FOLDER"""

import json
import pathlib
import sys


def result(path):
    """The JSON line of a log, which may hold messages too."""
    lines = [line for line in path.read_text().splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else None


def number(value, digits):
    return "-" if value is None else f"{value:.{digits}f}"


def evaluations(folder):
    print(f"{'eval':34} {'perplexity':>12} {'KL mean':>12} {'same top-1':>10} {'s':>7}")
    for path in sorted(folder.glob("eval-*.log")):
        found = result(path)
        if found is None:
            continue
        scores = found["scores"]
        print(
            f"{path.stem[5:]:34} {number(scores['perplexity'], 6):>12} {number(scores['kl_mean'], 8):>12} "
            f"{number(scores['same_top1'], 5):>10} {number(found['seconds'], 1):>7}"
        )


def benches(folder):
    for path in sorted(folder.glob("bench-*.log")):
        found = result(path)
        if found is None:
            continue
        base = found["runs"][0]
        print(f"{path.stem}: {found['hardware']}, prefill {found['prefill']}, decode {found['decode']}")
        print(f"  {'scheme':14} {'prefill ms':>10} {'ratio':>6} {'decode ms':>10} {'ratio':>6} {'weights MB':>10}")
        for run in found["runs"]:
            prefill, decode = run["prefill_ms"]["p50"], run["decode_ms"]["p50"]
            print(
                f"  {run['scheme']:14} {prefill:10.3f} {base['prefill_ms']['p50'] / prefill:6.2f} {decode:10.3f} "
                f"{base['decode_ms']['p50'] / decode:6.2f} {run['weight_bytes'] / 1e6:10.1f}"
            )


if __name__ == "__main__":
    evaluations(pathlib.Path(sys.argv[1]))
    benches(pathlib.Path(sys.argv[1]))
