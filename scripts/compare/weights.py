"""Compares two pack-quantized directories of one model, code by code, and each with the float weights.

usage: weights.py MODEL_DIR OURS_DIR THEIRS_DIR [ERROR]

Prints how many codes differ, how many of those are no ties (w / scale further than TIE from a half), and the root mean
square error of ours over theirs, against the float weights. Exit status 1 when a code differs that is no tie or, with ERROR
(for scales that need not be the same), when the ratio is above it.
"""
import pathlib
import sys

import torch
from safetensors.torch import load_file

TIE = 2.0**-9  # of a step: w / scale rounded to float16 below 8


def tensors(directory):
    found = {}
    for file in sorted(pathlib.Path(directory).glob("*.safetensors")):
        found |= load_file(file)
    return found


def unpack(packed, columns):
    """int32 words of 4 or 8 codes, the first in the lowest bits, offset by half the range, as int8 [rows, columns]."""
    bits = 4 if packed.shape[1] * 8 < columns + 8 else 8
    shifts = torch.arange(0, 32, bits, dtype=torch.int64)
    codes = (packed.long().unsqueeze(2) >> shifts) & (2**bits - 1)
    return (codes.flatten(1)[:, :columns] - 2 ** (bits - 1)).to(torch.int8)


def main():
    model, ours, theirs = map(tensors, sys.argv[1:4])
    total = differ = wrong = 0
    error = {"ours": 0.0, "theirs": 0.0}
    same_scales = True
    for name in sorted(ours):
        if not name.endswith(".weight_packed"):
            continue
        base = name.removesuffix("_packed")
        weight = model[base].float()
        codes, scales, steps = {}, {}, {}
        for who, found in (("ours", ours), ("theirs", theirs)):
            codes[who] = unpack(found[name], weight.shape[1])
            scales[who] = found[base + "_scale"].float()
            steps[who] = scales[who].repeat_interleave(weight.shape[1] // scales[who].shape[1], 1)
            error[who] += (codes[who].double() * steps[who].double() - weight.double()).square().sum().item()
        same_scales = same_scales and torch.equal(scales["ours"], scales["theirs"])
        other = codes["ours"] != codes["theirs"]
        away = ((weight.double() / steps["ours"].double()).frac().abs() - 0.5).abs()
        total += other.numel()
        differ += other.sum().item()
        wrong += (other & (away > TIE)).sum().item()
    ratio = (error["ours"] / error["theirs"]) ** 0.5
    print(f"{total} codes, {differ} differ, {wrong} of them no ties; scales {'equal' if same_scales else 'differ'}; "
          f"weight error {ratio:.4f}x")
    failed = ratio > float(sys.argv[4]) if len(sys.argv) > 4 else wrong > 0
    sys.exit(failed or total == 0)


if __name__ == "__main__":
    main()
