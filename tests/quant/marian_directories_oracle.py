"""Logits of MarianMTModel directories by transformers.

marian_directories_oracle.py BATCH OUT DIR...    BATCH: safetensors with ids, mask and target_ids; OUT: logits by directory
                                                 name. Prints how many linear inputs of each are quantized.
"""
import json
import os
import pathlib
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from transformers import MarianMTModel  # noqa: E402

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
from transformers_oracle import count_quantized_inputs  # noqa: E402

torch.set_num_threads(1)
batch = load_file(sys.argv[1])
found, counts = {}, {}
for directory in sys.argv[3:]:
    name = pathlib.Path(directory).name
    model = MarianMTModel.from_pretrained(directory, dtype=torch.float32).eval()
    if not model.config.tie_word_embeddings:
        # transformers 5.23 then unties the encoder's and the decoder's table, too, and wants copies that octet does not write.
        for side in (model.model.encoder, model.model.decoder):
            side.embed_tokens.weight.data.copy_(model.model.shared.weight)
    counts[name] = count_quantized_inputs(model)
    with torch.no_grad():
        found[name] = model(input_ids=batch["ids"], attention_mask=batch["mask"],
                            decoder_input_ids=batch["target_ids"]).logits.contiguous()
save_file(found, sys.argv[2])
print(json.dumps(counts))
