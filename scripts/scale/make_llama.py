"""Writes a Llama-3-8B-shaped FP16 checkpoint of random weights, one file a block, made on a GPU where there is one.

usage: make_llama.py DIR TOKENIZER_DIR [BLOCKS]

A few channels of every norm are 12 times as large as the others, so that activations have outliers as those of real models
do. The tokenizer of TOKENIZER_DIR may have fewer tokens than the model.
"""
import json
import pathlib
import shutil
import sys

import torch
from safetensors.torch import save_file

HIDDEN, INTERMEDIATE, HEADS, KV_HEADS, HEAD_DIM, VOCAB = 4096, 14336, 32, 8, 128, 128256
OUTLIERS, OUTLIER_FACTOR, DEVIATION = 6, 12, 0.02


class Maker:
    def __init__(self, folder):
        self.folder = folder
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.generator = torch.Generator(device=self.device).manual_seed(1)
        self.places = {}

    def weight(self, rows, columns):
        values = torch.randn(rows, columns, generator=self.generator, device=self.device) * DEVIATION
        return values.half().cpu()

    def norm(self):
        values = 1 + 0.1 * torch.randn(HIDDEN, generator=self.generator, device=self.device)
        channels = torch.randint(0, HIDDEN, (OUTLIERS,), generator=self.generator, device=self.device)
        values[channels] *= OUTLIER_FACTOR
        return values.half().cpu()

    def write(self, file, tensors):
        save_file(tensors, self.folder / file, metadata={"format": "pt"})
        self.places.update(dict.fromkeys(tensors, file))

    def block(self, number):
        prefix = f"model.layers.{number}."
        queries, keys = HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM
        self.write(f"block-{number:03d}.safetensors", {
            prefix + "self_attn.q_proj.weight": self.weight(queries, HIDDEN),
            prefix + "self_attn.k_proj.weight": self.weight(keys, HIDDEN),
            prefix + "self_attn.v_proj.weight": self.weight(keys, HIDDEN),
            prefix + "self_attn.o_proj.weight": self.weight(HIDDEN, queries),
            prefix + "mlp.gate_proj.weight": self.weight(INTERMEDIATE, HIDDEN),
            prefix + "mlp.up_proj.weight": self.weight(INTERMEDIATE, HIDDEN),
            prefix + "mlp.down_proj.weight": self.weight(HIDDEN, INTERMEDIATE),
            prefix + "input_layernorm.weight": self.norm(),
            prefix + "post_attention_layernorm.weight": self.norm(),
        })


def config(blocks):
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "float16",
        "hidden_size": HIDDEN, "intermediate_size": INTERMEDIATE, "num_hidden_layers": blocks,
        "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "head_dim": HEAD_DIM, "vocab_size": VOCAB,
        "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "hidden_act": "silu",
        "tie_word_embeddings": False, "attention_bias": False, "mlp_bias": False, "bos_token_id": 1, "eos_token_id": 2,
    }


def main():
    folder, tokenizer = map(pathlib.Path, sys.argv[1:3])
    blocks = int(sys.argv[3]) if len(sys.argv) > 3 else 32
    folder.mkdir(parents=True, exist_ok=True)
    maker = Maker(folder)
    maker.write("outside.safetensors", {
        "model.embed_tokens.weight": maker.weight(VOCAB, HIDDEN), "lm_head.weight": maker.weight(VOCAB, HIDDEN),
        "model.norm.weight": maker.norm()})
    for number in range(blocks):
        maker.block(number)
    total = sum((folder / file).stat().st_size for file in set(maker.places.values()))
    index = {"metadata": {"total_size": total}, "weight_map": maker.places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text(json.dumps(config(blocks)))
    for file in tokenizer.glob("tokenizer*.json"):
        shutil.copy(file, folder)
    print(f"{total / 1e9:.2f} GB in {folder}")


if __name__ == "__main__":
    main()
