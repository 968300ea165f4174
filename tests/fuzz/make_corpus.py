"""Writes the seeds of the fuzzers: small well-formed inputs. make_corpus.py FOLDER

Inputs that fuzzing added to the corpus have names of 40 hex digits and are not made here.
"""
import base64
import json
import pathlib
import struct
import sys
import zlib

CORPUS = pathlib.Path(sys.argv[1])


def put(target, name, data):
    path = CORPUS / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())


def safetensors(header, data):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def seeds_safetensors():
    put("safetensors", "empty", safetensors({}, b""))
    put("safetensors", "two", safetensors({"__metadata__": {"format": "pt"}, "lm_head.weight": entry("F16", [2, 3], 0, 12),
                                           "model.layers.3.self_attn.q_proj.weight": entry("BF16", [1, 2], 12, 16)}, bytes(16)))
    put("safetensors", "fp8", safetensors({"l.0.o_proj.weight": entry("F8_E4M3", [2, 2], 0, 4),
                                           "l.0.o_proj.weight_scale_inv": entry("F32", [1, 1], 4, 8),
                                           "x": entry("F4", [2], 8, 9), "s": entry("I64", [], 9, 17)}, bytes(17)))


def text(value):
    return struct.pack("<Q", len(value)) + value.encode()


def value(key, item):
    """One key of GGUF: text, bool, integer, float or a list of texts or integers."""
    if isinstance(item, str):
        return text(key) + struct.pack("<I", 8) + text(item)
    if isinstance(item, bool):
        return text(key) + struct.pack("<IB", 7, item)
    if isinstance(item, int):
        return text(key) + struct.pack("<II", 4, item)
    if isinstance(item, float):
        return text(key) + struct.pack("<If", 6, item)
    if isinstance(item[0], str):
        return text(key) + struct.pack("<IIQ", 9, 8, len(item)) + b"".join(map(text, item))
    return text(key) + struct.pack("<IIQ", 9, 5, len(item)) + b"".join(struct.pack("<i", i) for i in item)


def gguf(keys, tensors):
    """tensors: name -> (dims, fastest first; type; bytes)."""
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)) + b"".join(value(*item) for item in keys.items())
    data = b""
    for name, (dims, kind, content) in tensors.items():
        out += text(name) + struct.pack("<I", len(dims)) + struct.pack(f"<{len(dims)}Q", *dims)
        out += struct.pack("<IQ", kind, len(data))
        data += content + bytes(-len(content) % 32)
    return out + bytes(-len(out) % 32) + data


def seeds_gguf():
    put("gguf", "empty", gguf({}, {}))
    blocks = {0: (4, 1), 1: (2, 1), 2: (18, 32), 3: (20, 32), 8: (34, 32), 12: (144, 256), 14: (210, 256), 30: (2, 1)}
    put("gguf", "types", gguf({}, {f"t{kind}": ([count], kind, bytes(size)) for kind, (size, count) in blocks.items()}))
    model = {"general.architecture": "llama", "llama.context_length": 64, "llama.embedding_length": 8,
             "llama.feed_forward_length": 8, "llama.block_count": 1, "llama.attention.head_count": 2,
             "llama.attention.head_count_kv": 1, "llama.attention.layer_norm_rms_epsilon": 1e-5,
             "llama.rope.freq_base": 1e4, "llama.rope.dimension_count": 4, "tokenizer.ggml.model": "gpt2",
             "tokenizer.ggml.pre": "smollm", "tokenizer.ggml.tokens": ["a", "b", "ab", "<s>"],
             "tokenizer.ggml.token_type": [1, 1, 1, 3], "tokenizer.ggml.merges": ["a b"],
             "tokenizer.ggml.bos_token_id": 3, "tokenizer.ggml.add_bos_token": True}
    table = {"token_embd.weight": ([8, 4], 0, bytes(128))}
    put("gguf", "llama", gguf(model, table))
    put("gguf", "llama3", gguf(model, {**table, "rope_freqs.weight": ([2], 0, struct.pack("<2f", 1, 8))}))
    qwen = {key.replace("llama.", "qwen3."): item for key, item in model.items() if "dimension_count" not in key}
    put("gguf", "qwen3", gguf({**qwen, "general.architecture": "qwen3", "qwen3.attention.key_length": 8,
                               "general.alignment": 32, "qwen3.rope.scaling.type": "yarn"}, table))


SIZES = dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
             head_dim=4, vocab_size=4, max_position_embeddings=64, rms_norm_eps=1e-5, hidden_act="silu")


def seeds_config():
    llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
              "original_max_position_embeddings": 8192}
    put("config", "llama", {**SIZES, "architectures": ["LlamaForCausalLM"], "model_type": "llama", "rope_theta": 1e4,
                            "rope_scaling": llama3, "torch_dtype": "bfloat16", "eos_token_id": [1, 2]})
    put("config", "qwen3", {**SIZES, "model_type": "qwen3", "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
                            "dtype": "float16", "use_sliding_window": False, "tie_word_embeddings": True})
    put("config", "mistral", {**SIZES, "architectures": ["MistralForCausalLM"], "model_type": "mistral",
                              "rope_theta": 1e4, "sliding_window": 16, "quantization_config": {}})
    put("config", "yarn", {**SIZES, "model_type": "qwen2", "rope_theta": 1e4, "rope_scaling": {"type": "yarn", "factor": 4}})


