"""Small random models of every family, saved by transformers, with what it computes from them.

families_oracle.py make FOLDER     FOLDER/CASE/ (a checkpoint), CASE.safetensors (ids, logits), CASE.gguf
families_oracle.py count CONFIG...  parameters of each config.json, on the meta device
"""
import json
import os
import pathlib
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import gguf  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from transformers import AutoConfig, AutoModelForCausalLM  # noqa: E402

SIZES = dict(vocab_size=96, hidden_size=48, intermediate_size=80, num_hidden_layers=3, num_attention_heads=6,
             num_key_value_heads=2, max_position_embeddings=128, rms_norm_eps=1e-5)
PLAIN = {"rope_type": "default", "rope_theta": 10000.0}
STRETCHED = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 32.0, "low_freq_factor": 1.0,
             "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
SHORT = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 4.0, "low_freq_factor": 1.5,
         "high_freq_factor": 6.0, "original_max_position_embeddings": 64}
# name: (config class, differences, dtype, architecture of the GGUF file or None)
CASES = {
    "llama": ("LlamaConfig", dict(rope_parameters=PLAIN), torch.float32, "LLAMA"),
    "llama_biases": ("LlamaConfig", dict(rope_parameters=PLAIN, attention_bias=True, mlp_bias=True,
                                         tie_word_embeddings=True), torch.float32, "LLAMA"),
    "llama3": ("LlamaConfig", dict(rope_parameters=STRETCHED, head_dim=16), torch.float32, "LLAMA"),
    "llama3_short": ("LlamaConfig", dict(rope_parameters=SHORT, head_dim=16, tie_word_embeddings=True),
                     torch.bfloat16, None),
    "mistral": ("MistralConfig", dict(rope_parameters=PLAIN, sliding_window=None), torch.bfloat16, None),
    "mistral_window": ("MistralConfig", dict(rope_parameters=PLAIN, sliding_window=7, tie_word_embeddings=True),
                       torch.float32, None),
    "qwen2": ("Qwen2Config", dict(rope_parameters=PLAIN), torch.float32, "QWEN2"),
    "qwen2_tied": ("Qwen2Config", dict(rope_parameters=PLAIN, tie_word_embeddings=True), torch.bfloat16, None),
    "qwen3": ("Qwen3Config", dict(rope_parameters=PLAIN, head_dim=12, tie_word_embeddings=True), torch.float32,
              "QWEN3"),
    "qwen3_half": ("Qwen3Config", dict(rope_parameters=PLAIN, head_dim=16, attention_bias=True), torch.float16, None),
}


def randomize(model):
    """Norms around 1 and biases away from 0, so that each of them matters."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.normal_(1, 0.3)
            elif name.endswith("bias"):
                parameter.normal_(0, 0.5)
            elif "embed" in name:
                parameter.normal_(0, 1)
            else:
                parameter.normal_(0, 1.5 * parameter.shape[1] ** -0.5)


def interleaved(weight, heads):
    """Rows of query and key as llama.cpp's converter orders them (LlamaModel.permute)."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def write_gguf(model, arch, path):
    config = model.config
    writer = gguf.GGUFWriter(path, arch.lower())
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[arch], config.num_hidden_layers)
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        array = tensor.float().numpy()
        if arch == "LLAMA" and (".q_proj." in name or ".k_proj." in name):
            array = interleaved(array, array.shape[0] // head_dim)
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight", ".bias")), array)
    if config.rope_parameters["rope_type"] == "llama3":
        plain = config.rope_parameters["rope_theta"] ** -(torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
        factors = plain / model.model.rotary_emb.inv_freq.double()
        writer.add_tensor("rope_freqs.weight", factors.float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def make(folder):
    folder = pathlib.Path(folder)
    for seed, (case, (kind, differences, dtype, arch)) in enumerate(CASES.items()):
        torch.manual_seed(seed)
        config = getattr(transformers, kind)(**{**SIZES, **differences})
        model = AutoModelForCausalLM.from_config(config)
        randomize(model)
        model.to(dtype).save_pretrained(folder / case)
        model = AutoModelForCausalLM.from_pretrained(folder / case, dtype=torch.float32).eval()
        ids = torch.randint(0, config.vocab_size, (2, 40))
        with torch.no_grad():
            logits = model(ids).logits
        save_file({"ids": ids, "logits": logits.contiguous()}, folder / f"{case}.safetensors")
        if arch is not None:
            write_gguf(model, arch, folder / f"{case}.gguf")
    print(json.dumps(list(CASES)))


def count(*paths):
    counts = {}
    for path in paths:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(path))
        counts[pathlib.Path(path).stem] = sum(p.numel() for p in model.parameters())
    print(json.dumps(counts))


if __name__ == "__main__":
    {"make": make, "count": count}[sys.argv[1]](*sys.argv[2:])
