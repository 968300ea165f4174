// Where weights come from: a Hugging Face directory, a GGUF file, named tensors, or a seed.
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/containers/gguf.h"
#include "core/containers/safetensors.h"
#include "models/topology.h"
#include "models/weights/weight_source.h"

namespace octet {

/// Float tensors of a checkpoint directory in their stored dtype. NaN or Inf in a weight is an
/// Error naming tensor and place.
class CheckpointSource : public WeightSource {
 public:
  explicit CheckpointSource(const std::filesystem::path& directory) : checkpoint_(directory) {}
  bool has(const std::string& name) const override { return checkpoint_.has(name); }
  Weight get(const std::string& name) override;
  const Checkpoint& checkpoint() const { return checkpoint_; }

 private:
  Checkpoint checkpoint_;
};

/// A GGUF file under Hugging Face names; query and key rows are unpermuted to Hugging Face's rotary
/// layout where the family's files are permuted. Tensors come out as float16 (`half`) or float32.
class GgufSource : public WeightSource {
 public:
  explicit GgufSource(const std::filesystem::path& file, bool half = true);
  bool has(const std::string& name) const override { return names_.contains(name); }
  Weight get(const std::string& name) override;
  const GgufFile& file() const { return file_; }
  /// Hugging Face name -> GGUF name of every tensor octet knows.
  const std::map<std::string, std::string>& names() const { return names_; }
  /// GGUF names of the tensors that octet has no use for: a model that needs them cannot be read.
  const std::vector<std::string>& unknown() const { return unknown_; }

 private:
  /// Heads of a query or key projection's weight or bias by Hugging Face name; 0 for others.
  int64_t rotary_heads(const std::string& name) const;
  GgufFile file_;
  bool half_, interleaved_;
  std::map<std::string, std::string> names_;
  std::vector<std::string> unknown_;
};

/// Named tensors in memory.
class MapSource : public WeightSource {
 public:
  explicit MapSource(std::map<std::string, at::Tensor> tensors) : tensors_(std::move(tensors)) {}
  bool has(const std::string& name) const override { return tensors_.contains(name); }
  Weight get(const std::string& name) override;

 private:
  std::map<std::string, at::Tensor> tensors_;
};

/// Every tensor of a topology, normal with deviation `deviation` (norm weights around 1), float32,
/// from core/random.
std::map<std::string, at::Tensor> random_tensors(const Topology& topology, uint64_t seed,
                                                 double deviation);

/// Throws Error naming `name` and the first bad element if a float tensor holds NaN or Inf.
void check_finite(const std::string& name, const at::Tensor& tensor);

/// A tensor of a checkpoint as it is stored (any dtype torch has), without the finite check.
at::Tensor read_tensor(const Checkpoint& checkpoint, const std::string& name);

}  // namespace octet
