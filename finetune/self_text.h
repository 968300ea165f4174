// DATA "self:N": N windows of text that the model generates itself, for users without data (Liu et
// al., "LLM-QAT: Data-Free Quantization Aware Training for Large Language Models", 2023).
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "core/context.h"
#include "finetune/losses.h"
#include "models/run/process_group.h"

namespace octet {

/// N of "self:N"; nothing for other DATA. UsageError for an N that is no number from 1 up.
std::optional<int64_t> self_windows(const std::string& data);

struct SelfTextOptions {
  int64_t windows = 0, length = 0;
  uint64_t seed = 0;
  std::string purpose;         ///< other text for other purposes
  std::optional<int64_t> bos;  ///< first id of every window; without, one drawn from all
};

/// Samples every next token as the model at temperature 1 gives it. Windows are written in chunks
/// to `folder`, from which a later call reads them again; each rank of `world` writes its share.
std::unique_ptr<Samples> self_text(const Runner& model, const SelfTextOptions& options,
                                   const std::filesystem::path& folder, ProcessGroup& process_group,
                                   Context& context);

}  // namespace octet
