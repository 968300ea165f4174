// Which items of a stream are finished and on disk.
#pragma once
#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "core/io/journal.h"
#include "quant/stream/sharded_output.h"

namespace octet {

using TensorHashes = std::map<std::string, std::string>;  ///< SHA-256 by tensor

/// Backed by a journal in the output folder. An item enters it only after its bytes have been
/// flushed, so after a kill or a power failure every marked item is on disk.
class StreamLedger {
 public:
  StreamLedger(const std::filesystem::path& journal, const ShardedOutput& output);
  /// Finished in an earlier run.
  bool has(const std::string& item) const { return resumed_.contains(item); }
  /// From any thread: everything of `item` has been handed to the file system.
  void finish(const std::string& item, const TensorHashes& hashes);
  /// True if something is finished but not yet on disk and the last flush was long enough ago.
  bool due() const;
  /// Puts everything finished so far on disk. One caller at a time.
  void flush();
  /// Of all items, earlier runs included.
  TensorHashes hashes() const;

 private:
  const ShardedOutput& output_;
  Journal journal_;
  std::set<std::string> resumed_;
  TensorHashes hashes_;
  mutable std::mutex mutex_;
  std::vector<std::string> waiting_;
  std::chrono::steady_clock::time_point flushed_ = std::chrono::steady_clock::now();
};

}  // namespace octet
