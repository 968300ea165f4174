#include "kernels/cpu/rows/quantize.h"

#include <algorithm>

#include "kernels/cpu/rows/rows.h"
#include "kernels/cpu/scratch.h"

namespace octet::cpu {
namespace {

const RowKernels& kernels() {
  static const RowKernels& best = row_kernels(best_level());
  return best;
}

/// body(row) for each row, over threads when rows * k is worth it.
template <typename Body>
void for_rows(int64_t rows, int64_t k, const Body& body) {
  if (rows <= 1 || rows * k < kSerialWork) {
    for (int64_t r = 0; r < rows; ++r) body(r);
    return;
  }
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; ++r) body(r);
}

/// body(first, count) over fixed pieces of a long vector.
template <typename Body>
void for_pieces(int64_t count, const Body& body) {
  constexpr int64_t kPiece = 1 << 14;
  const int64_t pieces = (count + kPiece - 1) / kPiece;
  for_rows(pieces, kPiece,
           [&](int64_t p) { body(p * kPiece, std::min(kPiece, count - p * kPiece)); });
}

/// produce(row, y) writes a float row into cached scratch, which is then quantized with its own
/// scale.
template <typename Produce>
void produce_quantize_rows(int64_t rows, int64_t k, int8_t* q, float* scale,
                           const Produce& produce) {
  for_rows(rows, k, [&](int64_t r) {
    float* y = thread_scratch<float>(kRowScratch, k);
    produce(r, y);
    scale[r] = kernels().scale(y, k);
    kernels().quantize(y, k, scale[r], q + r * k);
  });
}

template <typename Produce>
void produce_quantize_tensor(int64_t rows, int64_t k, float scale, int8_t* q,
                             const Produce& produce) {
  for_rows(rows, k, [&](int64_t r) {
    float* y = thread_scratch<float>(kRowScratch, k);
    produce(r, y);
    kernels().quantize(y, k, scale, q + r * k);
  });
}

void norm_row(const float* x, const float* delta, const float* weight, const float* bias, float eps,
              int64_t k, int64_t r, float* y) {
  kernels().layer_norm(x + r * k, delta == nullptr ? nullptr : delta + r * k, weight, bias, eps, k,
                       y + r * k);
}

auto row_activation(RowActivation activation) {
  return activation == RowActivation::kRelu ? kernels().relu : kernels().silu;
}

}  // namespace

void quantize_rows(const float* x, int64_t rows, int64_t k, int8_t* q, float* scale) {
  for_rows(rows, k, [&](int64_t r) {
    scale[r] = kernels().scale(x + r * k, k);
    kernels().quantize(x + r * k, k, scale[r], q + r * k);
  });
}

void quantize_tensor(const float* x, int64_t count, float scale, int8_t* q) {
  for_pieces(count,
             [&](int64_t first, int64_t n) { kernels().quantize(x + first, n, scale, q + first); });
}

void rms_norm(const float* x, const float* weight, float eps, int64_t rows, int64_t k, float* y) {
  for_rows(rows, k, [&](int64_t r) { kernels().rms_norm(x + r * k, weight, eps, k, y + r * k); });
}

void rms_norm_quantize_rows(const float* x, const float* weight, float eps, int64_t rows, int64_t k,
                            int8_t* q, float* scale) {
  produce_quantize_rows(rows, k, q, scale, [&](int64_t r, float* y) {
    kernels().rms_norm(x + r * k, weight, eps, k, y);
  });
}

void rms_norm_quantize_tensor(const float* x, const float* weight, float eps, int64_t rows,
                              int64_t k, float scale, int8_t* q) {
  produce_quantize_tensor(rows, k, scale, q, [&](int64_t r, float* y) {
    kernels().rms_norm(x + r * k, weight, eps, k, y);
  });
}

void silu_mul(const float* gate_up, int64_t rows, int64_t k, float* y) {
  for_rows(rows, k, [&](int64_t r) {
    const float* gate = gate_up + r * 2 * k;
    kernels().silu_mul(gate, gate + k, k, y + r * k);
  });
}

void silu_mul_quantize_rows(const float* gate_up, int64_t rows, int64_t k, int8_t* q,
                            float* scale) {
  produce_quantize_rows(rows, k, q, scale, [&](int64_t r, float* y) {
    const float* gate = gate_up + r * 2 * k;
    kernels().silu_mul(gate, gate + k, k, y);
  });
}

void silu_mul_quantize_tensor(const float* gate_up, int64_t rows, int64_t k, float scale,
                              int8_t* q) {
  produce_quantize_tensor(rows, k, scale, q, [&](int64_t r, float* y) {
    const float* gate = gate_up + r * 2 * k;
    kernels().silu_mul(gate, gate + k, k, y);
  });
}

void layer_norm(const float* x, const float* delta, const float* weight, const float* bias,
                float eps, int64_t rows, int64_t k, float* y) {
  for_rows(rows, k, [&](int64_t r) { norm_row(x, delta, weight, bias, eps, k, r, y); });
}

void layer_norm_quantize_rows(const float* x, const float* delta, const float* weight,
                              const float* bias, float eps, int64_t rows, int64_t k, float* y,
                              int8_t* q, float* scale) {
  for_rows(rows, k, [&](int64_t r) {
    norm_row(x, delta, weight, bias, eps, k, r, y);
    scale[r] = kernels().scale(y + r * k, k);
    kernels().quantize(y + r * k, k, scale[r], q + r * k);
  });
}

void layer_norm_quantize_tensor(const float* x, const float* delta, const float* weight,
                                const float* bias, float eps, int64_t rows, int64_t k, float scale,
                                float* y, int8_t* q) {
  for_rows(rows, k, [&](int64_t r) {
    norm_row(x, delta, weight, bias, eps, k, r, y);
    kernels().quantize(y + r * k, k, scale, q + r * k);
  });
}

void activate_rows(RowActivation activation, const float* x, int64_t rows, int64_t k, float* y) {
  const auto run = row_activation(activation);
  for_rows(rows, k, [&](int64_t r) { run(x + r * k, k, y + r * k); });
}

void activate_quantize_rows(RowActivation activation, const float* x, int64_t rows, int64_t k,
                            int8_t* q, float* scale) {
  const auto run = row_activation(activation);
  produce_quantize_rows(rows, k, q, scale, [&](int64_t r, float* y) { run(x + r * k, k, y); });
}

void activate_quantize_tensor(RowActivation activation, const float* x, int64_t rows, int64_t k,
                              float scale, int8_t* q) {
  const auto run = row_activation(activation);
  produce_quantize_tensor(rows, k, scale, q, [&](int64_t r, float* y) { run(x + r * k, k, y); });
}

}  // namespace octet::cpu
