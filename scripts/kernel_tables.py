#!/usr/bin/env python3
"""Markdown tables of `octet bench --kernel all --json`, with peers' lines beside them.

usage: scripts/kernel_tables.py KERNELS_JSON [PEERS_LOG]
A line of peers: "NAME N K | M1 12.3us 1.50x 34T | M8 ...", microseconds and speed-up over torch's FP16 in its own run.
"""
import collections
import json
import pathlib
import re
import sys

LINE = re.compile(r"^(\S.*?) (\d+) (\d+) \| (.*)$")
CELL = re.compile(r"M(\d+) ([\d.]+)us ([\d.]+)x")


def peers_of(path):
    """{(kind, "NxK", m): (ratio, name)} of the best peer, kind "w8a8" or "w8a16"."""
    best = {}
    if not path or not pathlib.Path(path).exists():
        return best
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        found = LINE.match(line)
        if not found or found[1] == "fp16":
            continue
        kind = "w8a8" if "W8A8" in found[1] else "w8a16"
        for m, _, ratio in CELL.findall(found[4]):
            key = (kind, f"{found[2]}x{found[3]}", int(m))
            best[key] = max(best.get(key, (0, "")), (float(ratio), found[1]))
    return best


def linear_table(name, timings, peers, copy):
    kind = "w8a8" if name.startswith("w8a8") else name
    print(f"\n### {name}\n")
    print("| N x K | M | µs p50 (p99) | TOPS | weights, % of copy | bound by, % of it | FP16 µs | ratio | best peer |")
    print("|---|---|---|---|---|---|---|---|---|")
    for t in timings:
        n, k = map(int, t["shape"].split("x"))
        weights = n * k * (0.5 if name.startswith("w4") else 1) / t["us_p50"] / 1e-6 / copy
        peer = peers.get((kind, t["shape"], t["m"])) if name != "w8a8 gemm" else None
        print(f"| {t['shape']} | {t['m']} | {t['us_p50']:.1f} ({t['us_p99']:.1f}) | {t['tops']:.0f} | {100 * weights:.0f} "
              f"| {t['bound']}, {100 * t['share_of_bound']:.0f} | {t['fp16_us_p50']:.1f} | {t['ratio_to_fp16']:.2f}x "
              f"| {f'{peer[0]:.2f}x {peer[1]}' if peer else ''} |")


def rows_table(timings):
    print("\n### One pass over memory\n\n| kernel | shape | µs p50 (p99) | TB/s | % of copy |\n|---|---|---|---|---|")
    for t in timings:
        print(f"| {t['kernel']} | {t['shape']} | {t['us_p50']:.1f} ({t['us_p99']:.1f}) | {t['bytes_per_second'] / 1e12:.2f} "
              f"| {100 * t['share_of_bound']:.0f} |")


def main():
    run = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    peers = peers_of(sys.argv[2] if len(sys.argv) > 2 else None)
    print(f"{run['hardware']}; copy {run['copy_bytes_per_second'] / 1e12:.2f} TB/s, FP16 GEMM {run['fp16_tops']:.0f} TFLOP/s")
    linears, rows = collections.defaultdict(list), []
    for t in run["kernels"]:
        (linears[t["kernel"]] if "ratio_to_fp16" in t else rows).append(t)
    for name, timings in linears.items():
        linear_table(name, timings, peers, run["copy_bytes_per_second"])
    if rows:
        rows_table(rows)


if __name__ == "__main__":
    main()
