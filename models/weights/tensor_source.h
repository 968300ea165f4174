// Where a streaming conversion reads: tensors by name, their bytes by position.
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/containers/safetensors.h"
#include "models/weights/weight_source.h"

namespace octet {

/// One tensor's bytes in C order. Several threads read at once.
class TensorReader {
 public:
  virtual ~TensorReader() = default;
  /// Fills `out` from byte `offset` on. Readers that compute may insist on whole rows.
  virtual void read(uint64_t offset, std::span<std::byte> out) const = 0;
};

/// The tensors of a model, whatever they are stored in.
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  /// In the order in which they are best read; dtypes are those that readers give.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  bool has(const std::string& name) const { return index_.contains(name); }
  const TensorInfo& info(const std::string& name) const;  ///< Error when absent
  virtual std::shared_ptr<const TensorReader> open(const std::string& name) = 0;

 protected:
  void add(TensorInfo info);

 private:
  std::vector<TensorInfo> tensors_;
  std::map<std::string, size_t> index_;
};

/// A checkpoint directory, in file order.
class CheckpointTensors : public TensorSource {
 public:
  explicit CheckpointTensors(const std::filesystem::path& directory);
  std::shared_ptr<const TensorReader> open(const std::string& name) override;

 private:
  Checkpoint checkpoint_;
  bool forget_;  ///< what was read need not stay in the page cache
};

/// Any weight source, a whole tensor in memory from open() on. infos: what it holds.
class LoadedTensors : public TensorSource {
 public:
  LoadedTensors(std::shared_ptr<WeightSource> source, std::vector<TensorInfo> infos);
  std::shared_ptr<const TensorReader> open(const std::string& name) override;

 private:
  std::shared_ptr<WeightSource> source_;
};

/// A checkpoint with F8_E4M3 weights that have a factor a block of 128 x 128 (DeepSeek-V3). Such a
/// weight comes out as what it stands for: float32, or bfloat16 where it is `kept`. The factors are
/// no tensors of their own. block_scales: name of the factors by name of the weight.
class BlockScaledTensors : public TensorSource {
 public:
  BlockScaledTensors(const std::filesystem::path& directory,
                     const std::map<std::string, std::string>& block_scales,
                     const std::set<std::string>& kept);
  std::shared_ptr<const TensorReader> open(const std::string& name) override;

 private:
  CheckpointTensors stored_;
  std::map<std::string, std::string> block_scales_;
};

/// Tensors of a Hugging Face directory as stored, or of a .gguf file as float16.
std::unique_ptr<TensorSource> open_tensors(const std::filesystem::path& model);

}  // namespace octet
