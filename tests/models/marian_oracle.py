"""Small random MarianMTModels saved by transformers, with what it computes from them.

marian_oracle.py FOLDER    FOLDER/CASE/ (a checkpoint) and FOLDER/CASE.safetensors: ids, mask, target_ids, logits, and the
                           outputs of generate() as padded ids with a length each (greedy, beam, ...)
"""
import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import MarianConfig, MarianMTModel
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()
torch.set_num_threads(1)
SENTENCES, VOCAB, EOS, PAD = 200, 61, 0, 60
CASES = {
    "relu": dict(activation_function="relu", scale_embedding=False, decoder_layers=1, dtype=torch.float32),
    "deep": dict(activation_function="relu", scale_embedding=True, dtype=torch.float32),
    "swish": dict(activation_function="swish", scale_embedding=True, decoder_layers=1, dtype=torch.float16),
}
SEEDS = {"relu": 5, "swish": 5, "deep": 1}  # the first two end sentences at many lengths
SEARCHES = {
    "greedy": dict(num_beams=1),
    "beam": dict(num_beams=4),
    "early": dict(num_beams=4, early_stopping=True, length_penalty=0.6),
    "long": dict(num_beams=3, length_penalty=1.5, renormalize_logits=True),
}


def make(name, folder):
    torch.manual_seed(SEEDS[name])
    options = dict(vocab_size=VOCAB, d_model=32, encoder_layers=2, decoder_layers=3, encoder_ffn_dim=48, decoder_ffn_dim=48,
                   encoder_attention_heads=4, decoder_attention_heads=4, max_position_embeddings=64, eos_token_id=EOS,
                   pad_token_id=PAD, decoder_start_token_id=PAD, forced_eos_token_id=EOS, dropout=0.1)
    case = dict(CASES[name])
    dtype = case.pop("dtype")
    model = MarianMTModel(MarianConfig(**{**options, **case})).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "norm" in key:
                parameter.normal_(1, 0.3)
            elif "embed_positions" not in key:
                parameter.normal_(0, 0.3 if key.endswith("bias") else 1 if "shared" in key else 2 * parameter.shape[-1] ** -0.5)
        # Signs at random: else a token's own embedding in the stream makes it repeat itself.
        model.model.decoder.layers[-1].final_layer_norm.weight.normal_(0, 0.5)
        model.final_logits_bias.normal_(0, 0.5)
        model.final_logits_bias[0, EOS] = 7
    model.generation_config.bad_words_ids = [[PAD]]
    model.generation_config.max_length = 24
    model.to(dtype).save_pretrained(folder / name)
    return MarianMTModel.from_pretrained(folder / name, dtype=torch.float32).eval()


def padded(outputs):
    """generate()'s rows without the start token, ended behind the first EOS; and their lengths."""
    outputs = outputs[:, 1:].clone()
    lengths = []
    for row in outputs:
        ends = (row == EOS).nonzero()
        lengths.append(int(ends[0]) + 1 if len(ends) else len(row))
    return outputs.contiguous(), torch.tensor(lengths)


def main(folder):
    for name in CASES:
        model = make(name, folder)
        lengths = torch.randint(1, 14, (SENTENCES,))
        ids = torch.randint(1, PAD, (SENTENCES, 14))
        mask = torch.arange(14)[None] < lengths[:, None]
        ids[~mask] = PAD
        target = torch.randint(1, PAD, (SENTENCES, 9))
        data = {"ids": ids, "mask": mask.long(), "target_ids": target}
        with torch.no_grad():
            data["logits"] = model(input_ids=ids, attention_mask=mask.long(), decoder_input_ids=target).logits
            for search, options in SEARCHES.items():
                data[search], data[search + ".lengths"] = padded(
                    model.generate(input_ids=ids, attention_mask=mask.long(), **options))
        save_file(data, folder / f"{name}.safetensors")


main(pathlib.Path(sys.argv[1]))
