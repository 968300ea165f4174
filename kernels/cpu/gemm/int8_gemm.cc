#include "kernels/cpu/gemm/int8_gemm.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "kernels/cpu/gemm/int8_amx.h"
#include "kernels/cpu/gemm/int8_tile.h"
#include "kernels/cpu/scratch.h"

namespace octet::cpu {

struct PackedInt8::Impl {
  int64_t n = 0, k = 0;
  int64_t groups = 0, panels = 0;
  bool amx = false;  ///< many rows go through tiles
  const Int8Tile* tile = nullptr;
  AlignedBuffer codes;  ///< int8 [panels][groups][columns][group]
  AlignedBuffer start;  ///< int32 [panels * columns]: -offset * column sum
  int64_t panel_bytes() const { return groups * tile->columns * tile->group; }
  const int8_t* panel(int64_t p) const {
    return static_cast<const int8_t*>(codes.data()) + p * panel_bytes();
  }
  const int32_t* starts(int64_t p) const {
    return static_cast<const int32_t*>(start.data()) + p * tile->columns;
  }
};

namespace {

void pack_panel(const int8_t* w, const PackedInt8::Impl& to, int64_t p, int8_t* panel,
                int32_t* start) {
  const int64_t columns = to.tile->columns, group = to.tile->group;
  std::memset(panel, 0, static_cast<size_t>(to.panel_bytes()));
  for (int64_t c = 0; c < columns; ++c) {
    int32_t sum = 0;
    const int64_t row = p * columns + c;
    if (row < to.n) {
      const int8_t* from = w + row * to.k;
      for (int64_t j = 0; j < to.k; ++j) {
        panel[(j / group * columns + c) * group + j % group] = from[j];
        sum += from[j];
      }
    }
    // Wraps for the longest rows, as the sums that start there do: what comes out fits.
    start[c] = static_cast<int32_t>(0U - static_cast<uint32_t>(to.tile->offset) *
                                             static_cast<uint32_t>(sum));
  }
}

/// Where the rows of x are cut: near-equal blocks of at most max_rows.
struct RowBlocks {
  RowBlocks(int64_t m, int64_t max_rows) : m(m), count((m + max_rows - 1) / max_rows) {}
  int64_t first(int64_t block) const { return block * m / count; }
  int rows(int64_t block) const { return static_cast<int>(first(block + 1) - first(block)); }
  int64_t m, count;
};

/// Everything one call shares between its tasks.
struct Call {
  const PackedInt8::Impl& w;
  RowBlocks blocks;
  const int32_t* x;  ///< packed blocks, block b at first(b) * groups
  const float* row_scale;
  bool per_row;
  const float* col_scale;
  const float* bias;
  float* y;
};

// This file has no fused multiply-add, so every level rounds alike.
void scale_plainly(const int32_t* acc, int64_t n, float row_scale, const float* col_scale,
                   const float* bias, float* y) {
  if (bias == nullptr) {
    for (int64_t c = 0; c < n; ++c) y[c] = static_cast<float>(acc[c]) * row_scale * col_scale[c];
    return;
  }
  for (int64_t c = 0; c < n; ++c) {
    y[c] = static_cast<float>(acc[c]) * row_scale * col_scale[c] + bias[c];
  }
}

/// The one place where sums become floats.
void scale_rows(const Call& call, const int32_t* acc, int64_t row, int rows, int64_t column) {
  const Int8Tile& tile = *call.w.tile;
  const int64_t n = std::min<int64_t>(tile.columns, call.w.n - column);
  const ScaleRow scale = tile.scale_row == nullptr ? scale_plainly : tile.scale_row;
  for (int r = 0; r < rows; ++r) {
    scale(acc + r * tile.columns, n, call.row_scale[call.per_row ? row + r : 0],
          call.col_scale + column, call.bias == nullptr ? nullptr : call.bias + column,
          call.y + (row + r) * call.w.n + column);
  }
}

constexpr int64_t kTaskBlocks = 8;  // row blocks of one task: they share a panel's chunk in cache

/// Row blocks [first, last) against panel p.
void run_task(const Call& call, int64_t p, int64_t first, int64_t last) {
  alignas(64) int32_t acc[kTaskBlocks][kMaxTileRows * kMaxTileColumns];
  const Int8Tile& tile = *call.w.tile;
  for (int64_t b = first; b < last; ++b) {
    for (int r = 0; r < call.blocks.rows(b); ++r) {
      std::copy_n(call.w.starts(p), tile.columns, acc[b - first] + r * tile.columns);
    }
  }
  const int64_t groups = call.w.groups;
  const int64_t chunk = last - first == 1 ? groups : tile.chunk;
  for (int64_t g = 0; g < groups; g += chunk) {
    const int64_t count = std::min(chunk, groups - g);
    const int8_t* panel = call.w.panel(p) + g * tile.columns * tile.group;
    for (int64_t b = first; b < last; ++b) {
      const int rows = call.blocks.rows(b);
      const int32_t* x = call.x + call.blocks.first(b) * groups + g * rows;
      tile.run(rows, panel, x, count, acc[b - first]);
    }
  }
  for (int64_t b = first; b < last; ++b) {
    scale_rows(call, acc[b - first], call.blocks.first(b), call.blocks.rows(b), p * tile.columns);
  }
}

/// One row against panels [first, last).
void run_row(const Call& call, int64_t first, int64_t last) {
  const Int8Tile& tile = *call.w.tile;
  int panels = tile.streams;
  for (int64_t p = first; p < last; p += panels) {
    while (panels > last - p) panels /= 2;
    alignas(64) int32_t acc[kMaxStreams * kMaxTileColumns];
    std::copy_n(call.w.starts(p), panels * tile.columns, acc);
    tile.run_row(panels, call.w.panel(p), call.x, call.w.groups, acc);
    for (int i = 0; i < panels; ++i) {
      scale_rows(call, acc + i * tile.columns, 0, 1, (p + i) * tile.columns);
    }
  }
}

constexpr int64_t kAmxTaskRows = 8 * kAmxRows;  // rows that share a panel in cache

void amx_gemm(const PackedInt8::Impl& w, const AmxCall& call, int64_t m) {
  // The last task has at least one whole block, which its last rows are read back from.
  const int64_t tasks = std::max<int64_t>(1, (m + kAmxTaskRows - kAmxRows) / kAmxTaskRows);
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t p = 0; p < w.panels; ++p) {
    for (int64_t t = 0; t < tasks; ++t) {
      const int64_t last = t + 1 == tasks ? m : (t + 1) * kAmxTaskRows;
      amx_panel(call, w.panel(p), p * w.tile->columns, t * kAmxTaskRows, last);
    }
  }
}

}  // namespace

