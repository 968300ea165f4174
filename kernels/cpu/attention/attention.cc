#include "kernels/cpu/attention/attention.h"

#include <algorithm>
#include <cmath>

#include "kernels/cpu/attention/attention_block.h"
#include "kernels/cpu/scratch.h"

namespace octet::cpu {
namespace {

/// Keys and values of one head in panels; all threads of a team fill them together.
struct Panels {
  float *keys, *values;
  int64_t padded_keys;
};

/// Panel number `p`: the first ones hold keys, then values.
void pack(const AttentionCall& call, const AttentionKernels& kernels, int64_t batch, int64_t head,
          const Panels& to, int64_t p) {
  const int64_t width = kernels.width, key_panels = to.padded_keys / width;
  if (p < key_panels) {
    const float* from = call.k.head(batch, head) + p * width * call.k.step_stride;
    kernels.pack_keys(from, call.k.step_stride, std::min(width, call.keys - p * width), call.dim,
                      to.keys + p * width * call.dim);
    return;
  }
  const int64_t column = (p - key_panels) * width;
  const int64_t count = std::min(width, call.dim - column);
  const float* from = call.v.head(batch, head) + column;
  float* row = to.values + column * to.padded_keys;
  for (int64_t i = 0; i < call.keys; ++i, row += width) {
    std::copy_n(from + i * call.v.step_stride, count, row);
    std::fill(row + count, row + width, 0.0f);
  }
}

/// Queries [first, first + kQueryBlock) of one head against packed keys and values.
void run(const AttentionCall& call, const AttentionKernels& kernels, int64_t batch, int64_t head,
         const Panels& panels, int64_t first, float* y) {
  const float* q = call.q.head(batch, head) + first * call.q.step_stride;
  const AttentionBlock block{q,
                             call.q.step_stride,
                             std::min(kQueryBlock, call.queries - first),
                             call.dim,
                             panels.keys,
                             panels.values,
                             panels.padded_keys,
                             call.causal ? call.keys - call.queries + first + 1 : call.keys,
                             call.causal ? 1 : 0,
                             static_cast<float>(1.0 / std::sqrt(static_cast<double>(call.dim)))};
  float* scratch = thread_scratch<float>(kRowScratch, kernels.scratch_floats(call.dim));
  const int64_t stride = call.heads * call.dim;
  kernels.run(block, scratch, y + (batch * call.queries + first) * stride + head * call.dim,
              stride);
}

}  // namespace

void attention(const AttentionCall& call, float* y) {
  static const Level best = best_level();
  attention(call, y, best);
}

void attention(const AttentionCall& call, float* y, Level level) {
  const AttentionKernels& kernels = attention_kernels(level);
  const auto padded = [&](int64_t n) {
    return (n + kernels.width - 1) / kernels.width * kernels.width;
  };
  const int64_t keys = padded(call.keys), dim = padded(call.dim),
                group = call.heads / call.kv_heads;
  float* memory = thread_scratch<float>(kGemmScratch, keys * (call.dim + dim));
  const Panels panels{memory, memory + keys * call.dim, keys};
  const int64_t panel_count = (keys + dim) / kernels.width;
  const int64_t blocks = (call.queries + kQueryBlock - 1) / kQueryBlock;
  const bool fork = group * call.queries * call.keys * call.dim >= 4 * kSerialWork;
  for (int64_t pair = 0; pair < call.batch * call.kv_heads; ++pair) {
    const int64_t batch = pair / call.kv_heads, kv_head = pair % call.kv_heads;
#pragma omp parallel if (fork)
    {
#pragma omp for schedule(static)
      for (int64_t p = 0; p < panel_count; ++p) pack(call, kernels, batch, kv_head, panels, p);
        // The last queries see most keys: they start first.
#pragma omp for collapse(2) schedule(dynamic)
      for (int64_t b = blocks - 1; b >= 0; --b) {
        for (int64_t i = 0; i < group; ++i) {
          run(call, kernels, batch, kv_head * group + i, panels, b * kQueryBlock, y);
        }
      }
    }
  }
}

}  // namespace octet::cpu