def seeds_tokenizer():
    vocab = {token: i for i, token in enumerate(["H", "e", "l", "o", "\u0120", "ll", "He", "1", "."])}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "vocab": vocab,
             "merges": ["l l", ["H", "e"]]}
    plain = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
             "pre_tokenizer": level, "post_processor": None, "decoder": level, "model": model}
    put("tokenizer", "plain", plain)
    token = {"id": 9, "content": "<|a|>", "single_word": False, "lstrip": True, "rstrip": False, "normalized": False,
             "special": True}
    pattern = r"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+(?!\S)|\s+"
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    template = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<|a|>", "type_id": 0}},
                                                         {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"<|a|>": {"id": "<|a|>", "ids": [9], "tokens": ["<|a|>"]}}}
    full = {**plain, "added_tokens": [token], "normalizer": {"type": "NFC"}, "post_processor": template,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, {"type": "Digits", "individual_digits": True},
                                                                    {**level, "use_regex": False}]},
            "model": {**model, "ignore_merges": True, "unk_token": "H"}}
    put("tokenizer", "full", full)
    put("tokenizer", "split", {**plain, "normalizer": None, "pre_tokenizer": {
        **split, "pattern": {"String": "l"}, "behavior": "MergedWithNext", "invert": True}})


def number(item):
    """As Values::integer and Values::real read it."""
    if isinstance(item, float):
        return bytes([int(item * 16)]) if item * 16 == int(item * 16) < 250 else b"\xff" + struct.pack("<d", item)
    return bytes([item + 4]) if -4 <= item < 246 else b"\xff" + struct.pack("<q", item)


def short(item):
    return bytes([len(item)]) + item.encode()


def histogram(bins, total, absmax):
    out = b"\0" + bytes([len(bins)]) + b"".join(bytes([i // 8, i % 8]) + number(n) for i, n in bins.items())
    return out + number(0) + number(total) + number(1) + number(absmax) + number(2.0 ** -10)


def seeds_store():
    head = b"\0" + short("{}") + number(1) + number(1) + number(0) + number(1) + b"\1" + number(0)
    site = short("layers.0.fc") + b"\x0f" + histogram({1024: 2, 512: 4}, 6, 1.0) + histogram({1024: 2, 512: 1}, 3, 1.0)
    site += b"\2" + number(1.0) + number(0.5) + number(2.5)
    put("store", "empty", head + number(0) + b"\0")
    put("store", "site", head + number(1) + b"\1" + site)


def catalogue(messages, charset, order="<"):
    header = f"Content-Type: text/plain; charset={charset}\n".encode()
    items = sorted({b"": header, **messages}.items())
    count, texts, tables = len(items), b"", b""
    for text_of in (0, 1):
        for item in items:
            tables += struct.pack(order + "2I", len(item[text_of]), 28 + 16 * count + len(texts))
            texts += item[text_of] + b"\0"
    return struct.pack(order + "7I", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, 28 + 16 * count) + tables + texts


def seeds_mo():
    messages = {b"Open _File": "_Datei \u00f6ffnen".encode(), b"menu\4Save &As...": b"Speichern &unter ...",
                b"one file\0%d files": b"eine Datei\0%d Dateien",
                b"cannot open '%s'\n\nTry <b>--help</b> or {name} or $HOME &amp; more.":
                b"'%s' geht nicht auf\n\n<b>--help</b> oder {name} oder $HOME &amp; mehr."}
    put("mo", "little", catalogue(messages, "UTF-8"))
    put("mo", "big", catalogue({b"Open it": "\u00d6ffne es".encode("latin1")}, "ISO-8859-15", ">"))
    put("mo", "unknown", catalogue({b"Open it": b"Auf"}, "UTF-7"))


def seeds_idx():
    images = struct.pack(">HBB3I", 0, 8, 3, 2, 1, 2) + b"abcd"
    put("idx", "gray", bytes([len(images)]) + images + struct.pack(">HBBI", 0, 8, 1, 2) + b"\1\0")
    images = struct.pack(">HBB4I", 0, 8, 4, 1, 1, 1, 3) + b"abc"
    put("idx", "coloured", bytes([len(images)]) + images + struct.pack(">HBBI", 0, 8, 1, 1) + b"\0")


def png(width, height, depth, kind, rows, extra=b"", interlaced=0):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">2I5B", width, height, depth, kind, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


GRAY_JPEG = """/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAKBueIx4ZKCMgoy0qqC+8P//8Nzc8P//////////////////////////////////////////////////
////////wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAv/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AL//Z"""


def seeds_image():
    palette = b"PLTE\1\2\3\7\x08\x09"
    palette = struct.pack(">I", 6) + palette + struct.pack(">I", zlib.crc32(palette))
    put("image", "gray.png", png(2, 2, 8, 0, b"\0ab\0cd"))
    put("image", "colours.png", png(2, 1, 8, 2, b"\0abc\0def", interlaced=1))
    put("image", "palette.png", png(2, 1, 1, 3, b"\0\x40", palette))
    put("image", "deep.png", png(1, 1, 16, 6, b"\0abcdefgh"))
    put("image", "gray.jpg", base64.b64decode(GRAY_JPEG))


for seeds in (seeds_safetensors, seeds_gguf, seeds_config, seeds_tokenizer, seeds_store, seeds_mo, seeds_idx, seeds_image):
    seeds()
