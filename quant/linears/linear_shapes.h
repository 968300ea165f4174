// Tensor helpers shared by the linears of quant/.
#pragma once
#include <ATen/core/Tensor.h>

#include <vector>

namespace octet {

/// y [tokens, N] as [leading..., N].
inline at::Tensor unflatten(const at::Tensor& y, std::vector<int64_t> leading) {
  leading.push_back(y.size(-1));
  return y.view(leading);
}

inline const float* data_or_null(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.data_ptr<float>() : nullptr;
}

}  // namespace octet
