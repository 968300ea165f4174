#!/usr/bin/env python3
"""Speed of octet and of CTranslate2 on one translation checkpoint, in turns, each turn in a process of its own.

octet translates with the float directory and with its w8a8-dynamic --head w8a8; CTranslate2 (its converter reads the same
float directory) in float32 and int8. Same sentences, threads, beam and batch; tokenizing and detokenizing are counted,
loading is not. CTranslate2 first translates one batch that is not counted. Sentences a second, median over the turns, and
BLEU of each one's output (sacreBLEU).

usage: translate.py MODEL WORK_DIR OCTET SOURCE REFERENCE [--threads 2] [--beam 4] [--batch 32] [--max-length 256]
                    [--turns 5] [--json FILE]
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time


def lines_of(path):
    return pathlib.Path(path).read_text(encoding="utf-8").splitlines()


def ct2_turn(model, folder, source, out, compute, threads, beam, batch, length):
    """One turn in this process: prints {"seconds": s, "tokens": n} and writes the translations to `out`."""
    import ctranslate2
    import sentencepiece

    folder = pathlib.Path(folder)
    encoder = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
    decoder = sentencepiece.SentencePieceProcessor(model_file=str(folder / "target.spm"))
    translator = ctranslate2.Translator(model, device="cpu", compute_type=compute, inter_threads=1, intra_threads=threads)
    sentences = lines_of(source)

    def translate(texts):
        tokens = [pieces + ["</s>"] for pieces in encoder.encode(texts, out_type=str)]
        found = translator.translate_batch(tokens, beam_size=beam, max_batch_size=batch, batch_type="examples",
                                           max_decoding_length=length - 1, suppress_sequences=[["<pad>"]])
        best = [result.hypotheses[0] for result in found]
        return [decoder.decode(pieces) for pieces in best], sum(len(pieces) + 1 for pieces in best)

    translate(sentences[:batch])
    start = time.perf_counter()
    texts, tokens = translate(sentences)
    seconds = time.perf_counter() - start
    pathlib.Path(out).write_text("".join(text + "\n" for text in texts), encoding="utf-8")
    print(json.dumps({"seconds": seconds, "tokens": tokens}))


def child(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads([line for line in done.stdout.splitlines() if line.startswith("{")][-1])


def convert(model, target):
    """CTranslate2's converter drops <pad> and starts its decoder from a zero embedding, which is what <pad>'s row is in OPUS-MT.
    A checkpoint whose start token has learned one would lose the beginning of its sentences: here the row is kept."""
    import ctranslate2
    from ctranslate2.converters import transformers as loaders

    if target.exists():
        return

    class Loader(loaders.MarianMTLoader):
        def set_config(self, config, model, tokenizer):
            super().set_config(config, model, tokenizer)
            config.decoder_start_token = tokenizer.pad_token

        def set_decoder(self, spec, decoder):
            loaders.BartLoader.set_decoder(self, spec, decoder)

        def get_vocabulary(self, model, tokenizer):
            return loaders.BartLoader.get_vocabulary(self, model, tokenizer)

        def _remove_pad_weights(self, spec):
            pass

    loaders.register_loader("MarianConfig")(Loader)
    partial = target.with_suffix(".partial")
    ctranslate2.converters.TransformersConverter(str(model)).convert(str(partial), force=True)
    partial.rename(target)


def systems(options):
    """Name -> a function that runs one turn and returns {"seconds", "tokens"}; translations go to WORK/NAME.txt."""
    quantized = options.work / "octet-w8a8"
    if not quantized.exists():
        child([options.octet, "quantize", options.model, "--scheme", "w8a8-dynamic", "--head", "w8a8", "--out", quantized,
               "--json", "--quiet"])
    converted = options.work / "ctranslate2"
    convert(options.model, converted)

    def ours(name, model):
        found = child([options.octet, "translate", model, "--input", options.source, "--out", options.work / f"{name}.txt",
                       "--beam", options.beam, "--batch", options.batch, "--batch-tokens", 0, "--max-length",
                       options.max_length, "--threads", options.threads, "--json", "--quiet"])
        return {"seconds": found["seconds"], "tokens": found["target_tokens"]}

    def theirs(name, compute):
        return child([sys.executable, __file__, "--turn", converted, options.model, options.source,
                      options.work / f"{name}.txt", compute, options.threads, options.beam, options.batch, options.max_length])

    return {"octet float32": lambda: ours("octet float32", options.model),
            "octet w8a8": lambda: ours("octet w8a8", quantized),
            "ctranslate2 float32": lambda: theirs("ctranslate2 float32", "float32"),
            "ctranslate2 int8": lambda: theirs("ctranslate2 int8", "int8")}


def main():
    if sys.argv[1:2] == ["--turn"]:
        model, folder, source, out, compute, *numbers = sys.argv[2:]
        return ct2_turn(model, folder, source, out, compute, *map(int, numbers))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("octet")
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("reference", type=pathlib.Path)
    for name, value in (("threads", 2), ("beam", 4), ("batch", 32), ("max-length", 256), ("turns", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)

    import sacrebleu

    runs = systems(options)
    turns = {name: [] for name in runs}
    for _ in range(options.turns):
        for name, run in runs.items():
            turns[name].append(run())
    count, reference = len(lines_of(options.source)), lines_of(options.reference)
    table = {}
    for name, found in turns.items():
        seconds = statistics.median(turn["seconds"] for turn in found)
        bleu = sacrebleu.corpus_bleu(lines_of(options.work / f"{name}.txt"), [reference]).score
        table[name] = {"sentences_per_second": count / seconds, "tokens_per_second": found[0]["tokens"] / seconds,
                       "seconds": [turn["seconds"] for turn in found], "bleu": bleu}
        print(f"{name:<20} {count / seconds:8.1f} sentences/s {found[0]['tokens'] / seconds:9.0f} tokens/s   BLEU {bleu:5.2f}")
    speed = {name: row["sentences_per_second"] for name, row in table.items()}
    print(f"octet w8a8 is {speed['octet w8a8'] / speed['octet float32']:.2f} times its float32 and "
          f"{speed['octet w8a8'] / speed['ctranslate2 int8']:.2f} times ctranslate2 int8")
    if options.json:
        settings = {name: getattr(options, name) for name in ("threads", "beam", "batch", "max_length", "turns")}
        options.json.write_text(json.dumps({"settings": settings, "systems": table}, indent=1) + "\n")


if __name__ == "__main__":
    main()
