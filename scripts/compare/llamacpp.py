#!/usr/bin/env python3
"""Speed of octet and of llama.cpp on one model and one CPU, in turns, each turn in a process of its own.

llama.cpp (PyPI llama-cpp-python, built native) runs the GGUF file requantized by itself to Q8_0 and to F16; octet runs its
directories through `octet bench`. Prefill: one batch of 512 tokens; decode: 64 tokens one by one behind it. Tokens a second,
median over the turns; a turn is the best of three runs in both. llama.cpp works out its logits of the last position alone,
octet those of all.

usage: llamacpp.py GGUF WORK_DIR OCTET MODEL_DIR... [--threads 2] [--turns 5] [--json FILE]
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

PREFILL, DECODE = 512, 64


def requantize(source, target, ftype):
    import llama_cpp

    if target.exists():
        return
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.allow_requantize = ftype, True
    partial = target.with_suffix(".partial")
    if llama_cpp.llama_model_quantize(str(source).encode(), str(partial).encode(), params) != 0:
        raise SystemExit(f"llama.cpp could not requantize {source}")
    partial.rename(target)


def llama_turn(path, threads):
    """One turn in this process: prints {"prefill": tokens/s, "decode": tokens/s}."""
    import llama_cpp

    model = llama_cpp.Llama(str(path), n_ctx=1024, n_batch=PREFILL, n_ubatch=PREFILL, n_threads=threads,
                            n_threads_batch=threads, verbose=False)
    tokens = [(7 * i) % 40000 + 100 for i in range(PREFILL)]
    prefill, decode = [], []
    for _ in range(4):
        model.reset()
        start = time.perf_counter()
        model.eval(tokens)
        prefill.append(time.perf_counter() - start)
        start = time.perf_counter()
        for i in range(DECODE):
            model.eval([200 + i])
        decode.append(time.perf_counter() - start)
    print(json.dumps({"prefill": PREFILL / min(prefill[1:]), "decode": DECODE / min(decode[1:])}))


def child(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads([line for line in done.stdout.splitlines() if line.startswith("{")][-1])


def octet_turn(octet, model, threads):
    found = child([octet, "bench", model, "--json", "--quiet", "--prefill", str(PREFILL), "--decode", str(DECODE),
                   "--rounds", "3", "--threads", str(threads), "--dtypes", "float32"])
    run = found["runs"][0]
    return {"prefill": 1e3 * PREFILL / run["prefill_ms"]["min"], "decode": 1e3 / run["decode_ms"]["p50"]}


def main():
    if sys.argv[1] == "--turn":
        return llama_turn(sys.argv[2], int(sys.argv[3]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gguf", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("octet")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--json")
    args = parser.parse_args()

    args.work.mkdir(parents=True, exist_ok=True)
    contestants = {}
    for name, ftype in (("llama.cpp Q8_0", 7), ("llama.cpp F16", 1)):
        path = args.work / (name.split()[1] + ".gguf")
        requantize(args.gguf, path, ftype)
        contestants[name] = lambda path=path: child([sys.executable, __file__, "--turn", str(path), str(args.threads)])
    for model in args.models:
        contestants["octet " + pathlib.Path(model).name] = lambda model=model: octet_turn(args.octet, model, args.threads)

    speeds = {name: {"prefill": [], "decode": []} for name in contestants}
    for _ in range(args.turns):
        for name, turn in contestants.items():
            for what, value in turn().items():
                speeds[name][what].append(value)
    table = {name: {what: statistics.median(all) for what, all in of.items()} for name, of in speeds.items()}
    base = table["llama.cpp Q8_0"]
    print(f"{'tokens a second':24} {'prefill':>9} {'ratio':>6} {'decode':>9} {'ratio':>6}")
    for name, of in table.items():
        print(f"{name:24} {of['prefill']:9.1f} {of['prefill'] / base['prefill']:6.2f} "
              f"{of['decode']:9.1f} {of['decode'] / base['decode']:6.2f}")
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps({"turns": args.turns, "threads": args.threads, "speeds": speeds}))


if __name__ == "__main__":
    main()
