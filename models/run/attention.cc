#include "models/run/attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <numbers>

#include "core/error.h"
#include "kernels/cpu/attention/attention.h"
#include "kernels/cpu/attention/decoding.h"

namespace octet {
namespace {

// The float32 form of apply_rotary without temporaries: x [b, h, t, d] with unit stride along d.
// Each element is computed by the same two products and one sum as the tensor form.
at::Tensor rotate_rows(const at::Tensor& x, const at::Tensor& rotary) {
  const int64_t heads = x.size(1), steps = x.size(2), half = x.size(3) / 2;
  at::Tensor out = at::empty(x.sizes(), x.options());
  const float* from = x.const_data_ptr<float>();
  const float* table = rotary.const_data_ptr<float>();
  float* to = out.data_ptr<float>();
  at::parallel_for(0, x.size(0) * heads * steps, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t batch = i / (heads * steps), head = i / steps % heads, step = i % steps;
      const float* a = from + batch * x.stride(0) + head * x.stride(1) + step * x.stride(2);
      const float *b = a + half, *cosine = table + step * 2 * half, *sine = cosine + half;
      float *low = to + i * 2 * half, *high = low + half;
      for (int64_t j = 0; j < half; ++j) {
        const float u = a[j], v = b[j];
        low[j] = u * cosine[j] - v * sine[j];
        high[j] = v * cosine[j] + u * sine[j];
      }
    }
  });
  return out;
}

// Fewer queries than this do not pay for the packing of the keys.
constexpr int64_t kManyQueries = 16;

bool runs_fused(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const auto plain = [](const at::Tensor& x) {
    return x.is_cpu() && x.scalar_type() == at::kFloat && x.stride(3) == 1 &&
           !(at::GradMode::is_enabled() && x.requires_grad());
  };
  return q.size(2) >= kManyQueries && plain(q) && plain(k) && plain(v);
}

cpu::HeadsView heads_view(const at::Tensor& x) {
  return {x.const_data_ptr<float>(), x.stride(0), x.stride(1), x.stride(2)};
}

at::Tensor fused_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           bool causal) {
  at::Tensor y = at::empty({q.size(0), q.size(2), q.size(1), q.size(3)}, q.options());
  cpu::attention({heads_view(q), heads_view(k), heads_view(v), q.size(0), q.size(1), k.size(1),
                  q.size(2), k.size(2), q.size(3), causal},
                 y.data_ptr<float>());
  return y.transpose(1, 2);
}

}  // namespace

at::Tensor rotary_frequencies(int64_t dim, double theta, const std::optional<RopeScaling>& scaling,
                              at::Device device) {
  const auto options = at::TensorOptions(at::kFloat).device(device);
  const at::Tensor exponent = at::arange(0, dim, 2, options) / static_cast<double>(dim);
  const at::Tensor plain = at::reciprocal(at::pow(at::Scalar(theta), exponent));
  if (!scaling) return plain;
  const double low = scaling->low_freq_factor, high = scaling->high_freq_factor;
  const auto original = static_cast<double>(scaling->original_positions);
  const at::Tensor wavelength = at::Scalar(2 * std::numbers::pi) / plain;
  const at::Tensor slow = wavelength > original / low, fast = wavelength < original / high;
  const at::Tensor stretched = plain / scaling->factor;
  const at::Tensor smooth = (at::Scalar(original) / wavelength - low) / (high - low);
  const at::Tensor blended = (1 - smooth) * plain / scaling->factor + smooth * plain;
  return at::where(slow, stretched, at::where(fast, plain, blended));
}

at::Tensor rotary_table(const at::Tensor& positions, const at::Tensor& frequencies) {
  const at::Tensor angle = at::outer(positions.to(at::kFloat), frequencies);
  return at::cat({at::cos(angle), at::sin(angle)}, -1);
}

at::Tensor apply_rotary(const at::Tensor& x, const at::Tensor& rotary) {
  const int64_t half = x.size(-1) / 2;
  if (x.is_cpu() && x.scalar_type() == at::kFloat && !x.requires_grad() && x.dim() == 4 &&
      x.stride(3) == 1 && x.size(3) % 2 == 0 && rotary.scalar_type() == at::kFloat &&
      rotary.is_contiguous() && !rotary.requires_grad() &&
      rotary.sizes() == at::IntArrayRef({x.size(2), x.size(3)})) {
    return rotate_rows(x, rotary);
  }
  const at::Tensor table = rotary.to(x.scalar_type());
  const at::Tensor cosine = table.narrow(-1, 0, half), sine = table.narrow(-1, half, half);
  const at::Tensor a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half);
  return at::cat({a * cosine - b * sine, b * cosine + a * sine}, -1);
}

KvCache append(KvCache& cache, const State& state, const at::Tensor& k, const at::Tensor& v) {
  const int64_t t = k.size(2), end = state.used + t;
  if (end > cache.k.size(2)) {
    throw Error(fmt::format("{} positions", end),
                fmt::format("at most the cache's {}", cache.k.size(2)), "use a shorter text");
  }
  cache.k.narrow(2, state.used, t).copy_(k);
  cache.v.narrow(2, state.used, t).copy_(v);
  return {cache.k.narrow(2, 0, end), cache.v.narrow(2, 0, end)};
}

at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, bool causal,
                  const at::Tensor& key_mask, int64_t window, double dropout) {
  const int64_t t = q.size(2), s = k.size(2);
  const bool grouped = q.size(1) != k.size(1), windowed = causal && window > 0 && window < s;
  if (!key_mask.defined() && !windowed && dropout == 0 && runs_fused(q, k, v)) {
    return fused_attention(q, k, v, causal);
  }
  std::optional<at::Tensor> mask;
  bool plain_causal = causal && t == s && t > 1;
  if (key_mask.defined() || windowed || (causal && t > 1 && t != s)) {
    at::Tensor visible = at::ones({1, 1, t, s}, q.options().dtype(at::kBool));
    if (causal) visible = visible.tril(s - t);
    if (windowed) visible = visible.triu(s - t - window + 1);
    if (key_mask.defined()) visible = visible.logical_and(key_mask.view({-1, 1, 1, s}));
    mask = visible;
    plain_causal = false;
  }
  return at::scaled_dot_product_attention(q, k, v, mask, dropout, plain_causal, std::nullopt,
                                          grouped);
}

at::Tensor attend_places(const at::Tensor& q, const KvCache& cache, const at::Tensor& places,
                         const at::Tensor& counts, bool causal, int64_t heads) {
  const int64_t rows = q.size(0), queries = q.size(1), width = q.size(2);
  at::Tensor y = at::empty({rows, queries, width}, q.options());
  const float* keys = cache.k.const_data_ptr<float>();
  cpu::gathered_attention(
      {q.const_data_ptr<float>(), q.stride(1), keys, keys + width, cache.k.stride(0),
       places.const_data_ptr<int32_t>(), places.stride(0), counts.const_data_ptr<int32_t>(), causal,
       rows, queries, heads, width / heads},
      y.data_ptr<float>());
  return y;
}

}  // namespace octet
