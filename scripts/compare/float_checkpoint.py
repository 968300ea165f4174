"""Writes a Llama checkpoint of random normal weights (no grid of an earlier quantization) with another model's tokenizer.

usage: float_checkpoint.py MODEL_DIR OUT_DIR    (MODEL_DIR gives config.json and the tokenizer)
"""

import sys

import torch
from transformers import AutoConfig, AutoTokenizer, LlamaForCausalLM

source, out = sys.argv[1:]
torch.manual_seed(0)
LlamaForCausalLM(AutoConfig.from_pretrained(source)).half().save_pretrained(out)
AutoTokenizer.from_pretrained(source).save_pretrained(out)
