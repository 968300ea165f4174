#!/usr/bin/env python3
"""Times of torch's linear in FP32, BF16 and INT8 (oneDNN), for the shapes of the Speed suites in tests/kernels.

Weights take turns as there, so that they come cold from memory. Prints one line a shape.
usage: torch_linear_speed.py [--threads N] [--rows M ...]    (--rows: 4096 x 4096 alone, for these numbers of rows)
"""

import argparse
import statistics
import time

import torch

ROTATED_BYTES = 1 << 29
MOST_COPIES = 30
SHAPES = [(4096, 4096, 2**i) for i in range(11)] + [
    (n, k, m) for m in (1, 512) for n, k in ((960, 576), (576, 576), (3072, 576), (576, 1536))
]


def median_ms(copies, run):
    for i in range(copies):
        run(i)
    times, begin = [], time.perf_counter()
    while len(times) < 20 or (time.perf_counter() - begin < 1 and len(times) < 3000):
        start = time.perf_counter()
        run(len(times) % copies)
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def copies_of(n, k, size):
    return max(4, min(MOST_COPIES, ROTATED_BYTES // (n * k * size)))


def float_ms(n, k, m, dtype):
    weights = [torch.randn(n, k).to(dtype) for _ in range(copies_of(n, k, dtype.itemsize))]
    x = torch.randn(m, k).to(dtype)
    return median_ms(len(weights), lambda i: torch.nn.functional.linear(x, weights[i]))


def onednn_int8_ms(n, k, m):
    """u8 x s8 with zero point 128 and one input scale: the GEMM alone."""
    prepack, linear = torch.ops.onednn.qlinear_prepack, torch.ops.onednn.qlinear_pointwise
    codes = torch.randint(-127, 128, (n, k), dtype=torch.int8)
    weights = [prepack(codes.clone(), [m, k]) for _ in range(copies_of(n, k, 1))]
    x = torch.randint(1, 256, (m, k), dtype=torch.uint8)
    scales, points = torch.full((n,), 0.01), torch.zeros(n, dtype=torch.int64)

    def run(i):
        linear(x, 0.01, 128, weights[i], scales, points, None, 1.0, 0, torch.float32, "none", [], "")

    return median_ms(len(weights), run)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--rows", type=int, nargs="*")
    arguments = parser.parse_args()
    threads = arguments.threads
    shapes = [(4096, 4096, m) for m in arguments.rows] if arguments.rows else SHAPES
    if threads > 0:
        torch.set_num_threads(threads)
    torch.manual_seed(0)
    with torch.no_grad():
        for n, k, m in shapes:
            fp32 = float_ms(n, k, m, torch.float32)
            bf16 = float_ms(n, k, m, torch.bfloat16)
            try:
                int8 = f"{onednn_int8_ms(n, k, m):.4f}"
            except RuntimeError as error:
                int8 = f"failed:{str(error).splitlines()[0]}"
            print(
                f"speed torch n={n} k={k} m={m} threads={torch.get_num_threads()} fp32_ms={fp32:.4f} "
                f"bf16_ms={bf16:.4f} onednn_int8_ms={int8}",
                flush=True,
            )


if __name__ == "__main__":
    main()
