// A GGUF file under Hugging Face's names.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/containers/gguf.h"
#include "models/weights/tensor_source.h"

namespace octet {

/// The tensors that octet knows, in the order of their names, as float16 or float32. Query and key
/// rows are unpermuted to Hugging Face's rotary layout where the family's files are permuted.
class GgufTensors : public TensorSource {
 public:
  explicit GgufTensors(std::shared_ptr<const GgufFile> file, Dtype dtype = Dtype::kF16);
  std::shared_ptr<const TensorReader> open(const std::string& name) override;
  /// GGUF names of the tensors that octet has no use for: a model that needs them cannot be read.
  const std::vector<std::string>& unknown() const { return unknown_; }

 private:
  /// Heads of a query or key projection's weight or bias by Hugging Face name; 0 for others, and
  /// where the family's files are not permuted.
  int64_t rotary_heads(const std::string& name) const;
  std::shared_ptr<const GgufFile> file_;
  std::map<std::string, std::string> stored_;  ///< GGUF name by Hugging Face name
  std::vector<std::string> unknown_;
  bool interleaved_;
};

}  // namespace octet
