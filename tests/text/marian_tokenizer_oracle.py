"""Toy sentencepiece models trained here, and what transformers' MarianTokenizer makes of sentences and ids.

marian_tokenizer_oracle.py FOLDER    FOLDER/CASE/ (source.spm, target.spm, vocab.json) and FOLDER/CASE.json
"""
import json
import pathlib
import random
import sys
import warnings

import sentencepiece
from transformers import MarianTokenizer
from transformers.utils import logging

logging.set_verbosity_error()
warnings.filterwarnings("ignore")
ENGLISH = pathlib.Path("/usr/share/common-licenses/GPL-3").read_text()
GERMAN = """Zwei junge Männer stehen draußen in der Nähe vieler Büsche. Ein kleines Mädchen klettert in ein Spielhaus aus Holz.
Ein Mann in einem blauen Hemd steht auf einer Leiter und putzt ein Fenster. Zwei Männer stehen am Herd und bereiten Essen zu.
Ein Hund läuft über eine grüne Wiese, während die Kinder Äpfel pflücken. Die Straße ist naß, und es hört nicht auf zu regnen.
Fünf Frauen üben für das große Fest, größer als im vergangenen Jahr. Übermütige Jungen springen über den Zaun hinüber."""
CASES = {
    "unigram": (dict(model_type="unigram", normalization_rule_name="nmt_nfkc"), dict(model_type="unigram")),
    "bpe": (dict(model_type="bpe", normalization_rule_name="nmt_nfkc_cf", byte_fallback=True, split_digits=True),
            dict(model_type="bpe", byte_fallback=True, remove_extra_whitespaces=False)),
    "odd": (dict(model_type="unigram", normalization_rule_name="identity", add_dummy_prefix=False),
            dict(model_type="char", user_defined_symbols=["Mann", "<sep>"])),
}
SENTENCES = [
    "", " ", "  two  spaces ", "\ttab\tand\n new line", "Hello, world!", ">>de<< A man in a blue shirt.", ">>xx<< of no language", ">>de<<",
    ">> de << no code", ">>de hello", "before >>de<< after", "ends here </s> and goes on", "<pad><unk></s>", "</s", "naïve café résumé",
    "ﬁve ﬂuﬀy ½ ① ™ ﷺ", "Ünïcödé e\u0301 \u00e9", "日本語のテキスト 漢字", "emoji 👩‍👩‍👧 🇩🇪 here", "zero\u200bwidth\u00a0space\u3000wide", "a\u0000b",
    "Ⅷ ℌ ㎏ １２３", "1234567 3.14", "▁under score▁", "Mann <sep> Männer", "x" * 3000, "ＦＵＬＬ ｗｉｄｔｈ", "\ufeffmark", "right\u200fto left שלום",
]


def train(path, text, size, **options):
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text.splitlines()), model_prefix=str(path), vocab_size=size, hard_vocab_limit=False, minloglevel=2,
        character_coverage=0.999, num_threads=1, **options)
    model = path.with_suffix(".model")
    model.rename(path.with_suffix(".spm"))
    path.with_suffix(".vocab").unlink()
    return sentencepiece.SentencePieceProcessor(model_file=str(path.with_suffix(".spm")))


def make(folder, source, target):
    folder.mkdir(parents=True)
    english, german = train(folder / "source", ENGLISH, 700, **source), train(folder / "target", GERMAN, 400, **target)
    pieces = [p.id_to_piece(i) for p in (english, german) for i in range(p.get_piece_size()) if not p.is_control(i) and not p.is_unknown(i)]
    vocab = ["</s>", "<unk>", *dict.fromkeys(pieces), ">>de<<", "<pad>"]
    del vocab[40:44]  # pieces that only the model has
    (folder / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(vocab)}, ensure_ascii=False))
    return MarianTokenizer.from_pretrained(folder), len(vocab)


def main(folder):
    random.seed(1)
    lines = [line for line in ENGLISH.splitlines() if line.strip()][:200] + [s for s in GERMAN.splitlines()]
    for name, (source, target) in CASES.items():
        tokenizer, size = make(folder / name, source, target)
        result = {"vocab": size, "encoded": [], "decoded": []}
        for text in SENTENCES + lines:
            ids, target_ids = tokenizer(text).input_ids, tokenizer(text_target=text).input_ids
            result["encoded"].append({"text": text, "ids": ids, "target_ids": target_ids})
        rows = [row["target_ids"] for row in result["encoded"]]
        rows += [[random.randrange(size) for _ in range(random.randrange(30))] for _ in range(200)]
        for row in rows:
            text = tokenizer.decode(row, skip_special_tokens=True, use_source_tokenizer=False)
            result["decoded"].append({"ids": row, "text": text})
        (folder / f"{name}.json").write_text(json.dumps(result))


main(pathlib.Path(sys.argv[1]))
