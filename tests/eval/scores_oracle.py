"""BLEU, chrF2 and the paired bootstrap of sacreBLEU on generated segments, as JSON on stdout."""
import json
import logging
import random
import sys

from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.significance import PairedTest
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

logging.disable(logging.WARNING)

WORDS = (
    "a the man woman dog in on of with two people red blue shirt playing street ein eine der die das Mann Frau Hund "
    "spielt Straße über Brücke läuft wütend 1,000 3.14 12-jährige 50% U.S. e.g. z.B. it's don't \"Hallo\" (hier) "
    "state-of-the-art 2-3 http://x.y/z?a=1&b=2 user@mail.com naïve café 東京 日本語です Ελληνικά привет 😀 👨‍👩‍👧 "
    "e\u0301 &quot;so&quot; &amp; &lt;b&gt; <skipped> x_y {k} [1] a/b 100,000.50 -5 - – — … .. ,. .,5 5., '"
).split(" ")
SIGNS = list("ab cAB.,-'\"&<>;:!?/()[]{}~`_^|\\@#$%*+=0123456789\t\n\r\x0b\x0c\x1c\x1f\x85") + [
    "\u00a0", "\u2009", "\u3000", "\u200b", "\u2028", "\ufeff", "ß", "é", "e\u0301", "東", "京", "😀", "🏽", "-\n",
    "<skipped>", "&quot;", "&amp;", "&lt;", "&gt;", "&amp;quot;", "&", ";",
]
EDGES = [
    ("", ["a b c d"]), ("a b c d", [""]), ("", [""]), (" \n\t", ["a"]), ("a", ["a"]), ("a b", ["a b"]),
    ("a b c", ["a b c"]), ("a b c d", ["a b c d"]), ("x y z w v", ["a b c d e"]), ("x b c", ["a b c d e f"]),
    ("the the the the", ["the cat"]), ("a b c d e f g h", ["a b"]), ("...", ["..."]), ("1,000", ["1000"]),
    ("Donau-\ndampf", ["Donaudampf"]), ("<skip<skipped>ped> x", ["x"]), ("a\u00a0b", ["a b"]), ("a \u00a0", ["a"]),
    ("日本語", ["日本"]), ("😀😀😀", ["😀😀"]), ("&amp;lt;", ["&lt;"]), ("a  b", ["a b"]), ("A b C", ["a b c"]),
    ("12-13 1-", ["12 - 13 1 -"]), (".5,5.", [". 5,5 ."]), ("a b c d e", ["a b c d", "a b c d e f", "x"]),
    ("a b c", ["a b", "a b c d"]), ("a b c d", ["", "a b c d"]), ("abcdefg", ["abcdef", "gfedcba", "abcdefg"]),
]


def sentence(rng):
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 24)))


def changed(rng, text, share):
    words = []
    for word in text.split(" "):
        draw = rng.random()
        if draw < share / 3:
            continue
        words.append(rng.choice(WORDS) if draw < 2 * share / 3 else word)
        if draw > 1 - share / 3:
            words.append(rng.choice(WORDS))
    return " ".join(words)


def salad(rng):
    return "".join(rng.choice(SIGNS) for _ in range(rng.randint(0, 40)))


def segments(rng, count):
    made = list(EDGES)
    while len(made) < count:
        if rng.random() < 0.6:
            hypothesis = sentence(rng)
            references = [changed(rng, hypothesis, rng.choice([0.1, 0.4, 0.9])) for _ in range(rng.choice([1, 1, 2, 3]))]
        else:
            hypothesis = salad(rng)
            references = [hypothesis[rng.randint(0, 5):] + salad(rng)[:10] for _ in range(rng.choice([1, 1, 2]))]
        made.append((hypothesis, references))
    return made


def bleu_of(score):
    return {"text": score.format(width=2)[len("BLEU = "):], "score": score.score, "bp": score.bp,
            "counts": score.counts, "totals": score.totals, "precisions": score.precisions,
            "lengths": [score.sys_len, score.ref_len]}


def sentence_entry(bleu, chrf, hypothesis, references):
    return {"hypothesis": hypothesis, "references": references, "bleu": bleu_of(bleu.sentence_score(hypothesis, references)),
            "chrf": chrf.sentence_score(hypothesis, references).score}


def sentences():
    rng = random.Random(1)
    bleu, chrf, tokenizer = BLEU(effective_order=True), CHRF(), Tokenizer13a()
    made = segments(rng, 3000)
    entries = [sentence_entry(bleu, chrf, *segment) for segment in made]
    for entry in entries:
        entry["tokens"] = tokenizer(entry["hypothesis"].rstrip())
    return {"segments": entries, "bleu_signature": str(bleu.get_signature()), "chrf_signature": str(chrf.get_signature())}


def corpora():
    rng = random.Random(2)
    out = []
    for references in (1, 1, 2):
        made = [s for s in segments(rng, 1500) if len(s[1]) >= references]
        hypotheses, streams = [s[0] for s in made], [[s[1][r] for s in made] for r in range(references)]
        bleu, chrf = BLEU(), CHRF()
        out.append({"hypotheses": hypotheses, "references": [list(s[1][:references]) for s in made],
                    "bleu": bleu_of(bleu.corpus_score(hypotheses, streams)),
                    "chrf": chrf.corpus_score(hypotheses, streams).score,
                    "bleu_signature": str(bleu.get_signature()), "chrf_signature": str(chrf.get_signature())})
    return {"corpora": out}


def paired():
    out = []
    for seed, count, share in ((3, 300, 0.02), (4, 1000, 0.01), (5, 37, 0.3), (6, 2, 0.5), (7, 400, 0.0)):
        rng = random.Random(seed)
        references = [sentence(rng) for _ in range(count)]
        baseline = [changed(rng, text, 0.4) for text in references]
        system = [changed(rng, text, share) for text in baseline]
        signatures, scores = PairedTest([("baseline", baseline), ("system", system)], {"BLEU": BLEU(), "chrF2": CHRF()},
                                        [references], test_type="bs", n_samples=1000)()
        results = {}
        for metric in ("BLEU", "chrF2"):
            base, mine = scores[metric]
            results[metric] = {"signature": str(signatures[metric]), "baseline": vars(base), "system": vars(mine)}
        out.append({"references": references, "baseline": baseline, "system": system, "results": results})
    return {"tests": out}


def plain(value):
    return value.item() if hasattr(value, "item") else str(value)


print(json.dumps({"sentences": sentences, "corpora": corpora, "paired": paired}[sys.argv[1]](), default=plain))
