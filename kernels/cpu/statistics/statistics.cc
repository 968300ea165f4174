#include "kernels/cpu/statistics/statistics.h"

#include <omp.h>

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "core/error.h"
#include "kernels/cpu/rows/rows.h"
#include "kernels/cpu/scratch.h"

namespace octet::cpu {
namespace {

const RowKernels& kernels() {
  static const RowKernels& best = row_kernels(best_level());
  return best;
}

constexpr int64_t kPiece = 4096;

/// Counts one piece; two tables take turns so that equal neighbours do not wait for each other's
/// store.
int64_t count_piece(const float* x, int64_t n, float width, int64_t bins, int64_t* even,
                    int64_t* odd) {
  int32_t index[kPiece];
  kernels().bins(x, n, width, static_cast<int32_t>(bins - 1), index);
  int64_t zeros = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (index[i] < 0) {
      ++zeros;
    } else {
      ++(i % 2 ? odd : even)[index[i]];
    }
  }
  return zeros;
}

}  // namespace

void channel_absmax(const float* x, int64_t rows, int64_t k, float* absmax) {
  if (rows <= 0 || k <= 0) return;
  constexpr int64_t kColumns = 512;  // of one task: the running maxima stay in the first cache
  const int64_t tasks = (k + kColumns - 1) / kColumns;
#pragma omp parallel for schedule(static) if (rows * k >= kSerialWork)
  for (int64_t t = 0; t < tasks; ++t) {
    const int64_t first = t * kColumns;
    const int64_t n = std::min(kColumns, k - first);
    for (int64_t r = 0; r < rows; ++r) kernels().absmax(x + r * k + first, n, absmax + first);
  }
}

int64_t histogram(const float* x, int64_t count, float width, int64_t* counts, int64_t bins) {
  if (bins < 1 || bins > (int64_t{1} << 30)) {
    throw Error(fmt::format("a histogram of {} bins", bins), "1 to 2^30 bins",
                "choose another number of bins");
  }
  const int64_t pieces = (count + kPiece - 1) / kPiece;
  int64_t zeros = 0;
#pragma omp parallel if (count >= kSerialWork) reduction(+ : zeros)
  {
    std::vector<int64_t> own(static_cast<size_t>(2 * bins));
#pragma omp for schedule(static)
    for (int64_t p = 0; p < pieces; ++p) {
      zeros += count_piece(x + p * kPiece, std::min(kPiece, count - p * kPiece), width, bins,
                           own.data(), own.data() + bins);
    }
#pragma omp critical(octet_histogram)
    for (int64_t b = 0; b < bins; ++b) {
      counts[b] += own[static_cast<size_t>(b)] + own[static_cast<size_t>(bins + b)];
    }
  }
  return zeros;
}

}  // namespace octet::cpu
