// How far float activations may be off beside another implementation, by what this CPU computes in.
#pragma once
#include <ATen/ATen.h>

#include "kernels/cpu/gemm/packed_weights.h"

namespace octet::test {

/// Whether y is x weight^T + bias (all float64 but y) as this CPU computes weight-only linears:
/// float32, or operands rounded to bfloat16, 2^-9 of each of the two.
inline bool equals_weight_only(const at::Tensor& y, const at::Tensor& x, const at::Tensor& weight,
                               const at::Tensor& bias) {
  const double unit =
      cpu::best_packed_route() == cpu::PackedRoute::kFloat ? 0 : 2 * 0x1p-9 * (1 + 0x1p-9);
  const at::Tensor expected = at::linear(x, weight, bias);
  const at::Tensor allowed =
      at::linear(x.abs(), weight.abs()) * unit + 1e-5 + expected.abs() * 1e-5;
  return (y.to(at::kDouble) - expected).abs().le(allowed).all().item<bool>();
}

/// Root mean square over deviation of logits, of weight-only linears: rounding of float32 alone, or
/// of activations to bfloat16 where the CPU multiplies in it (PackedRoute).
inline double weight_only_tolerance() {
  return cpu::best_packed_route() == cpu::PackedRoute::kFloat ? 1e-4 : 2e-2;
}

}  // namespace octet::test
