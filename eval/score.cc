#include "eval/score.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "kernels/cpu/statistics/divergence.h"

namespace octet {
namespace {

constexpr int64_t kRows = 64;           // rows converted to float32 at a time on a CPU
constexpr int64_t kBytes = 256L << 20;  // of one float32 chunk on a device
constexpr double kKlLimit = 1e9;        // beyond: the model rules out what the reference allows

std::string shape_of(const at::Tensor& tensor) {
  return tensor.defined() ? fmt::format("[{}]", fmt::join(tensor.sizes(), ", ")) : "undefined";
}

void check(const at::Tensor& logits, std::span<const int64_t> targets,
           const at::Tensor& reference) {
  const auto rows = static_cast<int64_t>(targets.size());
  const bool good = logits.defined() && logits.dim() == 2 && rows > 0 && logits.size(0) == rows &&
                    logits.size(1) > 0 && logits.is_floating_point() &&
                    (!reference.defined() ||
                     (reference.sizes() == logits.sizes() && reference.is_floating_point()));
  if (!good) {
    throw Error(fmt::format("logits {}, reference {} and {} targets", shape_of(logits),
                            shape_of(reference), rows),
                "floating logits [T, V], a reference of the same shape, and T > 0 targets",
                "compare models of one vocabulary on the same window");
  }
  const int64_t vocabulary = logits.size(1);
  for (size_t t = 0; t < targets.size(); ++t) {
    if (targets[t] < 0 || targets[t] >= vocabulary) {
      throw Error(fmt::format("token id {} at position {}", targets[t], t),
                  fmt::format("an id in [0, {})", vocabulary),
                  "use the tokenizer that belongs to this model");
    }
  }
}

void check_finite(const WindowScores& scores) {
  for (size_t t = 0; t < scores.nll.size(); ++t) {
    const bool paired = !scores.kl.empty();
    if (std::isfinite(scores.nll[t]) &&
        (!paired || (std::isfinite(scores.ref_nll[t]) && scores.kl[t] < kKlLimit))) {
      continue;
    }
    throw Error(fmt::format("nll {}, reference nll {} and KL {} at position {}", scores.nll[t],
                            paired ? scores.ref_nll[t] : 0, paired ? scores.kl[t] : 0, t),
                "finite scores", "look for NaN or Inf in the model's weights, scales or logits");
  }
}

WindowScores sized(int64_t rows, bool paired) {
  const auto n = static_cast<size_t>(rows), m = paired ? n : 0;
  return {std::vector<float>(n), std::vector<float>(m), std::vector<float>(m),
          std::vector<uint8_t>(m)};
}

// Rows [begin, begin + count) as float32 with unit stride along the vocabulary; a view where
// possible.
at::Tensor float_rows(const at::Tensor& logits, int64_t begin, int64_t count) {
  if (!logits.defined()) return {};
  const at::Tensor rows = logits.narrow(0, begin, count).to(at::kCPU, at::kFloat);
  return rows.stride(1) == 1 ? rows : rows.contiguous();
}

WindowScores score_on_cpu(const at::Tensor& logits, std::span<const int64_t> targets,
                          const at::Tensor& reference) {
  const int64_t total = logits.size(0), vocabulary = logits.size(1);
  WindowScores out = sized(total, reference.defined());
  for (int64_t begin = 0; begin < total; begin += kRows) {
    const int64_t count = std::min(kRows, total - begin);
    const at::Tensor x = float_rows(logits, begin, count);
    const at::Tensor r = float_rows(reference, begin, count);
    const float* x_data = x.const_data_ptr<float>();
    const float* r_data = r.defined() ? r.const_data_ptr<float>() : nullptr;
    const int64_t x_stride = x.stride(0), r_stride = r.defined() ? r.stride(0) : 0;
    at::parallel_for(0, count, 4, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        const auto t = static_cast<size_t>(begin + i);
        const auto row = cpu::score_row(x_data + i * x_stride,
                                        r_data == nullptr ? nullptr : r_data + i * r_stride,
                                        vocabulary, targets[t]);
        out.nll[t] = static_cast<float>(row.nll);
        if (r_data == nullptr) continue;
        out.ref_nll[t] = static_cast<float>(row.ref_nll);
        out.kl[t] = static_cast<float>(row.kl);
        out.same_top1[t] = row.same_top1 ? 1 : 0;
      }
    });
  }
  return out;
}

void store(std::vector<float>& out, int64_t begin, const at::Tensor& values) {
  const at::Tensor host = values.to(at::kCPU, at::kFloat).contiguous();
  std::copy_n(host.const_data_ptr<float>(), host.numel(), out.begin() + begin);
}

}  // namespace

namespace detail {

// The arithmetic of cpu::score_row: both log-sums are kept out of the float32 differences.
WindowScores score_by_ops(const at::Tensor& logits, std::span<const int64_t> targets,
                          const at::Tensor& reference) {
  const c10::NoGradGuard no_grad;
  check(logits, targets, reference);
  const int64_t total = logits.size(0);
  const int64_t step = std::max<int64_t>(1, kBytes / (4 * logits.size(1)));
  WindowScores out = sized(total, reference.defined());
  for (int64_t begin = 0; begin < total; begin += step) {
    const int64_t count = std::min(step, total - begin);
    at::Tensor ids = at::empty({count, 1}, at::kLong);
    std::copy_n(targets.begin() + begin, count, ids.mutable_data_ptr<int64_t>());
    ids = ids.to(logits.device());
    const at::Tensor x = logits.narrow(0, begin, count).to(at::kFloat);
    const at::Tensor a = x - x.amax({1}, true);
    const at::Tensor log_model = a.exp().sum({1}, false, at::kDouble).log();
    store(out.nll, begin, log_model - a.gather(1, ids).squeeze(1));
    if (!reference.defined()) continue;
    const at::Tensor r = reference.narrow(0, begin, count).to(logits.device(), at::kFloat);
    const at::Tensor b = r - r.amax({1}, true);
    const at::Tensor weight = b.exp();
    const at::Tensor sum = weight.sum({1}, false, at::kDouble), log_reference = sum.log();
    store(out.ref_nll, begin, log_reference - b.gather(1, ids).squeeze(1));
    const at::Tensor weighted =
        (weight * (b.clamp_min(-87) - a.clamp_min(-1e20))).sum({1}, false, at::kDouble);
    store(out.kl, begin, weighted / sum + (log_model - log_reference));
    const at::Tensor same = x.argmax(1).eq(r.argmax(1)).to(at::kCPU, at::kByte);
    std::copy_n(same.const_data_ptr<uint8_t>(), count, out.same_top1.begin() + begin);
  }
  check_finite(out);
  return out;
}

}  // namespace detail

WindowScores score_positions(const at::Tensor& logits, std::span<const int64_t> targets,
                             const at::Tensor& reference) {
  const c10::NoGradGuard no_grad;
  check(logits, targets, reference);
  if (!logits.is_cpu()) return detail::score_by_ops(logits, targets, reference);
  WindowScores out = score_on_cpu(logits, targets, reference);
  check_finite(out);
  return out;
}

}  // namespace octet
