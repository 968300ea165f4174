"""Quantized directories of a small random Llama, by the Python packages, and what transformers makes of directories.

compressed_tensors_oracle.py float OUT                  the float model alone
compressed_tensors_oracle.py write FLOAT OUT            OUT/CASE for each of CASES, by compressed-tensors
compressed_tensors_oracle.py llmcompressor FLOAT OUT    OUT/CASE for some of them, by llm-compressor (RTN)
compressed_tensors_oracle.py logits IDS OUT DIR...      OUT.safetensors: logits of each directory, by its name
"""
import json
import os
import pathlib
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch  # noqa: E402
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM  # noqa: E402

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "tools"))


def weights(bits, strategy, group=None):
    return {"num_bits": bits, "type": "int", "symmetric": True, "strategy": strategy, "group_size": group}


DYNAMIC = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "token", "dynamic": True}
STATIC = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "tensor", "dynamic": False}


def group(targets, weight_args, inputs=None, storage=None):
    return {"targets": targets, "weights": weight_args, "input_activations": inputs, "format": storage}


def one(*args):
    return {"config_groups": {"group_0": group(["Linear"], *args)}, "ignore": ["lm_head"]}


CASES = {
    "w8a8-dynamic": one(weights(8, "channel"), DYNAMIC),
    "w8a8-static": one(weights(8, "channel"), STATIC),
    "naive-tensor": one(weights(8, "tensor"), DYNAMIC, "naive-quantized"),
    "w8a16": one(weights(8, "channel")),
    "w8a16-g32": one(weights(8, "group", 32)),
    "w4a16": one(weights(4, "channel")),
    "w4a16-g32": one(weights(4, "group", 32)),
    "int4-unpacked": one(weights(4, "group", 16), None, "naive-quantized"),
    "head": {"config_groups": {"group_0": group(["Linear"], weights(8, "channel"))}, "ignore": []},
    "mixed": {
        "config_groups": {
            "group_0": group([r"re:.*\.mlp\.(gate|up)_proj$", "model.layers.1.mlp.down_proj"],
                             weights(4, "group", 32)),
            "group_1": group(["Linear"], weights(8, "channel"), DYNAMIC),
        },
        "ignore": ["re:lm_.*", "model.layers.1.self_attn.o_proj"],
    },
}


def write_float(out):
    torch.manual_seed(7)
    config = LlamaConfig(hidden_size=64, intermediate_size=160, num_hidden_layers=2, num_attention_heads=4,
                         num_key_value_heads=2, vocab_size=96, max_position_embeddings=64, rms_norm_eps=1e-5,
                         initializer_range=0.2, tie_word_embeddings=False)
    LlamaForCausalLM(config).float().save_pretrained(out)


def set_scales(module):
    """Minmax scales of the weight and, where they are static, of inputs up to 6."""
    from compressed_tensors.quantization.utils import calculate_qparams

    args = module.quantization_scheme.weights
    size = {"tensor": module.weight.numel(), "channel": module.weight.shape[1], "group": args.group_size}
    rows = module.weight.detach().reshape(-1, size[args.strategy])
    scale, _ = calculate_qparams(rows.amin(1), rows.amax(1), args)
    module.weight_scale.data.copy_(scale.reshape(module.weight_scale.shape))
    inputs = module.quantization_scheme.input_activations
    if inputs is not None and not inputs.dynamic:
        module.input_scale.data.fill_(6 / 127.5)


def write(source, out, case):
    from compressed_tensors.compressors import ModelCompressor
    from compressed_tensors.quantization import QuantizationConfig, apply_quantization_config

    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float16)
    apply_quantization_config(model, QuantizationConfig(**CASES[case], quantization_status="frozen"))
    for module in model.modules():
        if getattr(module, "quantization_scheme", None) is not None:
            set_scales(module)
    compressor = ModelCompressor.from_pretrained_model(model)
    compressor.compress_model(model)
    model.save_pretrained(out)
    compressor.update_config(out)


def write_llmcompressor(source, out, case):
    from llmcompressor import oneshot
    from llmcompressor.modifiers.quantization import QuantizationModifier

    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    oneshot(model=model, recipe=QuantizationModifier(**CASES[case]))
    model.save_pretrained(out, save_compressed=True)


def logits(ids_path, out, directories):
    from safetensors.torch import save_file
    from transformers_oracle import count_quantized_inputs

    ids = torch.tensor([json.load(open(ids_path))])
    found, counts = {}, {}
    for directory in directories:
        name = pathlib.Path(directory).name
        model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
        counts[name] = count_quantized_inputs(model)
        with torch.no_grad():
            found[name] = model(ids).logits[0].contiguous()
    save_file(found, out)
    print(json.dumps(counts))


def main():
    verb, *rest = sys.argv[1:]
    if verb == "float":
        write_float(*rest)
    elif verb == "write":
        for case in CASES:
            write(rest[0], pathlib.Path(rest[1]) / case, case)
    elif verb == "llmcompressor":
        for case in ("w8a8-dynamic", "w8a16", "w4a16-g32", "mixed"):
            write_llmcompressor(rest[0], pathlib.Path(rest[1]) / case, case)
    else:
        logits(rest[0], rest[1], rest[2:])
        return
    print("{}")


if __name__ == "__main__":
    main()
