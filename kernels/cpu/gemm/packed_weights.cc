#include "kernels/cpu/gemm/packed_weights.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "kernels/cpu/gemm/packed_block.h"

namespace octet::cpu {
namespace {

const PackedKernels& kernels() {
  static const PackedKernels& best = packed_kernels(best_level());
  return best;
}

/// Codes of columns [column, column + 32) in the order of PackedWeights::codes_.
void pack_panel(const int8_t* codes, int64_t n, int64_t k, int64_t column, Dtype element,
                uint8_t* to) {
  const auto code = [&](int64_t c, int64_t j) {
    return column + c < n ? static_cast<int>(codes[(column + c) * k + j]) : 0;
  };
  for (int64_t c = 0; c < kPanelColumns; ++c) {
    if (element == Dtype::kI8) {
      for (int64_t j = 0; j < k; ++j) to[j * kPanelColumns + c] = static_cast<uint8_t>(code(c, j));
      continue;
    }
    for (int64_t j = 0; j < k; j += 2) {
      to[j / 2 * kPanelColumns + c] =
          static_cast<uint8_t>((code(c, j) + 8) | (code(c, j + 1) + 8) << 4);
    }
  }
}

constexpr int64_t kTaskRows = 256;  // rows that share a dequantized panel
constexpr int64_t kFloatSteps =
    256;  // steps of k dequantized at once: they stay in the first caches

constexpr int64_t kBf16Steps = 16;  // dequantized at once, likewise
constexpr int64_t kMostPanels = 4;  // share rows of x that the cache holds
constexpr int64_t kCachedBytes = int64_t{1} << 20;

bool worth_forking(int64_t m, int64_t n, int64_t k) {
  return m * n * k >= 2 * kSerialWork;
}

}  // namespace

struct PackedWeights::Output {
  const float* bias;
  float* y;
  int64_t n;

  /// Rows [row, row + rows) of panel p from sums [rows][32], times scale [32] unless null.
  void write(const float* sums, int64_t row, int64_t rows, int64_t p, const float* scale) const {
    const int64_t column = p * kPanelColumns, count = std::min(kPanelColumns, n - column);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < count; ++c) {
        float v = sums[r * kPanelColumns + c];
        if (scale != nullptr) v *= scale[c];
        if (bias != nullptr) v += bias[column + c];
        y[(row + r) * n + column + c] = v;
      }
    }
  }
};

PackedRoute best_packed_route() {
  static const PackedRoute best = has_amx_bf16() ? PackedRoute::kAmx
                                  : has_bf16()   ? PackedRoute::kBf16
                                                 : PackedRoute::kFloat;
  return best;
}

PackedWeights::PackedWeights(const int8_t* codes, const float* scales, int64_t n, int64_t k,
                             int64_t group, Dtype element)
    : n_(n),
      k_(k),
      group_(group),
      panels_((n + kPanelColumns - 1) / kPanelColumns),
      element_(element) {
  if ((element != Dtype::kI4 && element != Dtype::kI8) || group <= 0 || k % group != 0 ||
      (group % 2 != 0 && (group != k || element == Dtype::kI4))) {
    throw Error(fmt::format("{} weights of {} inputs in groups of {}", name(element), k, group),
                "I4 or I8, and an even group that divides the inputs",
                "this is a defect in octet: please report it");
  }
  const int64_t groups = k / group, bytes = k * kPanelColumns * bits(element) / 8;
  auto* packed = static_cast<uint8_t*>(codes_.reserve(static_cast<size_t>(panels_ * bytes)));
  const int64_t scale_count = panels_ * groups * kPanelColumns;
  auto* to = static_cast<float*>(scales_.reserve(static_cast<size_t>(scale_count) * sizeof(float)));
#pragma omp parallel for schedule(static) if (n * k >= kSerialWork)
  for (int64_t p = 0; p < panels_; ++p) {
    pack_panel(codes, n, k, p * kPanelColumns, element, packed + p * bytes);
    for (int64_t i = 0; i < groups * kPanelColumns; ++i) {
      const int64_t row = p * kPanelColumns + i % kPanelColumns;
      to[p * groups * kPanelColumns + i] = row < n ? scales[row * groups + i / kPanelColumns] : 0;
    }
  }
}

PackedPanel PackedWeights::panel(int64_t p) const {
  PackedPanel panel{static_cast<const uint8_t*>(codes_.data()),
                    static_cast<const float*>(scales_.data()), k_, group_, bits(element_)};
  panel.codes += p * panel.code_bytes(k_);
  panel.scales += p * panel.groups() * kPanelColumns;
  return panel;
}

void PackedWeights::gemm(const float* x, int64_t m, const float* bias, float* y) const {
  gemm(x, m, bias, y, best_packed_route());
}

void PackedWeights::gemm(const float* x, int64_t m, const float* bias, float* y,
                         PackedRoute route) const {
  const Output out{bias, y, n_};
  if (m <= 0 || n_ == 0) return;
  if (m <= kernels().small_m) {
    small_m(x, m, out);
  } else if (route == PackedRoute::kFloat) {
    float_rows(x, m, out);
  } else {
    bf16_rows(x, m, out, route == PackedRoute::kAmx ? amx_product : bf16_product);
  }
}

