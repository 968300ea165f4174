"""Quantizes a Hugging Face model with llm-compressor, for comparison with octet.

RTN weights, one scale an output channel (w4a16-gN: one for N weights); activations per token (dynamic), or per tensor by
minmax (static).
TEXT is read as one string and tokenized once; the first N windows that do not overlap calibrate, as in octet.

usage: llmcompressor_quantize.py MODEL_DIR TEXT OUT_DIR --scheme w8a16|w8a8-dynamic|w8a8-static|w4a16-gN
           [--samples 128] [--length 512]
"""

import argparse
import pathlib

import datasets
import torch
from llmcompressor import oneshot
from llmcompressor.modifiers.quantization import QuantizationModifier
from transformers import AutoModelForCausalLM, AutoTokenizer


def windows(tokenizer, text, samples, length):
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    count = min(samples, len(tokens) // length)
    if count == 0:
        raise SystemExit(f"the text has {len(tokens)} tokens: too few for one window of {length}")
    cut = [tokens[i * length : (i + 1) * length] for i in range(count)]
    return datasets.Dataset.from_dict({"input_ids": cut, "attention_mask": [[1] * length] * count})


def recipe(scheme):
    weights = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "channel"}
    activations = {"num_bits": 8, "type": "int", "symmetric": True}
    if scheme.startswith("w4a16-g"):
        weights |= {"num_bits": 4, "strategy": "group", "group_size": int(scheme.removeprefix("w4a16-g"))}
    inputs = {
        "w8a8-dynamic": activations | {"strategy": "token", "dynamic": True},
        "w8a8-static": activations | {"strategy": "tensor", "dynamic": False, "observer": "minmax"},
    }.get(scheme)
    group = {"targets": ["Linear"], "weights": weights, "input_activations": inputs}
    return QuantizationModifier(config_groups={"group_0": group}, ignore=["lm_head"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("text")
    parser.add_argument("out")
    parser.add_argument("--scheme", required=True)
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--length", type=int, default=512)
    args = parser.parse_args()

    calibrated = args.scheme == "w8a8-static"
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    # FP16 matrix products are slow on a CPU: calibrate in float32. RTN needs no pass at all.
    dtype = torch.float32 if calibrated else torch.float16
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=dtype)
    if calibrated:
        text = pathlib.Path(args.text).read_text(encoding="utf-8")
        data = windows(tokenizer, text, args.samples, args.length)
        oneshot(model=model, dataset=data, recipe=recipe(args.scheme), max_seq_length=args.length,
                num_calibration_samples=len(data), shuffle_calibration_samples=False)
    else:
        oneshot(model=model, recipe=recipe(args.scheme))
    model.half()
    model.save_pretrained(args.out, save_compressed=True)
    tokenizer.save_pretrained(args.out)


if __name__ == "__main__":
    main()
