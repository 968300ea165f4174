#include "models/weights/checkpoint_tensors.h"

#include <algorithm>

namespace octet {
namespace {

class FileReader : public TensorReader {
 public:
  FileReader(std::shared_ptr<const Checkpoint> checkpoint, const std::string& name, bool forget)
      : checkpoint_(std::move(checkpoint)),
        location_(checkpoint_->tensors().at(name)),
        forget_(forget) {}
  void read(uint64_t offset, std::span<std::byte> out) const override {
    const InputFile& file = location_.file->file();
    const uint64_t begin = location_.entry.begin + offset;
    file.read_at(begin, out);
    if (forget_) file.forget(begin, out.size());
  }

 private:
  std::shared_ptr<const Checkpoint> checkpoint_;
  const Checkpoint::Location& location_;
  bool forget_;
};

}  // namespace

CheckpointTensors::CheckpointTensors(std::shared_ptr<const Checkpoint> checkpoint, bool forget)
    : checkpoint_(std::move(checkpoint)), forget_(forget) {
  std::vector<const Checkpoint::Location*> order;
  for (const auto& [name, location] : checkpoint_->tensors()) order.push_back(&location);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return a->file != b->file ? a->file->path() < b->file->path() : a->entry.begin < b->entry.begin;
  });
  for (const auto* location : order) add(location->entry.info);
}

std::shared_ptr<const TensorReader> CheckpointTensors::open(const std::string& name) {
  info(name);
  return std::make_shared<FileReader>(checkpoint_, name, forget_);
}

}  // namespace octet
