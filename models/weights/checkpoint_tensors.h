// The tensors of safetensors files, as they are stored.
#pragma once
#include <filesystem>

#include "core/containers/safetensors.h"
#include "models/weights/tensor_source.h"

namespace octet {

/// In file order. forget: what was read need not stay in the page cache.
class CheckpointTensors : public TensorSource {
 public:
  explicit CheckpointTensors(std::shared_ptr<const Checkpoint> checkpoint, bool forget = false);
  explicit CheckpointTensors(const std::filesystem::path& directory)
      : CheckpointTensors(std::make_shared<Checkpoint>(directory)) {}
  std::shared_ptr<const TensorReader> open(const std::string& name) override;

 private:
  std::shared_ptr<const Checkpoint> checkpoint_;
  bool forget_;
};

}  // namespace octet
