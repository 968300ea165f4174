"""What transformers makes of a directory: logits of some ids, or perplexity over windows of ids.

transformers_oracle.py logits DIR IDS.json LOGITS.safetensors
transformers_oracle.py perplexity DIR WINDOWS.json
"""
import json
import math
import os
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402


def load(directory):
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    return model.eval()


def logits(directory, ids_path, ours_path):
    ids = torch.tensor([json.load(open(ids_path))])
    with torch.no_grad():
        expected = load(directory)(ids).logits[0]
    ours = load_file(ours_path)["logits"]
    worst = (ours - expected).abs().max().item()
    print(json.dumps({"worst": worst, "tokens": ids.shape[1], "scale": expected.abs().max().item()}))


def count_quantized_inputs(model):
    """Wraps compressed-tensors' forward_quantize-based linears and counts inputs that it changes."""
    counts = {"linears": 0, "changed": 0}

    def hook(module, args, output):
        scheme = getattr(module, "quantization_scheme", None)
        if scheme is None:
            return
        counts["linears"] += 1
        if scheme.input_activations is None:
            return
        plain = torch.nn.functional.linear(args[0], module.weight, module.bias)
        if not torch.equal(plain, output):
            counts["changed"] += 1

    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_hook(hook)
    return counts


def perplexity(directory, windows_path):
    windows = json.load(open(windows_path))
    model = load(directory)
    counts = count_quantized_inputs(model)
    losses, positions = [], 0
    with torch.no_grad():
        for window in windows:
            ids = torch.tensor([window])
            out = model(ids).logits[0, :-1]
            losses.append(torch.nn.functional.cross_entropy(out, ids[0, 1:], reduction="sum").item())
            positions += len(window) - 1
    print(json.dumps({"perplexity": math.exp(sum(losses) / positions), "losses": losses, **counts}))


if __name__ == "__main__":
    {"logits": logits, "perplexity": perplexity}[sys.argv[1]](*sys.argv[2:])
