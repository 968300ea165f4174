#include "kernels/cpu/attention/decoding.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "kernels/cpu/attention/decoding_rows.h"
#include "kernels/cpu/scratch.h"

namespace octet::cpu {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// The largest entries seen so far, best first.
class TopList {
 public:
  TopList(float* scores, int64_t* ids, int64_t size) : scores_(scores), ids_(ids), size_(size) {
    std::fill_n(scores, size, kNever);
    std::fill_n(ids, size, 0);
  }
  void offer(float score, int64_t id) {
    if (!(score > scores_[size_ - 1])) return;
    int64_t place = size_ - 1;
    for (; place > 0 && score > scores_[place - 1]; --place) {
      scores_[place] = scores_[place - 1];
      ids_[place] = ids_[place - 1];
    }
    scores_[place] = score;
    ids_[place] = id;
  }

 private:
  float* scores_;
  int64_t* ids_;
  int64_t size_;
};

// A value that at least `top` logits reach: the top-th largest of the blocks' maxima.
float reached_by(const float* largest, int64_t blocks, int64_t top, float* scratch) {
  if (blocks < top) return kNever;
  std::copy_n(largest, blocks, scratch);
  std::nth_element(scratch, scratch + top - 1, scratch + blocks, std::greater<>());
  return scratch[top - 1];
}

void forbid(const TopCall& call, float* row) {
  for (int64_t i = 0; i < call.forbidden_count; ++i) row[call.forbidden[i]] = kNever;
}

void top_row(const DecodingRows& rows, const TopCall& call, float* row, float* scores,
             int64_t* ids) {
  const int64_t blocks = (call.vocab + kTopBlock - 1) / kTopBlock;
  float* largest = thread_scratch<float>(kRowScratch, 2 * blocks);
  if (call.renormalize) forbid(call, row);
  const float top = rows.block_maxima(row, call.vocab, largest);
  const float log_sum = std::log(rows.sum_exp(row, call.vocab, top));
  if (!call.renormalize && call.forbidden_count > 0) {
    forbid(call, row);
    for (int64_t i = 0; i < call.forbidden_count; ++i) {
      const int64_t block = call.forbidden[i] / kTopBlock, first = block * kTopBlock;
      rows.block_maxima(row + first, std::min(kTopBlock, call.vocab - first), largest + block);
    }
  }
  const float least = reached_by(largest, blocks, call.top, largest + blocks);
  TopList list(scores, ids, call.top);
  for (int64_t block = 0; block < blocks; ++block) {
    if (!(largest[block] >= least)) continue;
    const int64_t last = std::min(call.vocab, (block + 1) * kTopBlock);
    for (int64_t id = block * kTopBlock; id < last; ++id) {
      if (row[id] >= least) list.offer(row[id], id);
    }
  }
  for (int64_t i = 0; i < call.top; ++i) {
    const float score = scores[i] - top - log_sum;
    scores[i] = std::isnan(score) ? kNever : score;
  }
}

}  // namespace

const DecodingRows& decoding_rows(Level level) {
  switch (level) {
    case Level::kVnni:
      return decoding_rows_avx512();
    case Level::kAvx2:
      return decoding_rows_avx2();
    default:
      return decoding_rows_portable();
  }
}

void gathered_attention(const GatheredAttention& call, float* y, Level level) {
  const DecodingRows& rows = decoding_rows(level);
  const int64_t width = call.heads * call.dim, total = call.rows * call.queries;
#pragma omp parallel for schedule(static) if (total * width >= 4 * 1024)
  for (int64_t i = 0; i < total; ++i) {
    const int64_t row = i / call.queries;
    const int64_t count = call.counts[row] + (call.causal ? i % call.queries : 0);
    float* scores = thread_scratch<float>(kRowScratch, call.heads * count);
    rows.attend({call.q + i * call.q_stride, call.k, call.v, call.stride,
                 call.places + row * call.places_stride, count, call.heads, call.dim, scores},
                y + i * width);
  }
}

void gathered_attention(const GatheredAttention& call, float* y) {
  gathered_attention(call, y, best_level());
}

void top_log_probabilities(const TopCall& call, float* scores, int64_t* ids, Level level) {
  const DecodingRows& rows = decoding_rows(level);
#pragma omp parallel for schedule(static) if (call.rows * call.vocab >= kSerialWork)
  for (int64_t r = 0; r < call.rows; ++r) {
    top_row(rows, call, call.logits + r * call.vocab, scores + r * call.top, ids + r * call.top);
  }
}

void top_log_probabilities(const TopCall& call, float* scores, int64_t* ids) {
  top_log_probabilities(call, scores, ids, best_level());
}

}  // namespace octet::cpu
