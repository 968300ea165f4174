"""The published range searches in numpy, held against octet's answers on the same histograms.

The entropy search restates _compute_amax_entropy of ModelOpt / pytorch-quantization step by step (bins 0
and 1, levels by linspace and digitize, division by non-empty bins, the clipped tail in the reference alone,
scipy's entropy, the last of equals). octet's adaptation: the histogram ends with the bin of the
maximum, and the last edge is the maximum.
"""
import json
import sys

import numpy as np


def kl(p, q):
    """scipy.stats.entropy(p, q): both normalised, infinite where q is 0 and p is not.

    Where all of q is 0 scipy gives NaN, which the published argmin then picks; octet counts it as infinite.
    """
    if q.sum() == 0:
        return np.inf
    p = p / p.sum()
    q = q / q.sum()
    on = p > 0
    if np.any(q[on] == 0):
        return np.inf
    return float(np.sum(p[on] * np.log(p[on] / q[on])))


def entropy(counts, start=128, levels=128):
    bins = np.array(counts, dtype=np.float64)
    bins[0] = bins[1]
    found = {}
    for i in range(start, len(bins) + 1):
        digitized = np.digitize(np.arange(i), np.linspace(0, i, num=levels + 1)) - 1
        digitized[bins[:i] == 0] = -1
        on = digitized != -1
        sums = np.bincount(digitized[on], weights=bins[:i][on], minlength=levels)
        filled = np.bincount(digitized[on], minlength=levels)
        density = sums / np.maximum(filled, 1)
        new = np.where(on, density[digitized], 0.0)
        reference = bins[:i].copy()
        reference[-1] += bins[i:].sum()
        found[i] = kl(reference, new)
    values = np.array(list(found.values()))
    last = len(values) - 1 - int(np.argmin(values[::-1]))
    return last + start, found


def mse(counts, width, absmax):
    centres = (np.arange(len(counts)) + 0.5) * width
    weights = np.array(counts, dtype=np.float64)
    ranges = [min(i * width, absmax) for i in range(128, len(counts) + 1)]
    errors = [
        float(np.sum(weights * (np.clip(np.round(centres / (r / 127)), -127, 127) * (r / 127) - centres) ** 2))
        for r in ranges
    ]
    return ranges, errors


def close(value, least):
    return value <= least + 1e-9 * abs(least) + 1e-12


def check(case):
    counts = case["counts"][: case["used"]]
    width, absmax = case["width"], case["absmax"]
    assert sum(case["counts"][case["used"]:]) == 0
    edges = [min(i * width, absmax) for i in range(len(counts) + 1)]

    best, divergences = entropy(counts)
    ours = edges.index(case["entropy"])
    same = case["entropy"] == edges[best]
    assert same or close(divergences[ours], divergences[best]), (ours, best)

    ranges, errors = mse(counts, width, absmax)
    assert close(errors[ranges.index(case["mse"])], min(errors)), case["mse"]

    cumulative = (np.cumsum(counts) + case["zeros"]) / (sum(counts) + case["zeros"])
    at = int(np.searchsorted(cumulative, 0.999))
    assert case["percentile"] == edges[at + 1], (case["percentile"], at)
    return same


cases = [json.loads(line) for line in open(sys.argv[1])]
exact = sum(check(case) for case in cases)
assert len(cases) == 6 and exact >= 5, exact
print(f"{len(cases)} histograms, {exact} entropy ranges equal to the bin")