PackedInt8::PackedInt8(const int8_t* w, int64_t n, int64_t k, Level level)
    : impl_(std::make_unique<Impl>()) {
  if (level > best_level()) {
    throw Error(fmt::format("INT8 weights packed for {}", name(level)),
                fmt::format("at most {}, the best of this CPU", name(best_level())),
                "pack for best_level()");
  }
  impl_->n = n;
  impl_->k = k;
  impl_->tile = &int8_tile(level);
  impl_->amx = level == Level::kVnni && k % kAmxDepth == 0 && has_amx();
  impl_->groups = (k + impl_->tile->group - 1) / impl_->tile->group;
  impl_->panels = (n + impl_->tile->columns - 1) / impl_->tile->columns;
  auto* codes = static_cast<int8_t*>(
      impl_->codes.reserve(static_cast<size_t>(impl_->panels * impl_->panel_bytes())));
  auto* start = static_cast<int32_t*>(impl_->start.reserve(
      static_cast<size_t>(impl_->panels * impl_->tile->columns) * sizeof(int32_t)));
#pragma omp parallel for schedule(static) if (n * k >= kSerialWork)
  for (int64_t p = 0; p < impl_->panels; ++p) {
    pack_panel(w, *impl_, p, codes + p * impl_->panel_bytes(), start + p * impl_->tile->columns);
  }
}

PackedInt8::~PackedInt8() = default;
PackedInt8::PackedInt8(PackedInt8&&) noexcept = default;
PackedInt8& PackedInt8::operator=(PackedInt8&&) noexcept = default;
int64_t PackedInt8::n() const {
  return impl_->n;
}
int64_t PackedInt8::k() const {
  return impl_->k;
}
uint64_t PackedInt8::bytes() const {
  return impl_->codes.size() + impl_->start.size();
}

void int8_gemm(const PackedInt8& packed, const int8_t* x, int64_t m, const float* row_scale,
               bool per_row, const float* col_scale, const float* bias, float* y) {
  const PackedInt8::Impl& w = packed.impl();
  if (m <= 0 || w.n == 0) return;
  if (w.amx && m >= kAmxRows) {
    amx_gemm(w, {x, w.k, row_scale, per_row, col_scale, bias, y, w.n}, m);
    return;
  }
  const RowBlocks blocks(m, w.tile->max_rows);
  int32_t* packed_x = thread_scratch<int32_t>(kGemmScratch, m * w.groups);
  const bool fork = m * w.n * w.k >= 4 * kSerialWork;
#pragma omp parallel for schedule(static) if (m * w.k >= 4 * kSerialWork)
  for (int64_t b = 0; b < blocks.count; ++b) {
    w.tile->pack_x(x + blocks.first(b) * w.k, w.k, blocks.rows(b),
                   packed_x + blocks.first(b) * w.groups);
  }
  const Call call{w, blocks, packed_x, row_scale, per_row, col_scale, bias, y};
  if (m == 1) {
#pragma omp parallel if (fork)
    {
      const int64_t team = omp_get_num_threads(), me = omp_get_thread_num();
      run_row(call, me * w.panels / team, (me + 1) * w.panels / team);
    }
    return;
  }
  const int64_t tasks = (blocks.count + kTaskBlocks - 1) / kTaskBlocks;
#pragma omp parallel for collapse(2) schedule(static) if (fork)
  for (int64_t p = 0; p < w.panels; ++p) {
    for (int64_t t = 0; t < tasks; ++t) {
      run_task(call, p, t * kTaskBlocks, std::min(blocks.count, (t + 1) * kTaskBlocks));
    }
  }
}

}  // namespace octet::cpu
