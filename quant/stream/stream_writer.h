// Converts a checkpoint of any size in bounded memory: rows are read, encoded, written and hashed
// in overlapping stages.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/context.h"
#include "models/weights/tensor_source.h"
#include "quant/stream/stream_item.h"
#include "quant/stream/stream_ledger.h"

namespace octet {

struct StreamOptions {
  uint64_t max_memory = uint64_t{2} << 30;  ///< bytes that the whole process may use
  uint64_t shard_bytes = 5'000'000'000;     ///< largest weight file, as transformers writes them
};

struct StreamResult {
  TensorHashes hashes;                       ///< of every tensor written, earlier runs included
  std::map<std::string, std::string> files;  ///< weight file of each tensor
  int64_t resumed = 0;                       ///< items found finished
};

/// Name of the file in a stage's folder that tells how far an earlier run came. It may go once the
/// stage is committed.
inline constexpr const char* kStreamJournal = "octet-stream.jsonl";

/// Writes the weight files of `directory`, items in their order, their bits independent of
/// threads, memory and interruptions. What an earlier run finished there is not done again. Error
/// naming tensor and element for NaN or Inf in a float tensor; Interrupted when a stop is
/// requested.
StreamResult write_stream(const std::filesystem::path& directory, TensorSource& source,
                          const std::vector<StreamItem>& items, const StreamOptions& options,
                          Context& context);

}  // namespace octet
