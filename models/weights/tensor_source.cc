#include "models/weights/tensor_source.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "models/open.h"
#include "models/weights/weight_sources.h"

namespace octet {
namespace {

// Beyond this, what has been read would only push out what is still to be written.
constexpr uint64_t kCacheable = uint64_t{1} << 30;

class FileReader : public TensorReader {
 public:
  FileReader(const InputFile& file, uint64_t begin, bool forget)
      : file_(file), begin_(begin), forget_(forget) {}
  void read(uint64_t offset, std::span<std::byte> out) const override {
    file_.read_at(begin_ + offset, out);
    if (forget_) file_.forget(begin_ + offset, out.size());
  }

 private:
  const InputFile& file_;
  uint64_t begin_;
  bool forget_;
};

class LoadedReader : public TensorReader {
 public:
  explicit LoadedReader(at::Tensor tensor) : tensor_(std::move(tensor)) {}
  void read(uint64_t offset, std::span<std::byte> out) const override {
    std::memcpy(out.data(), static_cast<const std::byte*>(tensor_.const_data_ptr()) + offset,
                out.size());
  }

 private:
  at::Tensor tensor_;
};

}  // namespace

const TensorInfo& TensorSource::info(const std::string& name) const {
  const auto found = index_.find(name);
  if (found != index_.end()) return tensors_[found->second];
  throw Error(fmt::format("no tensor {} in the checkpoint", name),
              "all tensors that config.json implies",
              "use the config.json that belongs to these weights");
}

void TensorSource::add(TensorInfo info) {
  index_[info.name] = tensors_.size();
  tensors_.push_back(std::move(info));
}

CheckpointTensors::CheckpointTensors(const std::filesystem::path& directory)
    : checkpoint_(directory), forget_(weight_file_bytes(directory) > kCacheable) {
  std::vector<const Checkpoint::Location*> order;
  for (const auto& [name, location] : checkpoint_.tensors()) order.push_back(&location);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return a->file != b->file ? a->file->path() < b->file->path() : a->entry.begin < b->entry.begin;
  });
  for (const auto* location : order) add(location->entry.info);
}

std::shared_ptr<const TensorReader> CheckpointTensors::open(const std::string& name) {
  info(name);
  const Checkpoint::Location& location = checkpoint_.tensors().at(name);
  return std::make_shared<FileReader>(location.file->file(), location.entry.begin, forget_);
}

LoadedTensors::LoadedTensors(std::shared_ptr<WeightSource> source, std::vector<TensorInfo> infos)
    : source_(std::move(source)) {
  for (TensorInfo& info : infos) add(std::move(info));
}

std::shared_ptr<const TensorReader> LoadedTensors::open(const std::string& name) {
  return std::make_shared<LoadedReader>(source_->get(name).dense.contiguous());
}

std::unique_ptr<TensorSource> open_tensors(const std::filesystem::path& model) {
  if (!is_gguf(model)) return std::make_unique<CheckpointTensors>(model);
  auto source = std::make_shared<GgufSource>(model);
  std::vector<TensorInfo> infos;
  for (const auto& [name, stored] : source->names()) {
    infos.push_back({name, Dtype::kF16, source->file().tensor(stored).shape});
  }
  return std::make_unique<LoadedTensors>(std::move(source), std::move(infos));
}

}  // namespace octet
