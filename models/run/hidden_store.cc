#include "models/run/hidden_store.h"

#include <ATen/ATen.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "core/available_memory.h"
#include "core/containers/safetensors.h"
#include "models/torch_dtype.h"

namespace octet {
namespace fs = std::filesystem;
namespace {

constexpr const char *kStream = "stream", *kRest = "rest";  // parts of file names
constexpr const char* kRestBlock = "octet-rest-block";      // metadata of the stream's file

using Tensors = std::map<std::string, at::Tensor>;

Tensors stream_of(const Hidden& hidden) {
  return {{"x", hidden.delta.defined() ? hidden.x + hidden.delta : hidden.x}};
}

Tensors rest_of(const Hidden& hidden) {
  Tensors rest = hidden.tensors();
  rest.erase("x"), rest.erase("delta");
  return rest;
}

bool same_tensors(const Tensors& a, const Tensors& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](auto& x, auto& y) {
           return x.first == y.first && x.second.is_same(y.second);
         });
}

// torch's allocator of pinned memory rounds up to powers of two.
uint64_t bytes_of(const Tensors& tensors, bool pinned) {
  uint64_t total = 0;
  for (const auto& [name, tensor] : tensors) {
    const uint64_t bytes = tensor.nbytes();
    total += pinned ? std::bit_ceil(bytes) : bytes;
  }
  return total;
}

void write_tensors(const fs::path& file, const Tensors& tensors,
                   const std::map<std::string, std::string>& metadata) {
  std::vector<TensorInfo> infos;
  for (const auto& [name, tensor] : tensors) {
    infos.push_back({name, container_dtype(tensor.scalar_type()), tensor.sizes().vec()});
  }
  SafetensorsWriter writer(file, infos, metadata);
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor host = tensor.detach().to(at::kCPU).contiguous();
    writer.write(name, {static_cast<const std::byte*>(host.const_data_ptr()), host.nbytes()});
  }
  writer.commit(false);
}

void read_tensors(const fs::path& file, at::Device device, Tensors& tensors) {
  const SafetensorsFile stored(file);
  for (const auto& [name, entry] : stored.entries()) {
    at::Tensor tensor =
        at::empty(entry.info.shape, at::TensorOptions(torch_dtype(entry.info.dtype, name)));
    stored.read(entry, {static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes()});
    tensors[name] = tensor.to(device);
  }
}

}  // namespace

MemoryBudget memory_budget(at::Device device, int processes) {
  MemoryBudget budget;
  budget.host = available_memory() / 4 / static_cast<uint64_t>(processes);
  if (device.is_cuda()) {
    budget.device = at::getDeviceAllocator(device.type())->getMemoryInfo(device.index()).first / 4;
  }
  return budget;
}

fs::path HiddenStore::file(const char* part, int block, int64_t unit) const {
  return folder_ / fmt::format("{}-{}-{}.safetensors", part, block, unit);
}

bool HiddenStore::recover(int64_t unit, int block) {
  const fs::path stream = file(kStream, block, unit);
  if (!fs::exists(stream)) return false;
  Slot slot;
  slot.block = block;
  try {
    slot.rest_block = std::stoi(SafetensorsFile(stream).metadata().at(kRestBlock));
    if (slot.rest_block >= 0) const SafetensorsFile rest(file(kRest, slot.rest_block, unit));
  } catch (const std::exception&) {
    return false;  // torn by a power cut, or not there
  }
  std::error_code ignored;
  fs::remove(file(kStream, block - 1, unit), ignored);
  units_[unit] = std::move(slot);
  return true;
}

HiddenStore::Place HiddenStore::choose_place(const Tensors& stream, const Tensors& rest) {
  const auto fits = [&](uint64_t& left, bool pinned) {
    const uint64_t bytes = bytes_of(stream, pinned) + bytes_of(rest, pinned);
    if (bytes > left) return false;
    left -= bytes;
    return true;
  };
  if (fits(left_.device, false)) return Place::kDevice;
  return fits(left_.host, device_.is_cuda()) ? Place::kHost : Place::kDisk;
}

void HiddenStore::keep(Place place, const Tensors& tensors, Tensors& kept) const {
  std::erase_if(kept, [&](const auto& named) { return !tensors.contains(named.first); });
  for (const auto& [name, tensor] : tensors) {
    at::Tensor& slot = kept[name];
    if (place == Place::kDevice || tensor.is_cpu()) {
      slot = tensor.detach();
      continue;
    }
    if (!slot.defined() || slot.sizes() != tensor.sizes() ||
        slot.scalar_type() != tensor.scalar_type()) {
      slot = at::empty(tensor.sizes(), tensor.options().device(at::kCPU).pinned_memory(true));
    }
    slot.copy_(tensor);
  }
}

void HiddenStore::write(int64_t unit, int block, const Tensors& stream, const Tensors* rest,
                        Slot& slot) {
  fs::create_directories(folder_);
  if (rest != nullptr) {
    if (slot.rest_block >= 0) replaced_.push_back(file(kRest, slot.rest_block, unit));
    slot.rest_block = rest->empty() ? -1 : block;
    if (!rest->empty()) write_tensors(file(kRest, block, unit), *rest, {});
  }
  write_tensors(file(kStream, block, unit), stream,
                {{kRestBlock, std::to_string(slot.rest_block)}});
}

void HiddenStore::put(int64_t unit, int block, const Hidden& hidden, const Hidden& before) {
  const at::NoGradGuard no_gradients;
  const Tensors stream = stream_of(hidden), rest = rest_of(hidden);
  const auto [found, fresh] = units_.try_emplace(unit);
  Slot& slot = found->second;
  if (fresh) slot.place = choose_place(stream, rest);
  const bool other_rest = fresh || !same_tensors(rest, rest_of(before));
  if (slot.place == Place::kDisk) {
    if (!fresh) replaced_.push_back(file(kStream, slot.block, unit));
    write(unit, block, stream, other_rest ? &rest : nullptr, slot);
  } else {
    keep(slot.place, stream, slot.stream);
    if (other_rest) keep(slot.place, rest, slot.rest);
  }
  slot.block = block;
}

Hidden HiddenStore::get(int64_t unit) const {
  const Slot& slot = units_.at(unit);
  Tensors tensors;
  if (slot.place == Place::kDisk) {
    read_tensors(file(kStream, slot.block, unit), device_, tensors);
    if (slot.rest_block >= 0) read_tensors(file(kRest, slot.rest_block, unit), device_, tensors);
    return Hidden::from_tensors(tensors);
  }
  for (const Tensors* part : {&slot.stream, &slot.rest}) {
    for (const auto& [name, tensor] : *part) tensors[name] = on_device(tensor, device_);
  }
  return Hidden::from_tensors(tensors);
}

void HiddenStore::remove_replaced() {
  std::error_code ignored;
  for (const fs::path& path : replaced_) fs::remove(path, ignored);
  replaced_.clear();
}

}  // namespace octet
