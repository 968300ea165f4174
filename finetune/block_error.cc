#include "finetune/block_error.h"

#include <ATen/ATen.h>

namespace octet {
namespace {

at::Tensor stream(const Hidden& hidden) {
  return hidden.delta.defined() ? hidden.x + hidden.delta : hidden.x;
}

at::Tensor share(const at::Tensor& out, const at::Tensor& target, const at::Tensor& mask) {
  at::Tensor error = (out - target).square().sum(-1), size = target.square().sum(-1);
  if (mask.defined()) error = error * mask, size = size * mask;
  return error.sum() / size.sum().clamp_min(1e-20);
}

}  // namespace

at::Tensor block_error(const Topology& topology, int block, const Hidden& out,
                       const Hidden& target) {
  const bool both_sides = topology.encoder_blocks > 0;
  if (!both_sides) return share(stream(out), stream(target), out.batch.mask);
  // The last encoder block leaves its stream as the memory.
  if (block == topology.encoder_blocks - 1) {
    return share(out.memory, target.memory, out.batch.mask);
  }
  return share(stream(out), stream(target),
               block < topology.encoder_blocks ? out.batch.mask : out.batch.target_mask);
}

}  // namespace octet
