// How far float activations may be off beside another implementation, by what this CPU computes in.
#pragma once
#include "kernels/cpu/packed_weights.h"

namespace octet::test {

/// Root mean square over deviation of logits, of weight-only linears: rounding of float32 alone, or
/// of activations to bfloat16 where the CPU multiplies in it (PackedRoute).
inline double weight_only_tolerance() {
  return cpu::best_packed_route() == cpu::PackedRoute::kFloat ? 1e-4 : 2e-2;
}

}  // namespace octet::test
