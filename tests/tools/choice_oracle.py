"""Writes FILE, multiple-choice questions whose labels are the answers of transformers. Usage: choice_oracle.py DIR FILE."""
import json
import random
import sys

import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

RNG = random.Random(11)
LETTERS = "abcdefghij klmnop.,é"


def likelihood(model, tokenizer, context, choice):
    """Mean log-likelihood of a byte of the choice."""
    whole = tokenizer(context + choice)["input_ids"]
    before = len(tokenizer(context.rstrip())["input_ids"])
    with torch.no_grad():
        log_probs = model(torch.tensor([whole])).logits[0].log_softmax(-1)
    total = sum(log_probs[i - 1, whole[i]].item() for i in range(before, len(whole)))
    return total / len(choice.encode())


def main():
    directory, path = sys.argv[1:]
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(directory)
    with open(path, "w", encoding="utf-8") as out:
        for _ in range(60):
            context = "q" + "".join(RNG.choices(LETTERS, k=RNG.randint(1, 30))) + RNG.choice(["", " "])
            choices = ["".join(RNG.choices(LETTERS, k=RNG.randint(1, 20))) + "x" for _ in range(RNG.randint(2, 6))]
            scores = [likelihood(model, tokenizer, context, choice) for choice in choices]
            label = scores.index(max(scores))
            out.write(json.dumps({"context": context, "choices": choices, "label": label}, ensure_ascii=False) + "\n")
    print(json.dumps({"written": path}))


main()
