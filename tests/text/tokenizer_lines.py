"""Oracle of the tokenizer tests. Writes DIR/lines.bin and DIR/expected.bin: texts and what Python's tokenizers makes of them.

Usage: tokenizer_lines.py DIR COUNT. Uses DIR/tokenizer.json. Records: u32 length + UTF-8 bytes in lines.bin;
u32 count + i32 ids + u32 length + the decoded text in expected.bin. Fixed seed. Below 1000 lines the sweep over all characters is left out.
"""
import random
import struct
import sys
import unicodedata

from tokenizers import Tokenizer

RNG = random.Random(20240611)
BLOCKS = [(0x20, 0x7E), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF), (0x590, 0x5FF),
          (0x600, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F), (0x1100, 0x11FF), (0x1680, 0x169C), (0x1800, 0x18AA),
          (0x2000, 0x206F), (0x2070, 0x209C), (0x2150, 0x218B), (0x2460, 0x24FF), (0x3000, 0x30FF),
          (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xE000, 0xE0FF), (0xFE00, 0xFEFF), (0xFF00, 0xFFEF),
          (0x10000, 0x1FFFF), (0x1F300, 0x1FAFF), (0x20000, 0x323AF), (0x10FF00, 0x10FFFF)]
WORDS = """the of and to in a is that it's we'll I'd you're they've don't can't O'Neil 'sup 'S 'LL naïve façade Straße
    ſ's İstanbul ὈΔΥΣΣΕΎΣ Москва 東京 서울 עברית العربية हिन्दी ไทย e\u0301 o\u0308\u0323 ﬁ Ⅷ ½ ² ٣٤ ১২ 𝟘𝟙 x² H₂O""".split()
CODE = ["def f(x):\n\treturn x**2\n", "for(int i=0;i<n;++i){a[i]+=b;}\r\n", "#include <vector>\n", "SELECT * FROM t;",
        "\\begin{x}$\\alpha_1$", "{\"k\": [1, 2.5e-3, null]}", "https://a.example/b?c=d&e=%20f", "0xDEADBEEF", "a_b__c"]
EMOJI = ["👩‍👩‍👧‍👦", "👍🏽", "🏳️‍🌈", "🇩🇪🇫🇷", "❤️", "👨🏿‍🚀", "1️⃣", "🫠", "🫨"]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<reponame>", "<file_sep>", "<empty_output>",
           "<|im_start", "|im_end|>", "<mask>", " <mask> ", "\u3000<mask>", "word", " word ", "words", "é" + "word", "<pad>\n ", "<|im_start|><|im_end|>", "<|endoftext|",
           "<|begin_of_text|>", "<|eot_id|>", " <|reserved_special_token_7|>\n", "<｜begin▁of▁sentence｜>", "<｜User｜>hi<｜Assistant｜>",
           "<think>\n", "</think>", "<tool_call>", "Å-token", "A\u030a-token", "\u212b-token", "xÅ-tokeny"]
SPACES = [" ", "  ", "   \t", "\t\t", "\n", "\n\n\n", "\r\n", "\r", " \n ", "\u00a0", "\u2003", "\u3000", "\u180e",
          "\u200b", "\u2028", "\u0085", "\x0b\x0c", "\x1c", "\x1f", "\x00", "\x07", "\x1b[0m", "\ufeff", "\u202f"]


def char():
    while True:
        low, high = RNG.choice(BLOCKS) if RNG.random() < 0.97 else (0, 0x10FFFF)
        code = RNG.randint(low, high)
        if not 0xD800 <= code < 0xE000:
            return chr(code)


# What form C changes, or changes the neighbours of: precomposed characters, marks, Hangul.
FORM_C = [chr(c) for c in range(0x300, 0x30000)
          if unicodedata.combining(chr(c)) or unicodedata.normalize("NFD", chr(c)) != chr(c)
          or unicodedata.category(chr(c)) == "Mc" or 0x1100 <= c < 0x1200]


def joined():
    return "".join(RNG.choice([RNG.choice(FORM_C), RNG.choice("eAoсक가ᄀ")]) for _ in range(RNG.randint(1, 12)))


def long_word():
    return "".join(RNG.choice(["ab", "x", "é", "7", "漢", "ing", "_"]) for _ in range(3)) * RNG.randint(20, 300)


MAKERS = [(6, lambda: RNG.choice(WORDS)), (3, lambda: " " + RNG.choice(WORDS)), (2, lambda: RNG.choice(SPACES)),
          (1, lambda: RNG.choice(SPACES) * RNG.randint(1, 9)), (1, lambda: RNG.choice(CODE)),
          (1, lambda: RNG.choice(EMOJI)), (1, lambda: RNG.choice(SPECIAL)),
          (1, lambda: str(RNG.randint(0, 10 ** RNG.randint(1, 20)))),
          (3, lambda: "".join(char() for _ in range(RNG.randint(1, 8)))),
          (1, lambda: RNG.choice("e oAи") + chr(RNG.randint(0x300, 0x36F)) * RNG.randint(1, 4)),
          (1, lambda: "".join(RNG.choice("!?.,;:-_'\"()[]{}#@&%$*+=/\\|~^`") for _ in range(RNG.randint(1, 12)))),
          (1, joined), (0.05, long_word)]
WEIGHTS, FUNCTIONS = zip(*MAKERS)


def lines(count):
    yield from ["", " ", "\n", "\t", "\u180e", "\u180e \u180e", "  \u180e", "<|im_end|>", " <|im_end|> ", "a" * 20000,
                " " * 5000, "7" * 1000, "\n" * 999 + "x", "ab " * 3000, "日" * 5000]
    # Every character once, with its neighbours and alone between letters: splitting classes must agree.
    codes = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000 and unicodedata.category(chr(c)) != "Co"]
    if count < 1000:
        codes = []
    for at in range(0, len(codes), 512):
        yield "".join(map(chr, codes[at:at + 512]))
    for at in range(0, min(len(codes), 0x33000), 256):
        yield "".join(f"a {chr(c)}1 {chr(c)}b" for c in codes[at:at + 256])
    if count >= 1000:
        for _ in range(100):  # 100,000 code points at random, and as many of those that form C is about
            yield "".join(map(chr, RNG.choices(codes, k=1000)))
            yield "".join(joined() for _ in range(160))
    for _ in range(count):
        yield "".join(f() for f in RNG.choices(FUNCTIONS, WEIGHTS, k=RNG.randint(1, 30)))


def main():
    directory, count = sys.argv[1], int(sys.argv[2])
    tokenizer = Tokenizer.from_file(directory + "/tokenizer.json")
    with open(directory + "/lines.bin", "wb") as texts, open(directory + "/expected.bin", "wb") as expected:
        for line in lines(count):
            data = line.encode()
            texts.write(struct.pack("<I", len(data)) + data)
            ids = tokenizer.encode(line).ids
            text = tokenizer.decode(ids, skip_special_tokens=False).encode()
            expected.write(struct.pack(f"<I{len(ids)}iI", len(ids), *ids, len(text)) + text)


if __name__ == "__main__":
    main()
