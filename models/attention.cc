#include "models/attention.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/error.h"

namespace octet {

at::Tensor rotary_table(const at::Tensor& positions, int64_t dim, double theta) {
  const auto options = at::TensorOptions(at::kFloat).device(positions.device());
  const at::Tensor exponent = at::arange(0, dim, 2, options) / static_cast<double>(dim);
  const at::Tensor frequency = at::reciprocal(at::pow(at::Scalar(theta), exponent));
  const at::Tensor angle = at::outer(positions.to(at::kFloat), frequency);
  return at::cat({at::cos(angle), at::sin(angle)}, -1);
}

at::Tensor apply_rotary(const at::Tensor& x, const at::Tensor& rotary) {
  const int64_t half = x.size(-1) / 2;
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
                  const at::Tensor& key_mask) {
  const int64_t t = q.size(2), s = k.size(2);
  const bool grouped = q.size(1) != k.size(1);
  std::optional<at::Tensor> mask;
  bool plain_causal = causal && t == s && t > 1;
  if (key_mask.defined() || (causal && t > 1 && t != s)) {
    at::Tensor visible = at::ones({1, 1, t, s}, q.options().dtype(at::kBool));
    if (causal) visible = visible.tril(s - t);
    if (key_mask.defined()) visible = visible.logical_and(key_mask.view({-1, 1, 1, s}));
    mask = visible;
    plain_causal = false;
  }
  return at::scaled_dot_product_attention(q, k, v, mask, 0.0, plain_causal, std::nullopt, grouped);
}

}  // namespace octet
