#include "models/run/hidden_spill.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/containers/safetensors.h"
#include "models/torch_dtype.h"

namespace octet {

std::filesystem::path HiddenSpill::file(int block, int64_t unit) const {
  return folder_ / fmt::format("hidden-{}-{}.safetensors", block, unit);
}

void HiddenSpill::write(int block, int64_t unit, const Hidden& hidden) const {
  std::map<std::string, at::Tensor> tensors;
  std::vector<TensorInfo> infos;
  for (const auto& [name, tensor] : hidden.tensors()) {
    tensors[name] = tensor.detach().to(at::kCPU).contiguous();
    infos.push_back({name, container_dtype(tensor.scalar_type()), tensor.sizes().vec()});
  }
  SafetensorsWriter writer(file(block, unit), infos);
  for (const auto& [name, tensor] : tensors) {
    writer.write(name, {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()});
  }
  writer.commit(false);
}

Hidden HiddenSpill::read(int block, int64_t unit, at::Device device) const {
  const SafetensorsFile stored(file(block, unit));
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, entry] : stored.entries()) {
    at::Tensor tensor =
        at::empty(entry.info.shape, at::TensorOptions(torch_dtype(entry.info.dtype, name)));
    stored.read(entry, {static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes()});
    tensors[name] = tensor.to(device);
  }
  return Hidden::from_tensors(tensors);
}

void HiddenSpill::remove(int block, int64_t unit) const {
  std::error_code ignored;
  std::filesystem::remove(file(block, unit), ignored);
}

}  // namespace octet
