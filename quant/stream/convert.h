// The stage `octet convert`: the same weights in another container.
#pragma once
#include <string>

#include "core/context.h"
#include "core/options.h"

namespace octet {

class SourceModel;

struct ConvertOptions : Options {
  std::string model, out;
  std::string to = "safetensors";
  std::string dtype = "float16";
  void visit(OptionVisitor& v) override;
};

struct ConvertResult {
  std::string directory;
  int64_t tensors = 0;
  uint64_t bytes = 0;
  bool reused = false;
};

/// A Hugging Face directory (config.json, model.safetensors, tokenizer.json, tokenizer_config.json)
/// from `model`, a GGUF file or another directory that options.model names, float tensors cast to
/// --dtype. A value that overflows the dtype is an Error.
ConvertResult convert(const SourceModel& model, const ConvertOptions& options, Context& context);

}  // namespace octet