void PackedWeights::small_m(const float* x, int64_t m, const Output& out) const {
  const int64_t most = kernels().few_panels[m - 1];
#pragma omp parallel if (worth_forking(m, n_, k_))
  {
    const int64_t team = omp_get_num_threads(), me = omp_get_thread_num();
    const int64_t last = (me + 1) * panels_ / team;
    for (int64_t p = me * panels_ / team; p < last;) {
      alignas(64) float sums[kMostFewPanels * kMostSmallM * kPanelColumns];
      const int64_t panels = last - p >= most ? most : 1;
      kernels().few(panel(p), static_cast<int>(panels), x, static_cast<int>(m), sums);
      for (int64_t i = 0; i < panels; ++i) {
        out.write(sums + i * m * kPanelColumns, 0, m, p + i, nullptr);
      }
      p += panels;
    }
  }
}

void PackedWeights::float_rows(const float* x, int64_t m, const Output& out) const {
  const int64_t tasks = (m + kTaskRows - 1) / kTaskRows;
#pragma omp parallel for collapse(2) schedule(static) if (worth_forking(m, n_, k_))
  for (int64_t p = 0; p < panels_; ++p) {
    for (int64_t t = 0; t < tasks; ++t) {
      const int64_t row = t * kTaskRows, rows = std::min(kTaskRows, m - row);
      auto* dequantized =
          thread_scratch<float>(kRowScratch, (kFloatSteps + kTaskRows) * kPanelColumns);
      float* sums = dequantized + kFloatSteps * kPanelColumns;
      std::fill_n(sums, rows * kPanelColumns, 0.0F);
      for (int64_t first = 0; first < k_; first += kFloatSteps) {
        const int64_t steps = std::min(kFloatSteps, k_ - first);
        kernels().dequantize(panel(p), first, steps, dequantized);
        kernels().multiply(dequantized, steps, x + row * k_ + first, k_, rows, sums);
      }
      out.write(sums, row, rows, p, nullptr);
    }
  }
}

/// All of x in bfloat16, and what the rows of one task are.
struct PackedWeights::Bf16Rows {
  const uint16_t* x;
  int64_t m, steps;
  Bf16Product product;
};

void PackedWeights::bf16_rows(const float* x, int64_t m, const Output& out,
                              Bf16Product product) const {
  const int64_t steps = (k_ + kBf16Depth - 1) / kBf16Depth, block = steps * kBf16Rows * kBf16Depth;
  const int64_t blocks = (m + kBf16Rows - 1) / kBf16Rows;
  auto* rounded = thread_scratch<uint16_t>(kGemmScratch, blocks * block);
  const Bf16Rows rows{rounded, m, steps, product};
  const int64_t together = blocks * block * 2 > kCachedBytes ? kMostPanels : 1;
  const int64_t groups = (panels_ + together - 1) / together;
  const int64_t tasks = (m + kTaskRows - 1) / kTaskRows;
#pragma omp parallel if (worth_forking(m, n_, k_))
  {
#pragma omp for schedule(static)
    for (int64_t r = 0; r < m; ++r) {
      round_bf16(x + r * k_, k_, rounded + r / kBf16Rows * block + r % kBf16Rows * kBf16Depth);
    }
#pragma omp for collapse(2) schedule(static)
    for (int64_t t = 0; t < tasks; ++t) {
      for (int64_t g = 0; g < groups; ++g) {
        const int64_t last = std::min(panels_, (g + 1) * together);
        bf16_task(rows, t * kTaskRows, g * together, last, out);
      }
    }
  }
}

/// Rows [row, row + kTaskRows) of panels [first, last).
void PackedWeights::bf16_task(const Bf16Rows& rows, int64_t row, int64_t first, int64_t last,
                              const Output& out) const {
  constexpr int64_t kBlock = kBf16Rows * kPanelColumns, kPanelSums = kTaskRows * kPanelColumns;
  const int64_t end = std::min(rows.m, row + kTaskRows), step_x = kBf16Rows * kBf16Depth;
  auto* sums = thread_scratch<float>(
      kRowScratch, kMostPanels * kPanelSums + kBf16Steps * kBf16Depth * kPanelColumns / 2);
  auto* weights = reinterpret_cast<uint16_t*>(sums + kMostPanels * kPanelSums);
  for (int64_t s = 0; s < rows.steps; s += kBf16Steps) {
    const int64_t steps = std::min(kBf16Steps, rows.steps - s);
    for (int64_t p = first; p < last; ++p) {
      widen_bf16(panel(p), s, steps, weights);
      float* block = sums + (p - first) * kPanelSums;
      for (int64_t r = row; r < end; r += kBf16Rows, block += kBlock) {
        const uint16_t* x = rows.x + (r / kBf16Rows * rows.steps + s) * step_x;
        rows.product(x, weights, steps, std::min(kBf16Rows, end - r), s > 0, block);
      }
    }
  }
  for (int64_t p = first; p < last; ++p) {
    const PackedPanel from = panel(p);
    out.write(sums + (p - first) * kPanelSums, row, end - row, p,
              from.groups() == 1 ? from.scales : nullptr);
  }
}

}  // namespace octet::cpu
