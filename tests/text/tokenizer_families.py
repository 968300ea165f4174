"""Trains a small tokenizer of a published family. Usage: tokenizer_families.py DIR FAMILY; writes DIR/tokenizer.json.

Normalizer, pre-tokenizer, post-processor, decoder and the flags of the added tokens are those of the published files.
"""
import json
import pathlib
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import tokenizer_lines

WORDS = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
V3_WORDS = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"""
            r"|\s*[\r\n]+|\s+(?!\S)|\s+")
BOS, EOS = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"


def split(pattern):
    return pre_tokenizers.Split(Regex(pattern), "isolated", invert=False)


def chain(*steps, use_regex=False):
    return pre_tokenizers.Sequence([*steps, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)])


def plain(*contents, **flags):
    return [AddedToken(content, normalized=False, special=False, **flags) for content in contents]


def special(*contents):
    return [AddedToken(content, normalized=False, special=True) for content in contents]


LLAMA = special("<|begin_of_text|>", "<|end_of_text|>", *(f"<|reserved_special_token_{i}|>" for i in range(9)), "<|eot_id|>")
DEEPSEEK = [AddedToken(EOS, normalized=True, special=True), *plain("<｜User｜>", "<｜Assistant｜>"),
            AddedToken(BOS, normalized=True, special=True), *plain("<think>", "</think>"),
            AddedToken("A\u030a-token", normalized=True, special=False, single_word=True)]
FAMILIES = {
    "smollm2": (None, chain(pre_tokenizers.Digits(individual_digits=True), use_regex=True),
                special("<|endoftext|>", "<|im_start|>", "<|im_end|>"), None, False),
    "llama3": (None, chain(split(WORDS % "{1,3}")), LLAMA, "<|begin_of_text|>", True),
    "qwen2": (normalizers.NFC(), chain(split(WORDS % "")),
              [*special("<|endoftext|>", "<|im_start|>", "<|im_end|>"), *plain("<tool_call>", rstrip=True)], None, False),
    "deepseek_r1_qwen": (normalizers.NFC(), chain(split(WORDS % "")), DEEPSEEK, BOS, False),
    "deepseek_r1_llama": (None, chain(split(WORDS % "{1,3}")), DEEPSEEK, BOS, True),
    "deepseek_v3": (normalizers.Sequence([]), chain(split(r"\p{N}{1,3}"), split("[一-龥぀-ゟ゠-ヿ]+"), split(V3_WORDS)),
                    DEEPSEEK, BOS, False),
}


def post_processor(tokenizer, bos):
    offsets = processors.ByteLevel(trim_offsets=False)
    if bos is None:
        return offsets
    template = processors.TemplateProcessing(single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1",
                                             special_tokens=[(bos, tokenizer.token_to_id(bos))])
    return processors.Sequence([offsets, template])


def without_some_merges(path):
    """Words that no merge reaches any more: only ignore_merges finds them."""
    tokenizer = json.loads(path.read_text())
    merges = tokenizer["model"]["merges"]
    tokenizer["model"]["merges"] = [pair for i, pair in enumerate(merges) if i % 5 or len("".join(pair)) < 4]
    path.write_text(json.dumps(tokenizer))


def main():
    normalizer, pre_tokenizer, added, bos, ignore_merges = FAMILIES[sys.argv[2]]
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    english = pathlib.Path("/usr/share/common-licenses/GPL-3").read_text().splitlines(keepends=True)
    tokenizer.train_from_iterator([*english, *tokenizer_lines.lines(900)], trainers.BpeTrainer(
        vocab_size=3000, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.add_tokens(added)
    tokenizer.post_processor = post_processor(tokenizer, bos)
    path = pathlib.Path(sys.argv[1]) / "tokenizer.json"
    tokenizer.save(str(path))
    if ignore_merges:
        without_some_merges(path)


main()
