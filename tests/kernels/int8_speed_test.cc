// Times of the W8A8 linear, for scripts/bench_gpu. Set OCTET_SPEED to run it and OMP_NUM_THREADS to
// choose threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "core/random.h"
#include "kernels/cpu/gemm/int8_gemm.h"
#include "kernels/cpu/rows/quantize.h"
#include "tests/kernels/speed.h"

namespace octet::cpu {
namespace {

struct Shape {
  int64_t n, k, m;
};

// Weights come cold from memory: copies take turns, together larger than any last-level cache. At
// most the layers of a small model.
constexpr int64_t kRotatedBytes = int64_t{1} << 29;
constexpr int64_t kMostCopies = 30;

void time_shape(const Shape& shape) {
  const Random random(1, "int8 speed");
  const auto [n, k, m] = shape;
  std::vector<int8_t> codes(static_cast<size_t>(n * k)), q(static_cast<size_t>(m * k));
  for (size_t i = 0; i < codes.size(); ++i)
    codes[i] = static_cast<int8_t>(random.below(i, 255)) - 127;
  std::vector<float> x(static_cast<size_t>(m * k)), y(static_cast<size_t>(m * n));
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(random.normal(i));
  std::vector<float> row_scale(static_cast<size_t>(m)), col_scale(static_cast<size_t>(n), 0.01f);
  const int64_t copies = std::clamp<int64_t>(kRotatedBytes / (n * k), 4, kMostCopies);
  std::vector<PackedInt8> packed;
  for (int64_t i = 0; i < copies; ++i) packed.emplace_back(codes.data(), n, k);

  const auto gemm = [&](int64_t copy) {
    int8_gemm(packed[static_cast<size_t>(copy)], q.data(), m, row_scale.data(), true,
              col_scale.data(), nullptr, y.data());
  };
  const double whole = median_ms(copies, [&](int64_t copy) {
    quantize_rows(x.data(), m, k, q.data(), row_scale.data());
    gemm(copy);
  });
  const double product = median_ms(copies, gemm);
  std::printf("speed int8 n=%lld k=%lld m=%lld level=%s gemm_ms=%.4f linear_ms=%.4f gop_s=%.0f\n",
              static_cast<long long>(n), static_cast<long long>(k), static_cast<long long>(m),
              name(best_level()).c_str(), product, whole,
              2e-6 * static_cast<double>(n * k * m) / product);
  std::fflush(stdout);
}

TEST(Int8SpeedSlow, Linear) {
  if (!speed_wanted()) GTEST_SKIP() << "set OCTET_SPEED to time the INT8 linear";
  for (const int64_t m : {1, 16, 128}) time_shape({4096, 4096, m});
  // The linears of SmolLM2-135M.
  for (const int64_t m : {1, 512}) {
    time_shape({960, 576, m});
    time_shape({576, 576, m});
    time_shape({3072, 576, m});
    time_shape({576, 1536, m});
  }
}

}  // namespace
}  // namespace octet::cpu
